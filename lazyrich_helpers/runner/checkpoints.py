"""Keeping a training that takes long, so that an interruption costs little of it."""

import hashlib
import json
import shutil
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lazyrich_helpers.experiments.files import read_tensors, write_tensors
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.record import NUMERICS
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.training.run_config import RunConfig, label

EVERY = 120.0
"""Seconds between two checkpoints of a training."""


def identity(configs: Sequence[RunConfig], recipe: Recipe) -> tuple[str, str]:
    """Return what a checkpoint is of (runs, measures, numerics), and its
    name, without an ending.
    """
    of = json.dumps(
        {
            "numerics": NUMERICS,
            "runs": [config.to_dict() for config in configs],
            "eval_every": recipe.eval_every,
            "measures": {m.name: m.version for m in recipe.measures},
        },
        sort_keys=True,
    )
    digest = hashlib.sha256(of.encode()).hexdigest()[:12]
    return of, f"{configs[0].run_id}-{digest}"


def remove_all(run_id: str, store: Store) -> None:
    """Remove a run's checkpoints, and what other code or other measures left of it."""
    for path in store.checkpoints.glob(f"*{run_id}-*"):
        if path.is_dir():  # of a training that processes shared
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


class Checkpoint:
    """The place of one training's checkpoint; of several runs', if trained as one.

    Runs, measures and numerics are in its name and in the file: another one's is never
    read.
    """

    def __init__(
        self, configs: Sequence[RunConfig], recipe: Recipe, store: Store
    ) -> None:
        self._of, name = identity(configs, recipe)
        self._configs = configs
        self.path = store.checkpoints / f"{name}.pt"
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to write one."""
        return time.monotonic() - self._last > EVERY

    def write(self, content: dict[str, Any]) -> None:
        """Keep `content`, tensors, numbers and text; warn if that cannot be done."""
        self._last = time.monotonic()
        run_ids = [config.run_id for config in self._configs]
        try:
            write_tensors(self.path, {"of": self._of, "content": content})
            note = self.path.with_suffix(".json")
            note.write_text(json.dumps(run_ids), encoding="utf-8")
        except OSError as error:  # it only spares time: the training goes on
            warnings.warn(
                f"{label(self._configs[0])} has no checkpoint ({error}); free some "
                f"space under {self.path.parent}.",
                stacklevel=2,
            )

    def read(self, device: str) -> dict[str, Any] | None:
        """Return what was kept of these runs; None where there is nothing of them.

        Raises:
            OSError, MemoryError, torch.OutOfMemoryError: As `read_tensors`.
        """
        try:
            kept = read_tensors(self.path, device)
            if kept.get("of") != self._of:
                raise ValueError("it is of other runs")
            return kept.get("content")
        except FileNotFoundError:
            return None
        except ValueError as error:
            self.refuse(error)
            return None

    def refuse(self, error: Exception) -> None:
        """Remove a checkpoint that cannot be used, and say that it starts anew."""
        self.path.unlink(missing_ok=True)
        say_removed(self._configs[0], self.path, error)


def say_removed(config: RunConfig, path: Path, error: BaseException) -> None:
    """Warn that a run starts anew, as its checkpoint could not be used."""
    why = " ".join(str(error).split())[:200] or type(error).__name__
    warnings.warn(
        f"{label(config)} starts anew: its checkpoint {path} cannot be used ({why}); "
        "it was removed.",
        stacklevel=3,
    )


def begun(
    configs: Sequence[RunConfig], recipe: Recipe, store: Store
) -> list[list[RunConfig]]:
    """Return the groups of which there is a checkpoint, whole.

    Of their runs, one at least is among `configs`, and all others are recorded by now.
    """
    left = {config.run_id: config for config in configs}
    groups = []
    for path in sorted(store.checkpoints.glob("*.json")):
        try:
            run_ids = json.loads(path.read_text(encoding="utf-8"))
            group = [left.get(run_id) or _recorded(run_id, store) for run_id in run_ids]
        except (OSError, ValueError, TypeError, KeyError):  # cut short, or of others
            continue
        if not left.keys() & {config.run_id for config in group}:
            continue
        if Checkpoint(group, recipe, store).path.with_suffix(".json") == path:
            groups.append(group)
            left = {k: v for k, v in left.items() if k not in run_ids}
    return groups


def _recorded(run_id: str, store: Store) -> RunConfig:
    """Return a recorded run; KeyError if there is none."""
    record = store.read(run_id)
    if record is None or record.stale:
        raise KeyError(run_id)
    return record.config
