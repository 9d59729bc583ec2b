"""The callbacks that the book shows, in the libraries that they are for."""

import re

import pytest
import torch
from torch.nn import functional as F

from lazyrich_helpers.data import vision
from lazyrich_helpers.lws.layerwise import LayerwiseSparse
from lazyrich_helpers.lws.schedules import TopKAllBottoms
from tests.borrowed import INPUTS, LABELS, Small, moved, states
from tests.tiny import ROOT

PAGE = ROOT / "book" / "own_loop.md"
SCHEDULE = TopKAllBottoms(k=1, rho=0.5)
PLANS = [SCHEDULE.plan(epoch, 0, 3, 0).layers for epoch in range(4)]
pytestmark = pytest.mark.filterwarnings("default")  # theirs are not ours


@pytest.fixture(autouse=True)
def torchvision_imports():
    """Both libraries import torchvision where it is installed."""
    vision.models()


def callback(library):
    """Return the class that the page shows for a library."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (code,) = [block for block in blocks if f"from {library}" in block]
    assert len([line for line in code.splitlines() if line]) <= 20
    scope = {"LayerwiseSparse": LayerwiseSparse}
    exec(code, scope)
    return scope["SparseEpochs"]


class Seen:
    """Which layers moved in each epoch, and whether all is trainable between them."""

    def __init__(self, model):
        self.model, self.layers = model, []
        self.before = states(model)

    def look(self):
        self.layers.append(moved(self.before, states(self.model)))
        self.before = states(self.model)


def test_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")

    class Model(Small):
        def forward(self, inputs, labels):
            logits = super().forward(inputs)
            return {"loss": F.cross_entropy(logits, labels), "logits": logits}

    model = Model()
    seen = Seen(model)

    class Look(transformers.TrainerCallback):
        def on_epoch_end(self, args, state, control, **kwargs):
            seen.look()

    rows = [{"inputs": x, "labels": y} for x, y in zip(INPUTS, LABELS, strict=True)]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        num_train_epochs=4,
        per_device_train_batch_size=4,
        learning_rate=0.01,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        save_strategy="epoch",
        logging_strategy="no",
    )

    def trainer():
        ours = callback("transformers")(model.layers, SCHEDULE)
        return transformers.Trainer(
            model=model, args=arguments, train_dataset=rows, callbacks=[ours, Look()]
        )

    trainer().train()
    assert seen.layers == PLANS and len(set(PLANS)) == 2
    assert all(p.requires_grad for p in model.parameters())
    straight = states(model)
    seen = Seen(model)
    trainer().train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))
    assert seen.layers[1:] == PLANS[3:]  # the first look is after loading
    for old, new in zip(straight, states(model), strict=True):
        for one, two in zip(old, new, strict=True):
            torch.testing.assert_close(one, two)


def test_lightning(tmp_path):
    lightning = pytest.importorskip("lightning.pytorch")

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.small = Small()

        def training_step(self, batch, index):
            inputs, labels = batch
            return F.cross_entropy(self.small(inputs), labels)

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 0.01)

    model = Model()
    seen = Seen(model.small)

    class Look(lightning.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            seen.look()

    ours = callback("lightning")(model.small.layers, SCHEDULE)
    rows = list(zip(INPUTS, LABELS, strict=True))
    trainer = lightning.Trainer(
        max_epochs=4,
        accelerator="cpu",
        callbacks=[ours, Look()],
        default_root_dir=tmp_path,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(model, torch.utils.data.DataLoader(rows, batch_size=4))
    assert seen.layers == PLANS
    assert all(p.requires_grad for p in model.parameters())
    assert sum(ours.sparse.counts.values()) == sum(map(len, PLANS))
