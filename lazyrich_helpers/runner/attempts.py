"""Completing runs in one process: nothing that is finished or begun is lost."""

import contextlib
import dataclasses
import errno
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Record, Store
from lazyrich_helpers.measures.costs import work
from lazyrich_helpers.runner.backlog import expected_seconds, is_there, planned
from lazyrich_helpers.runner.checkpoints import Checkpoint
from lazyrich_helpers.runner.execution import execute
from lazyrich_helpers.runner.kept import measured_again
from lazyrich_helpers.runner.memory import peak_bytes
from lazyrich_helpers.runner.progress import Progress
from lazyrich_helpers.runner.stopping import Either, Stop, Stopped
from lazyrich_helpers.runner.summary import Summary
from lazyrich_helpers.runner.trial import suitable_threads
from lazyrich_helpers.training.run_config import RunConfig, label, label_without_seed

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
"""Errors of a folder that is full, forbidden or broken."""


@dataclass(frozen=True)
class Attempts:
    """How the runs of a recipe are completed by one process, and how that went."""

    recipe: Recipe
    store: Store
    device: str
    progress: Progress
    stop: Stop
    summary: Summary = field(default_factory=Summary)

    def make(self, group: Sequence[RunConfig], *, wait: bool) -> list[RunConfig]:
        """Complete those of `group` that no other process has; return the others.

        With `wait`, they are waited for instead, until it is time to stop. Who waits
        must hold no lock, or it could be for ever: `group` is then a single run.
        """
        lost = Stop()
        try:
            return self._make(group, wait, lost)
        except OSError as error:  # of the claims: what they are for fails, no more
            for config in group:
                self.fail(config, error)
            return []

    def _make(
        self, group: Sequence[RunConfig], wait: bool, lost: Stop
    ) -> list[RunConfig]:
        own = dataclasses.replace(self, stop=Either(self.stop, lost))
        options: dict[str, Any] = {
            "seconds": self.stop.seconds_left if wait else 0.0,
            "give_up": lambda: self.stop.asked,
            "on_loss": lost.ask,
        }
        with contextlib.ExitStack() as locks:
            got, others = [], []
            for config in group:
                lock = self.store.lock(config.run_id, **options)
                (got if locks.enter_context(lock) else others).append(config)
            # Another process may have been faster, with all or a part of it.
            left = [c for c in got if not is_there(c, self.recipe, self.store)]
            self.summary.num_there += len(got) - len(left)
            for config in set(got) - set(left):
                self.progress.skip(config, work(config))
            for part in planned(left, self.recipe, self.store, self.device):
                own.complete(part)
        if wait:
            self.summary.postponed += others
            return []
        return others

    def complete(self, group: list[RunConfig]) -> None:
        """Complete these runs, together if they are several and it can be done."""
        if self.stop.asked:
            self.summary.postponed += group
            return
        left, safe = list(group), True
        try:
            if len(group) > 1 and self._fits(group):
                with suitable_threads(group[0], self.device, len(group)):
                    for record in self._execute(group):
                        left.remove(record.config)
                        safe = self._keep(record) and safe
                if safe:
                    Checkpoint(group, self.recipe, self.store).remove()
        except Stopped as stopped:
            self._leave(left, stopped.is_kept)
            return
        except Exception as error:  # alone, a bad run fails alone, and says why
            warnings.warn(
                f"{len(group)} seeds of {label_without_seed(group[0])} failed together "
                f"({reason(error)}); the {len(left)} left are tried one by one.",
                stacklevel=2,
            )
        for config in left:
            self._complete_one(config)

    def _complete_one(self, config: RunConfig) -> None:
        try:
            before = self.store.read(config.run_id)
            if not self._fits([config]):
                self.summary.postponed.append(config)
                return
            with suitable_threads(config, self.device):
                record = measured_again(before, self.recipe, self.store, self.device)
                if record is None:
                    (record,) = self._execute([config])
            if self._keep(record):
                Checkpoint([config], self.recipe, self.store).remove()
        except Stopped as stopped:
            self._leave([config], stopped.is_kept)
        except Exception as error:  # one run's failure must not end the batch
            self.fail(config, error)

    def _leave(self, begun: Sequence[RunConfig], is_kept: bool) -> None:
        self.summary.postponed += begun
        self.summary.num_begun += len(begun) * is_kept

    def _fits(self, group: Sequence[RunConfig]) -> bool:
        if math.isinf(self.stop.deadline):  # then the trial would be a waste
            return True
        if self.stop.due:
            return False
        expected = expected_seconds(group, self.recipe, self.device)
        done = Checkpoint(group, self.recipe, self.store).share
        return (1 - done) * expected <= self.stop.seconds_left

    def _execute(self, group: Sequence[RunConfig]) -> Iterator[Record]:
        return execute(
            group,
            self.recipe,
            self.store,
            self.device,
            self.progress,
            stop=self.stop,
        )

    def _keep(self, record: Record) -> bool:
        """Put a record in safety; return whether that could be done."""
        try:
            self.store.write(record)
        except Exception as error:
            self.fail(record.config, error)
            return False
        self.summary.num_trained += 1
        self.summary.num_diverged += record.status == "diverged"
        self.progress.finish(record)
        return True

    def fail(self, config: RunConfig, error: Exception) -> None:
        """Say that a run failed; there is a record of it where the run was at fault.

        No record of a result is replaced by one of a failure.
        """
        why = reason(error)
        if _is_lack_of_memory(error):
            need = peak_bytes(config, self.recipe.measures, num=1)
            why += f" (by estimate it takes {need / 1e9:.2g} GB)"
        if isinstance(error, OSError) and error.errno in DISK:
            why += " (see that there is room and may be written, then run again)"
        self.summary.failed[label(config)] = why
        record = Record(config, status=f"failed: {why}")
        with contextlib.suppress(OSError, ValueError):  # a full disk, an unreadable one
            before = self.store.read(config.run_id)
            replaces = before is None or not before.done
            if replaces and not isinstance(error, OSError | ValueError):
                self.store.write(record)
        self.progress.finish(record)


def reason(error: Exception) -> str:
    """Return an error as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _is_lack_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # As torch says it on a CPU, and as the system does.
    return "allocate" in str(error) or "SIGKILL" in str(error)


class ProcessDied(RuntimeError):
    """A process ended in the midst of a run, without a word."""
