"""Runs that take as long as they are told to, wherever, and hardly any processor."""

import time
from typing import Any, ClassVar

from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.measures.measure import Accuracy, Measure
from lazyrich_helpers.training.loop import Epoch, Run, Trained
from lazyrich_helpers.training.optimizers import Adam
from lazyrich_helpers.training.run_config import RunConfig, Training
from tests import tiny


class Drowsy(Measure):
    """Sleeps for a second after each epoch."""

    name: ClassVar[str] = "drowsy"
    version: ClassVar[int] = 1
    watches: ClassVar[bool] = True

    def after_epoch(self, run: Run, epoch: Epoch) -> None:
        time.sleep(1)

    def result(self, trained: Trained) -> dict[str, Any]:
        return {"num_epochs": trained.config.training.num_epochs}


def slow(seconds: int, num: int) -> list[RunConfig]:
    """Return `num` runs that take `seconds` each and are not trained as one."""
    return [
        tiny.config(
            optimizer=Adam(lr=0.001 * (k + 1)),
            training=Training(num_epochs=seconds, batch_size=100, seed=k),
        )
        for k in range(num)
    ]


def recipe(*configs: RunConfig) -> Recipe:
    """Return a recipe of these runs that lets them take their time."""
    return tiny.recipe(*configs, measures=(Accuracy, Drowsy))


class Failing(Measure):
    """Fails, and by no fault of the user's."""

    name: ClassVar[str] = "failing"
    version: ClassVar[int] = 1

    def result(self, trained: Trained) -> dict[str, Any]:
        raise RuntimeError("it was to fail")
