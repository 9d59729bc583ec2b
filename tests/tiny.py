"""The smallest things that still are what they stand for."""

import dataclasses
import importlib.util
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import torch
from torch import nn

from lazyrich_helpers.config import Part
from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.datasets import Dataset, Images, images
from lazyrich_helpers.experiments.recipes import Recipe, Results, collect
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.measures.costs import run_costs
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.measures.reinit_curves import Reinit
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.places import ROOT
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.runner.batch import Summary, complete
from lazyrich_helpers.runner.progress import Lines
from lazyrich_helpers.runner.stopping import Stop
from lazyrich_helpers.training.loop import Run, Trained, new_network, train
from lazyrich_helpers.training.objectives import CrossEntropy
from lazyrich_helpers.training.optimizers import Adam
from lazyrich_helpers.training.run_config import RunConfig, Training

TINY = ("figure-2", "--budget", "smoke", "--widths", "4", "--num-epochs", "1")
"""Arguments of a command line that trains in a blink."""

NO_IMAGES = torch.empty(0)
"""For a start that does not depend on the data."""
MEASURES = (Accuracy, Movement, Reinit)

CONFIG = RunConfig(
    data=images("digits", train_size=200),
    model=ReluNet(width=12, depth=2),
    init=XavierNormal(),
    objective=CrossEntropy(),
    optimizer=Adam(lr=0.03),
    updates=Full(),
    training=Training(num_epochs=3, batch_size=32),
)


def config(**choices: Any) -> RunConfig:
    """Return the tiny config with other parts in some slots, or fields of training."""
    training = choices.pop("training", CONFIG.training)
    names = {field.name for field in dataclasses.fields(Training)} & choices.keys()
    fields = {name: choices.pop(name) for name in names}
    training = dataclasses.replace(training, **fields)
    return dataclasses.replace(CONFIG, training=training, **choices)


def cropped(part: Images, **fields: Any) -> CroppedImages:
    """Return the same images with augmentation."""
    return CroppedImages(**dataclasses.asdict(part) | fields)


def begun(config: RunConfig = CONFIG, data: Dataset | None = None) -> Run:
    """Return the run as its training begins."""
    data = data or config.data.load()
    network = new_network(config, data)
    return Run(config, data, network, flat_parameters(network))


def ended(run: Run) -> Trained:
    """Return the run, the parameters that its network has now being the final ones."""
    final = flat_parameters(run.network)
    return Trained(run.config, run.data, run.network, run.initial, final)


def trained(
    config: RunConfig = CONFIG, data: Dataset | None = None, **options: Any
) -> Trained:
    """Return the run after its training."""
    run = begun(config, data)
    for _ in train(run.network, run.data, config, **options):
        pass
    return ended(run)


def plain(config: RunConfig) -> nn.Sequential:
    """Train by hand: an optimizer per layer, made anew where it is to forget."""
    run, seed = begun(config), config.training.seed
    layers, examples = nn.Sequential(*run.network.layers), run.data.train
    is_half = config.training.precision == "bf16"
    made: list[Any] = [None] * len(layers)
    for epoch in range(config.training.num_epochs):
        order = torch.randperm(200, generator=generator("order", seed, epoch))
        for step, batch in enumerate(order.split(32)):
            plan = config.updates.plan(epoch, step, len(layers), seed)
            for layer in plan.forget:
                made[layer] = None
            layers.zero_grad()
            images, labels = examples.images[batch], examples.labels[batch]
            with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
                loss = config.objective.loss(layers, images, labels, run.initial)
            loss.backward()
            for layer in plan.layers:
                if made[layer] is None:
                    made[layer] = config.optimizer.build(layers[layer].parameters())
                rate = config.optimizer.lr_at(epoch, step) * plan.scales[layer]
                for group in made[layer].param_groups:
                    group["lr"] = rate
                made[layer].step()
    return layers


def recipe(*configs: RunConfig, measures: Any = MEASURES) -> Recipe:
    """Return a recipe of these runs, or of the tiny one."""
    return Recipe(
        name="tiny", budget="smoke", configs=configs or (CONFIG,), measures=measures
    )


def record(config: RunConfig, num_correct: int | None = None, **fields: Any) -> Record:
    """Return what a run leaves that has so many of 1,000 test images right."""
    curves = {"epoch": [1], "train_loss": [0.5], "num_correct": [num_correct]}
    measures = {"costs": run_costs(config)} | fields.pop("measures", {})
    known = {"status": "ok", "curves": curves, "origin": {"num_test": 1000}}
    return Record(config, measures=measures, **known | fields)


SEEDS = [config(seed=seed) for seed in (0, 1, 2)]
"""Three runs that are trained as one."""
APART = [config(num_epochs=num) for num in (1, 2, 3)]
"""Three runs that are not."""
WIDTHS = [
    dataclasses.replace(run, model=ReluNet(width=width, depth=2))
    for width in (6, 12)
    for run in SEEDS[:2]
]
"""Two widths, two seeds of each."""


def finish(
    store: Store,
    *configs: RunConfig,
    measures: Any = MEASURES,
    seconds: float = math.inf,
    **options: Any,
) -> Summary:
    """Complete these runs in `store`, and return the summary."""
    runs = recipe(*configs, measures=measures)
    options = {"stop": Stop(seconds), "progress": Lines()} | options
    return complete(runs, store, device="cpu", **options)


def results(store: Store, *configs: RunConfig, measures: Any = MEASURES) -> Results:
    """Complete these runs in `store`, and return what it then holds of them."""
    finish(store, *configs, measures=measures)
    return collect(recipe(*configs, measures=measures), store)


@dataclass(frozen=True, kw_only=True)
class Mask(Part, slot="updates", kind="test_mask"):
    """Updates layer i where character i is 1; a schedule none but the tests know."""

    mask: str
    per_step: ClassVar[bool] = False

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        return Plan(frozenset(i for i in range(num_layers) if self.mask[i] == "1"))


@dataclass(frozen=True, kw_only=True)
class Cuts(Part, slot="updates", kind="test_cuts"):
    """In each epoch, the layers from that epoch's cut up."""

    cuts: tuple[int, ...]
    per_step: ClassVar[bool] = False

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        return Plan(frozenset(range(self.cuts[epoch], num_layers)))


@dataclass(frozen=True, kw_only=True)
class Cyclic(Part, slot="updates", kind="test_cyclic"):
    """One layer a step, from the bottom upwards, then around again."""

    per_step: ClassVar[bool] = True

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        return Plan(frozenset({step % num_layers}))


def python(
    *words: str, folder: Path = ROOT, pipe: bool = False
) -> subprocess.Popen[str]:
    """Start `python *words` on one thread, in the checkout, its output piped."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def extension(name: str) -> Any:
    """Return a module of `book/extensions`, made anew."""
    path = ROOT / "book" / "extensions" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wait_for(holds: Callable[[], object], seconds: float = 300) -> None:
    """Wait until something holds; fail when it takes too long for a busy machine."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def grid(**axes: Iterable[Any]) -> pd.DataFrame:
    """Return a table of all combinations of values, those of the last axis fastest."""
    places = pd.MultiIndex.from_product(axes.values(), names=axes)
    return places.to_frame(index=False)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every record and weights file below `folder`, with its bytes."""
    found = sorted(p for p in folder.rglob("*") if p.suffix in (".json", ".npz", ".pt"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
