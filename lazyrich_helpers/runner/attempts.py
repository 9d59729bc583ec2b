"""Completing runs in one process: nothing that is finished or begun is lost."""

import contextlib
import errno
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from lazyrich_helpers.config import reason
from lazyrich_helpers.experiments.locks import Held
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.runner.backlog import is_there, suits_one_thread
from lazyrich_helpers.runner.checkpoints import begun, remove_all
from lazyrich_helpers.runner.execution import execute
from lazyrich_helpers.runner.kept import measured_again
from lazyrich_helpers.runner.memory import peak_bytes
from lazyrich_helpers.runner.progress import Progress
from lazyrich_helpers.runner.stopping import Stop, Stopped
from lazyrich_helpers.training.arithmetic import one_thread
from lazyrich_helpers.training.run_config import RunConfig, label, label_without_seed

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
"""Errors of a folder that is full, forbidden or broken."""


@dataclass
class Summary:
    """How a batch ended. Counts of runs, and what went wrong."""

    num_trained: int = 0
    num_there: int = 0
    """Complete before it was their turn."""
    num_diverged: int = 0
    postponed: list[RunConfig] = field(default_factory=list)
    """Not ended: for lack of time, because others had them, or on request."""
    num_begun: int = 0
    """Of those, how many were begun and can be gone on with."""
    failed: dict[str, str] = field(default_factory=dict)
    """Run → why."""
    ended: set[RunConfig] = field(default_factory=set)
    """Runs that came to an end now, failures among them."""

    def count(self, record: Record) -> None:
        """Count a run that ended now."""
        self.ended.add(record.config)
        if record.done:
            self.num_trained += 1
            self.num_diverged += record.status == "diverged"
        else:
            self.failed[label(record.config)] = record.status.removeprefix("failed: ")

    def __str__(self) -> str:
        parts = [f"{self.num_trained} done now", f"{self.num_there} done before"]
        if self.num_diverged:
            parts.append(f"{self.num_diverged} diverged")
        if self.postponed:
            begun = f", {self.num_begun} of them begun" if self.num_begun else ""
            parts.append(f"{len(self.postponed)} left for later{begun}")
        if self.failed:
            parts.append(f"{len(self.failed)} FAILED")
        runs = [f"\n  {run}: {why}" for run, why in self.failed.items()]
        return ", ".join(parts) + "." + "".join(runs)


@dataclass(frozen=True)
class Attempts:
    """How the runs of a recipe are completed by one process, and how that went."""

    recipe: Recipe
    store: Store
    device: str
    progress: Progress
    stop: Stop
    summary: Summary = field(default_factory=Summary)

    def make(self, group: Sequence[RunConfig], *, wait: bool = False) -> bool:
        """Complete those of `group` that no other process has; return if that is all.

        Args:
            group: Runs that are trained as one, if they are several.
            wait: Whether to wait for what others have. Who waits must hold no claim, or
                it could be for ever: `group` is then a single run.
        """
        if self.stop.due:
            return False
        try:
            with contextlib.ExitStack() as locks:
                claims = self._claimed(group, wait, locks)
                self._complete(claims)
                return len(claims) == len(group)
        except OSError as error:  # of the claims: what they are for fails, no more
            for config in group:
                if config not in self.summary.ended:
                    self.fail(config, error)
            return True

    def _claimed(
        self, group: Sequence[RunConfig], wait: bool, locks: contextlib.ExitStack
    ) -> dict[RunConfig, Held]:
        """Claim these runs; none where the first is another's, which has the others."""
        seconds = self.stop.seconds_left if wait else 0.0
        claims: dict[RunConfig, Held] = {}
        for config in group:
            lock = self.store.lock(
                config.run_id, seconds=seconds, give_up=lambda: self.stop.asked
            )
            claim = locks.enter_context(lock)
            if claim is not None:
                claims[config] = claim
            elif not claims:
                break
        return claims

    def _complete(self, claims: dict[RunConfig, Held]) -> None:
        """Complete what of these runs has not ended, here or in another process."""
        open_ones = [config for config in claims if config not in self.summary.ended]
        left = [c for c in open_ones if not is_there(c, self.recipe, self.store)]
        for config in set(open_ones) - set(left):
            self.progress.skip(config)
        if left:
            whole = left
            for group in begun(left, self.recipe, self.store):
                whole = group if set(left) <= set(group) else whole
            with contextlib.suppress(Stopped), suitable_threads(left[0]):
                self._train(left, whole, claims)

    def _train(
        self,
        group: Sequence[RunConfig],
        whole: Sequence[RunConfig],
        claims: dict[RunConfig, Held],
    ) -> None:
        """Train these runs, as one if they are several and that succeeds.

        They were begun as part of `whole`, of which the others have their records.
        """
        if self.stop.due:
            raise Stopped
        left, safe = list(group), True
        try:
            for record in self._records(group, whole, claims):
                left.remove(record.config)
                safe = self._keep(record, claims) and safe
            if safe:
                self.tidy(whole[0])
        except Exception as error:
            if len(group) == 1:  # one run's failure must not end the batch
                self.fail(group[0], error)
                return
            warnings.warn(
                f"{len(group)} seeds of {label_without_seed(group[0])} failed together "
                f"({reason(error)}); the {len(left)} left are tried one by one.",
                stacklevel=2,
            )
        for config in left:  # alone, a bad run fails alone, and says why
            self._train([config], [config], claims)

    def tidy(self, config: RunConfig) -> None:
        """Remove the checkpoints that bear a run's name; its record is safe."""
        try:
            remove_all(config.run_id, self.store)
        except OSError as error:
            warnings.warn(
                f"{label(config)} has a checkpoint that is of no use any more, and "
                f"could not be removed ({error}): remove it.",
                stacklevel=2,
            )

    def _records(
        self,
        group: Sequence[RunConfig],
        whole: Sequence[RunConfig],
        claims: dict[RunConfig, Held],
    ) -> Iterator[Record]:
        """Yield the runs' records; one that only lacks measures is not trained."""
        if len(group) == 1:
            before = self.store.read(group[0].run_id)
            again = measured_again(before, self.recipe, self.store, self.device)
            if again is not None:
                yield again
                return
        stop = Stop(
            self.stop.seconds_left,
            also=lambda: self.stop.asked or any(claims[c].lost for c in group),
        )
        means = (self.recipe, self.store, self.device, self.progress, stop)
        yield from execute(whole, *means, lacking=group)

    def _keep(self, record: Record, claims: dict[RunConfig, Held]) -> bool:
        """Put a record in safety; return whether that could be done.

        Raises:
            Stopped: If another process has taken the run over, and so its record.
        """
        if not claims[record.config].holds():
            raise Stopped
        try:
            self.store.write(record)
        except Exception as error:
            self.fail(record.config, error)
            return False
        self.ended(record)
        return True

    def ended(self, record: Record) -> None:
        """Count a run that ended, and say so."""
        self.summary.count(record)
        self.progress.finish(record)

    def fail(self, config: RunConfig, error: Exception) -> None:
        """Say that a run failed; there is a record of it where the run was at fault.

        No record of a result is replaced by one of a failure.
        """
        why = reason(error)
        if _is_lack_of_memory(error):
            why += f" (by estimate it takes {peak_bytes(config) / 1e9:.2g} GB)"
        if isinstance(error, OSError) and error.errno in DISK:
            why += " (see that there is room and may be written, then run again)"
        record = Record(config, status=f"failed: {why}")
        with contextlib.suppress(OSError, ValueError):  # a full disk, an unreadable one
            before = self.store.read(config.run_id)
            replaces = before is None or not before.done
            if replaces and not isinstance(error, OSError | ValueError):
                self.store.write(record)
        self.ended(record)


def suitable_threads(config: RunConfig) -> contextlib.AbstractContextManager[None]:
    """Inside, use a single CPU thread for a small network.

    On two busy cores, nine networks of at most 75,000 parameters took 4.5 s with one
    thread and 11 to 17 s with two.
    """
    return one_thread() if suits_one_thread(config) else contextlib.nullcontext()


def _is_lack_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # As torch says it on a CPU, and as the system does.
    return "allocate" in str(error) or "SIGKILL" in str(error)
