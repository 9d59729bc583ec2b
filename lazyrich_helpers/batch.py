"""A batch of runs: complete what is missing, keep each record as it ends."""

import contextlib
import math
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.execution import execute
from lazyrich_helpers.kept import kept_weights, measured_again
from lazyrich_helpers.measures import Accuracy
from lazyrich_helpers.planning import (
    blueprint,
    estimate_seconds,
    grouped,
    suitable_threads,
    work,
)
from lazyrich_helpers.progress import Progress, label, label_without_seed
from lazyrich_helpers.proxy import source_of
from lazyrich_helpers.recipes import Recipe, is_complete
from lazyrich_helpers.records import Record, Store, computed_store, recorded_store
from lazyrich_helpers.stopping import Stop, Stopped


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

    def add(self, first: "Summary") -> None:
        """Count what was done for these runs before they could start."""
        self.num_trained += first.num_trained
        self.num_diverged += first.num_diverged
        self.postponed += first.postponed
        self.num_begun += first.num_begun
        self.failed |= first.failed

    def __str__(self) -> str:
        parts = [f"{self.num_trained} done now", f"{self.num_there} done before"]
        if self.num_diverged:
            parts.append(f"{self.num_diverged} diverged")
        if self.postponed:
            begun = f", {self.num_begun} of them begun" if self.num_begun else ""
            parts.append(f"{len(self.postponed)} left for later{begun}")
        if self.failed:
            parts.append(f"{len(self.failed)} FAILED")
        lines = [", ".join(parts) + "."]
        return "\n  ".join(
            lines + [f"{run}: {why}" for run, why in self.failed.items()]
        )


def complete(
    recipe: Recipe,
    store: Store,
    *,
    device: str,
    progress: Progress,
    stop: Stop | None = None,
    compiled: bool = False,
) -> Summary:
    """Train and measure what `store` lacks of `recipe`; each run is kept as it ends.

    A run that fails is reported and the others go on. A run that is being trained by
    another process is left to it. No run is started that is not expected to end before
    `stop` is due, nor is another process waited for any longer; a run that is in
    training then is kept as it is after the epoch, and gone on with the next time. Runs
    that others start from are completed before those.

    With `compiled`, the steps of runs that are trained alone are compiled.
    """
    stop = stop or Stop()
    todo = missing(recipe, store)
    summary = Summary(num_there=len(recipe.configs) - len(todo))
    require_ready(todo, device)
    first = pre_training(recipe, todo)
    if first is not None:
        summary.add(
            complete(
                first,
                store,
                device=device,
                progress=progress,
                stop=stop,
                compiled=compiled,
            )
        )
        todo = _startable(todo, first, store, summary)
    progress.begin(len(todo), sum(work(config) for config in todo))
    batch = _Batch(recipe, store, device, progress, summary, stop, compiled)
    try:
        for group in batch.locked(planned(todo, store, device)):
            # Another process may have been faster, with all or a part of it.
            left = [c for c in group if not _is_there(c, recipe, store)]
            summary.num_there += len(group) - len(left)
            for part in planned(left, store, device):
                batch.complete(part)
    finally:
        progress.end()
    return summary


def require_ready(configs: Sequence[RunConfig], device: str) -> None:
    """Stop the batch before any work, where data or weights are missing.

    Raises:
        ValueError: If data or weights are missing, or do not fit the network.
    """
    for config in configs:
        config.init.require_ready(blueprint(config))
    for part in {config.data for config in configs}:
        part.load(device)


def pre_training(recipe: Recipe, configs: Sequence[RunConfig]) -> Recipe | None:
    """Return the runs of which `configs`, of `recipe`, need the weights; or None."""
    sources = dict.fromkeys(map(source_of, configs))
    needed = tuple(source for source in sources if source is not None)
    if not needed:
        return None
    return Recipe(
        name=f"{recipe.name}, pre-training",
        budget=recipe.budget,
        configs=needed,
        measures=(Accuracy,),
        for_weights=True,
    )


def _startable(
    configs: Sequence[RunConfig], first: Recipe, store: Store, summary: Summary
) -> list[RunConfig]:
    """Return the runs whose pre-training is there; tell `summary` of the others."""
    absent = [source for source in first.configs if not _has_weights(source, store)]
    for source in absent:
        waiting = [config for config in configs if source_of(config) == source]
        if source in summary.postponed:
            summary.postponed += waiting
        else:
            runs = f"{len(waiting)} runs that start from {label(source)}"
            summary.failed[runs] = _why_absent(source, store)
    return [config for config in configs if source_of(config) not in absent]


def _why_absent(source: RunConfig, store: Store) -> str:
    try:
        record = store.read(source.run_id)
    except ValueError as error:
        return _reason(error)
    if record is not None and record.status == "diverged":
        return "their pre-training diverged; choose a smaller learning rate."
    return f"run {source.run_id} left no weights of its own under {store.weights}."


def planned(
    configs: Sequence[RunConfig], store: Store, device: str
) -> list[list[RunConfig]]:
    """Return groups of runs to train as one; what was begun before is alone."""
    fresh = {config for config in configs if _is_fresh(config, store)}
    groups = []
    for group in grouped(configs, device):
        together = [config for config in group if config in fresh]
        groups += [together] if together else []
        groups += [[config] for config in group if config not in fresh]
    return groups


def _is_fresh(config: RunConfig, store: Store) -> bool:
    try:
        record = store.read(config.run_id)
    except ValueError:  # unreadable: reported when it is its turn
        return False
    return record is None or record.stale


def expected_seconds(
    group: Sequence[RunConfig], recipe: Recipe, device: str, *, compiled: bool = False
) -> float:
    """Return how long runs trained as one take on `device`, from a short trial."""
    share = estimate_seconds(
        group[0],
        recipe.measures,
        device,
        eval_every=recipe.eval_every,
        num=len(group),
        compiled=compiled,
    )
    return share * len(group)


def missing(recipe: Recipe, store: Store) -> list[RunConfig]:
    """Return the runs of `recipe` that `store` lacks, or holds only in part."""
    return [c for c in recipe.configs if not _is_there(c, recipe, store)]


def _is_there(config: RunConfig, recipe: Recipe, store: Store) -> bool:
    try:
        record = store.read(config.run_id)
        done = is_complete(record, recipe.measures, store)
    except ValueError:  # unreadable: reported when it is its turn
        return False
    if record is None or record.status != "ok" or not recipe.for_weights:
        return done
    return done and _has_weights(config, store)


def _has_weights(config: RunConfig, store: Store) -> bool:
    try:
        record = store.read(config.run_id)
        kept = kept_weights(record, store)
    except ValueError:
        return False
    return record is not None and not record.stale and kept is not None


@dataclass(frozen=True)
class _Batch:
    """How the runs of a batch are completed, and how that went."""

    recipe: Recipe
    store: Store
    device: str
    progress: Progress
    summary: Summary
    stop: Stop
    compiled: bool
    """Whether the steps of runs trained alone are."""

    def locked(self, groups: Sequence[list[RunConfig]]) -> Iterator[list[RunConfig]]:
        """Yield groups while holding their locks; runs held elsewhere come last, alone.

        What is left when it is time to stop is postponed.
        """
        queue, lock = deque(groups), self.store.lock
        busy = 0
        while queue:
            if self.stop.asked:
                break
            group = queue.popleft()
            # Waiting with a lock in hand could be for ever: who waits holds none.
            wait = len(group) == 1 and busy > len(queue)
            seconds = self.stop.seconds_left if wait else 0.0
            with contextlib.ExitStack() as locks:
                is_ours = {
                    config: locks.enter_context(
                        lock(
                            config.run_id,
                            seconds=seconds,
                            give_up=lambda: self.stop.asked,
                        )
                    )
                    for config in group
                }
                got = [config for config in group if is_ours[config]]
                others = [config for config in group if not is_ours[config]]
                if wait:
                    self.summary.postponed += others
                else:
                    queue += [[config] for config in others]
                busy = 0 if got else busy + 1
                if got:
                    yield got
        self.summary.postponed += [config for group in queue for config in group]

    def complete(self, group: list[RunConfig]) -> None:
        """Complete these runs, together if they are several and it can be done."""
        if self.stop.asked:
            self.summary.postponed += group
            return
        left = list(group)
        try:
            if len(group) > 1 and self._fits(group):
                with suitable_threads(group[0], self.device, len(group)):
                    for record in self._execute(group):
                        left.remove(record.config)
                        self._keep(record)
        except Stopped:
            self._leave(left)
            return
        except Exception as error:  # alone, a bad run fails alone, and says why
            warnings.warn(
                f"{len(group)} seeds of {label_without_seed(group[0])} failed together "
                f"({_reason(error)}); the {len(left)} left are tried one by one.",
                stacklevel=2,
            )
        for config in left:
            self._complete_one(config)

    def _complete_one(self, config: RunConfig) -> None:
        before = None
        try:
            before = self.store.read(config.run_id)
            if not self._fits([config]):
                self.summary.postponed.append(config)
                return
            with suitable_threads(config, self.device):
                record = measured_again(before, self.recipe, self.store, self.device)
                if record is None:
                    (record,) = self._execute([config])
        except Stopped:
            self._leave([config])
        except Exception as error:  # one run's failure must not end the batch
            self._fail(config, error, replace=before is None)
        else:
            self._keep(record)

    def _leave(self, begun: Sequence[RunConfig]) -> None:
        self.summary.postponed += begun
        self.summary.num_begun += len(begun)

    def _fits(self, group: Sequence[RunConfig]) -> bool:
        if math.isinf(self.stop.deadline):  # then the trial would be a waste
            return True
        expected = expected_seconds(
            group, self.recipe, self.device, compiled=self.compiled
        )
        return expected <= self.stop.seconds_left

    def _execute(self, group: Sequence[RunConfig]) -> Iterator[Record]:
        return execute(
            group,
            self.recipe,
            self.store,
            self.device,
            self.progress,
            compiled=self.compiled,
            stop=self.stop,
        )

    def _keep(self, record: Record) -> None:
        try:
            self.store.write(record)
        except Exception as error:
            self._fail(record.config, error, replace=False)
            return
        self.summary.num_trained += 1
        self.summary.num_diverged += record.status == "diverged"
        self.progress.finish(record)

    def _fail(self, config: RunConfig, error: Exception, *, replace: bool) -> None:
        """Say that a run failed; `replace` keeps a record of it where it was wrong."""
        why = _reason(error)
        self.summary.failed[label(config)] = why
        record = Record(config, status=f"failed: {why}")
        if replace and not isinstance(error, OSError | ValueError):
            self.store.write(record)
        self.progress.finish(record)


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def store_for(budget: str) -> Store:
    """Return where runs of `budget` are kept: `paper` in the book, others aside."""
    return recorded_store() if budget == "paper" else computed_store()


def pick_device(name: str) -> str:
    """Return the device `name` stands for; `auto` is the GPU where there is one.

    Raises:
        ValueError: If there is no such device here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device must be auto, cpu, or a GPU that is here, such as cuda; got "
            f"{name!r}."
        ) from error
    return str(device)
