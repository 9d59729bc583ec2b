"""Two processes share runs whose measures fail, which the first alone notices."""

import sys
from pathlib import Path
from typing import Any, ClassVar

from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.runner.sharded import complete_sharded
from tests import tiny


class Picky(Measure):
    """Refuses one of two networks."""

    name: ClassVar[str] = "picky"
    version: ClassVar[int] = 1

    def result(self, trained: Any) -> dict[str, Any]:
        if trained.config == tiny.SEEDS[0]:
            raise ValueError("no such layer")
        return {}


class Early(Picky):
    """Refuses a network amid its training, which cannot go on without it."""

    name: ClassVar[str] = "early"
    watches: ClassVar[bool] = True

    def after_epoch(self, run: Any, epoch: Any) -> None:
        raise ValueError("no such epoch")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    recipes = [
        tiny.recipe(*tiny.SEEDS[:2], measures=(Picky,)),
        tiny.recipe(tiny.SEEDS[2], measures=(Early,)),
    ]
    complete_sharded(recipes, Store(folder, folder / "weights"), "dp", "cpu")
