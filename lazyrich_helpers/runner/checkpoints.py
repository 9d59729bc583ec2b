"""Keeping a training that takes long, so that an interruption costs little of it."""

import hashlib
import json
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import NUMERICS, Store
from lazyrich_helpers.experiments.tensor_files import read_tensors, write_tensors
from lazyrich_helpers.training.run_config import RunConfig, label

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
        self._configs = configs
        self.path = store.checkpoints / f"{configs[0].run_id}-{digest}.pt"
        self._note = self.path.with_suffix(".json")
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to write one."""
        return time.monotonic() - self._last > EVERY

    def write(self, content: dict[str, Any], share: float) -> bool:
        """Keep `content`, tensors, numbers and text; warn if that cannot be done.

        Args:
            content: What `read` will return.
            share: Of the epochs, how many are done, 0 to 1.
        """
        self._last = time.monotonic()
        note = {"runs": [config.run_id for config in self._configs], "share": share}
        try:
            write_tensors(self.path, {"of": self._of, "content": content})
            self._note.write_text(json.dumps(note), encoding="utf-8")
        except OSError as error:  # it only spares time: the training goes on
            warnings.warn(
                f"{label(self._configs[0])} has no checkpoint ({error}); free some "
                f"space under {self.path.parent}.",
                stacklevel=2,
            )
            return False
        return True

    @property
    def share(self) -> float:
        """Of the epochs, how many are kept, 0 to 1."""
        return float(_read_note(self._note).get("share", 0.0))

    def read(self, device: str) -> dict[str, Any] | None:
        """Return what was kept of these runs; None where there is nothing of them.

        Raises:
            OSError, MemoryError, torch.OutOfMemoryError: As `read_tensors`.
        """
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
            f"{label(self._configs[0])} starts anew: its checkpoint {path} cannot be "
            f"used ({why}); it was removed.",
            stacklevel=2,
        )

    def remove(self) -> None:
        """Remove it, and what other code or other measures left of the same run."""
        for path in self.path.parent.glob(f"{self._configs[0].run_id}-*"):
            path.unlink(missing_ok=True)


def begun(
    configs: Sequence[RunConfig], recipe: Recipe, store: Store
) -> list[list[RunConfig]]:
    """Return the groups, of runs among `configs`, of which there is a checkpoint."""
    left = {config.run_id: config for config in configs}
    groups = []
    for path in sorted(store.checkpoints.glob("*.json")):
        run_ids = _read_note(path).get("runs", [])
        group = [left[run_id] for run_id in run_ids if run_id in left]
        if not group or len(group) < len(run_ids):
            continue
        if Checkpoint(group, recipe, store).path == path.with_suffix(".pt"):
            groups.append(group)
            left = {k: v for k, v in left.items() if k not in run_ids}
    return groups


def _read_note(path: Path) -> dict[str, Any]:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
