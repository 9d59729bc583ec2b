"""What must hold of every record in the book, whatever was found.

That its counts and lengths are possible, `bounds` makes sure as it is read.
"""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest

from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.records import Store, recorded_store
from lazyrich_helpers.measures.costs import run_costs
from lazyrich_helpers.places import ROOT
from lazyrich_helpers.reinit.reinitialization import num_active
from lazyrich_helpers.training.loop import epoch_plans

PATHS = sorted((ROOT / "book" / "records").glob("*.json"))
ARITHMETICS = {
    "highest": {"fp32"},
    "medium": {"fp32"},  # none of ours was trained where it was bf16 products
    "bf16": {"bf16 autocast"},
}


@pytest.fixture(scope="module")
def store() -> Store:
    return recorded_store()


def test_there_are_records():
    assert len(PATHS) >= 537


def test_ids_are_their_settings():
    for path in PATHS:
        text = json.dumps(json.loads(path.read_text())["config"], sort_keys=True)
        assert hashlib.sha256(text.encode()).hexdigest()[:12] == path.stem


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_identities(path: Path, store: Store):
    record = store.read(path.stem)
    assert record is not None and record.done and not record.stale
    written = json.loads(path.read_text())["measures"]["costs"]
    assert written == run_costs(record.config)
    for check in (curves, origin, accuracy, reinit, movement, activity, updates):
        check(record, store)


def measured(record: Record, name: str) -> list[dict]:
    return [record.measures[name]] if name in record.measures else []


def last_count(record: Record) -> int:
    """Return the test images that the trained network has right."""
    return record.curves["num_correct"][-1]


def curves(record: Record, store: Store) -> None:
    num_epochs = record.config.training.num_epochs
    assert record.curves["epoch"] == list(range(1, num_epochs + 1))
    losses = record.curves["train_loss"]
    assert all(math.isfinite(loss) and loss >= 0 for loss in losses)


def origin(record: Record, store: Store) -> None:
    told, training = record.origin, record.config.training
    assert told["arithmetic"] in ARITHMETICS[training.precision]
    assert told["instruction_set"] in {"AVX2", "AVX512", "not known"}
    assert training.seed in told.get("together", [training.seed])
    assert told["num_train"] == record.config.columns()["train_size"]
    assert 0 < record.times["train"] <= record.times["total"]


def accuracy(record: Record, store: Store) -> None:
    for found in measured(record, "accuracy"):
        # Seeds trained as one are evaluated as one: in bf16 sums in another order give
        # a few images another class.
        half = record.config.training.precision == "bf16"
        few = 5 if half and "together" in record.origin else 0
        assert abs(found["test"]["num_correct"] - last_count(record)) <= few
    for found in measured(record, "criticality"):
        assert found["unchanged"] == last_count(record)


def reinit(record: Record, store: Store) -> None:
    """γ = 0 and ε = 100 % are the trained network, γ = 100 % and ε = 0 the initial."""
    for name in ("reinit", "reinit_weights"):
        for found in measured(record, name):
            fractions, active, lazy = (
                found[key] for key in ("fractions", "active", "lazy")
            )
            assert fractions == sorted(fractions)
            assert (fractions[0], fractions[-1]) == (0, 1)
            assert active[0] == lazy[-1] == last_count(record)
            assert active[-1] == lazy[0]


def movement(record: Record, store: Store) -> None:
    for found in measured(record, "movement"):
        for layer in found["layers"]:
            num = sum(layer["histogram"]) + layer["num_unmoved"]
            assert num == layer["num_weights"]
            assert layer["quantiles"] == sorted(layer["quantiles"])


def activity(record: Record, store: Store) -> None:
    """As many are active as α says, but for gradients that are exactly zero."""
    for found in measured(record, "activity"):
        layers, size = found["layers"], found["num_parameters"]
        assert sum(own["num_weights"] + own["num_biases"] for own in layers) == size
        zeros = np.sum([own["num_zeros"] for own in layers], axis=0)
        assert len(zeros) == found["num_epochs"]
        for place, percent in enumerate(found["percents"]):
            num = num_active(percent / 100, size)
            moved, had = (
                sum(own[kind][place] + own[f"{kind}_biases"][place] for own in layers)
                for kind in ("movement", "gradient")
            )
            assert moved == num
            assert had == np.minimum(num, size - zeros).sum()
        maps = store.read_arrays(record.run_id)
        for name, pixels in maps.items():
            kind, alpha, layer = name.split("/")
            own = layers[int(layer.removeprefix("layer_"))]
            if kind == "activity" and pixels.size == own["num_weights"]:
                # A pixel is a weight's frequency, rounded to a 255th.
                place = found["percents"].index(int(alpha.removeprefix("alpha_")))
                summed = pixels.sum() / 255 * found["num_epochs"]
                bound = pixels.size * found["num_epochs"] / 510
                assert abs(summed - own["gradient"][place]) <= bound


def updates(record: Record, store: Store) -> None:
    """What was updated is what the schedule draws again."""
    for found in measured(record, "updates"):
        config = record.config
        num_layers = len(config.blueprint().layers)
        counts, lowest, num_full = np.zeros(num_layers, int), [], 0
        for epoch in range(config.training.num_epochs):
            num_train = record.origin["num_train"]
            plans = epoch_plans(config, epoch, num_train, num_layers)
            for plan in plans:
                counts[sorted(plan.layers)] += 1
            lowest.append(min(min(plan.layers) for plan in plans))
            num_full += all(len(plan.layers) == num_layers for plan in plans)
        assert counts.tolist() == found["layers"]
        assert (lowest, num_full) == (found["lowest"], found["num_full"])
