"""Peak memory of a very wide network's run, in a process of its own."""

import dataclasses
import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lazyrich_helpers.config import Part
from lazyrich_helpers.data.datasets import Dataset, Split, images
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.measures.reinit_curves import Reinit
from lazyrich_helpers.runner.execution import execute
from lazyrich_helpers.runner.progress import Lines
from lazyrich_helpers.runner.stopping import Stop
from tests.bench.setting import Options, recipe

TITLE = "memory: peak of one run, d = 1, Movement and Reinit at a few fractions"
NUM_STEPS = 7
NUM_TEST = 1000
"""Test images: one batch of them; more take longer and no more memory."""
FEW = (0.0, 1e-4, 0.01, 0.5, 1.0)
"""Fractions; more take longer and no more memory."""


@dataclass(frozen=True, kw_only=True)
class Few(Part, slot="data", kind="bench_few"):
    """The first images of each split."""

    dataset: str
    train_size: int

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return images(self.dataset, train_size=1000).image_shape

    @property
    def num_classes(self) -> int:
        return images(self.dataset, train_size=1000).num_classes

    def load(self, device: str = "cpu") -> Dataset:
        whole = images(self.dataset, train_size=1000).load(device)
        train, test = (
            Split(split.images[:num], split.labels[:num])
            for split, num in ((whole.train, self.train_size), (whole.test, NUM_TEST))
        )
        return dataclasses.replace(whole, train=train, test=test)


def rows(options: Options) -> list[dict[str, object]]:
    """Run in a fresh process; target: below 6 GB at w = 100,000."""
    words = [sys.executable, "-m", "tests.bench.memory", *["--quick"] * options.quick]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(done.stdout.splitlines()[-1])]


def main(options: Options) -> None:
    """Execute the run; print its row."""
    width = 100_000 if not options.quick else 16
    runs = recipe(options, width=width, depth=1, num_epochs=1)
    (config,) = runs.configs
    dataset = "mnist" if not options.quick else "digits"
    few = Few(dataset=dataset, train_size=NUM_STEPS * config.training.batch_size)
    config = dataclasses.replace(config, data=few)
    measures: tuple[type[Measure], ...] = (Movement, Reinit)
    runs = dataclasses.replace(runs, configs=(config,), measures=measures)
    progress = Lines()
    progress.begin([])
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "records", Path(folder) / "weights")
        (record,) = execute([config], runs, store, "cpu", progress, Stop())
    assert record.status == "ok"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    row = {
        "width": width,
        "steps": len(config.data.load().train) // config.training.batch_size,
        "peak, GB": round(peak / 1e9, 2),
        "train, s": record.times["train"],
        "total, s": record.times["total"],
    }
    print(json.dumps(row))


if __name__ == "__main__":
    from lazyrich_helpers.reinit import reinitialization

    reinitialization.FRACTIONS = FEW
    main(Options(quick="--quick" in sys.argv))
