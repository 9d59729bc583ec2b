"""Keeping a training that takes long, so that an interruption costs little of it."""

import hashlib
import json
import time
import warnings
from collections.abc import Sequence
from typing import Any

from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.progress import label
from lazyrich_helpers.recipes import Recipe
from lazyrich_helpers.records import NUMERICS, Store
from lazyrich_helpers.tensor_files import read_tensors, write_tensors

EVERY = 120.0
"""Seconds between two checkpoints of a training."""


class Checkpoint:
    """The place of one training's checkpoint; of several runs', if trained as one.

    Runs, measures and numerics are in its name and in the file: another one's is never
    read.
    """

    def __init__(
        self, configs: Sequence[RunConfig], recipe: Recipe, store: Store
    ) -> None:
        self._of = json.dumps(
            {
                "numerics": NUMERICS,
                "runs": [config.to_dict() for config in configs],
                "eval_every": recipe.eval_every,
                "measures": {m.name: m.version for m in recipe.measures},
            },
            sort_keys=True,
        )
        digest = hashlib.sha256(self._of.encode()).hexdigest()[:12]
        self._first = configs[0]
        self.path = store.checkpoints / f"{self._first.run_id}-{digest}.pt"
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to write one."""
        return time.monotonic() - self._last > EVERY

    def write(self, content: dict[str, Any]) -> None:
        """Keep `content`, tensors, numbers and text; warn if that cannot be done."""
        self._last = time.monotonic()
        try:
            write_tensors(self.path, {"of": self._of, "content": content})
        except OSError as error:  # it only spares time: the training goes on
            warnings.warn(
                f"{label(self._first)} has no checkpoint ({error}); free some space "
                f"under {self.path.parent}.",
                stacklevel=2,
            )

    def read(self, device: str) -> dict[str, Any] | None:
        """Return what was kept of these runs; None where there is nothing of them."""
        try:
            kept = read_tensors(self.path, device)
        except FileNotFoundError:
            return None
        except ValueError as error:
            self.refuse(error)
            return None
        if kept.get("of") != self._of:
            self.refuse(ValueError("it is of other runs"))
            return None
        return kept.get("content")

    def refuse(self, error: Exception) -> None:
        """Remove a checkpoint that cannot be used, and say that it starts anew."""
        path = self.path
        path.unlink(missing_ok=True)
        why = " ".join(str(error).split())[:200] or type(error).__name__
        warnings.warn(
            f"{label(self._first)} starts anew: its checkpoint {path} cannot be used "
            f"({why}); it was removed.",
            stacklevel=2,
        )

    def remove(self) -> None:
        """Remove it, and what other code or other measures left of the same run."""
        for path in self.path.parent.glob(f"{self._first.run_id}-*.pt"):
            path.unlink(missing_ok=True)
