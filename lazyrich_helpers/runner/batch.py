"""A batch of runs: complete what is missing, keep each record as it ends."""

from collections.abc import Sequence

import torch

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store, computed_store, recorded_store
from lazyrich_helpers.runner.attempts import Attempts, Summary
from lazyrich_helpers.runner.backlog import missing, planned
from lazyrich_helpers.runner.checkpoints import begun
from lazyrich_helpers.runner.progress import Progress
from lazyrich_helpers.runner.stopping import Stop
from lazyrich_helpers.runner.workers import suitable_workers, work_together
from lazyrich_helpers.training.arithmetic import require_precision
from lazyrich_helpers.training.run_config import RunConfig


def complete(
    recipe: Recipe,
    store: Store,
    *,
    device: str,
    progress: Progress,
    stop: Stop | None = None,
    workers: int | None = 1,
) -> Summary:
    """Train and measure what `store` lacks of `recipe`; each run is kept as it ends.

    A run that fails is reported and the others go on. A run that is being trained by
    another process is left to it, and waited for in the end. When `stop` is due, no
    other run is begun or waited for; a run that is in training then is kept as it is
    after the epoch, and gone on with the next time.

    Args:
        recipe: What to complete.
        store: Where.
        device: As `pick_device` returns it; `cuda` is all GPUs, for several workers.
        progress: Told of every epoch.
        stop: Ends it early; None never does.
        workers: Processes to share the runs; None takes as many as serve best, which is
            one where a measure times them.

    Raises:
        ValueError: If there are to be several where a measure times the runs.
    """
    require(workers is None or workers >= 1, "workers", "at least 1", workers)
    if timed := [measure.name for measure in recipe.measures if measure.alone]:
        remedy = f"1 where {' and '.join(timed)} are measured, of each run by itself"
        require(workers in (None, 1), "workers", remedy, workers)
        workers = 1
    todo = missing(recipe, store)
    if todo:
        store.require_writable()
    require_precisions(todo, device)
    require_ready(todo, device if workers == 1 else "cpu")  # others have it in theirs
    if workers is None:
        workers = suitable_workers(todo, device)
    groups = planned(todo, recipe, store, device, workers=workers)
    attempts = Attempts(recipe, store, device, progress, stop or Stop())
    progress.begin(todo)
    try:
        if workers > 1 and len(groups) > 1:
            work_together(attempts, groups, workers)
        _work_alone(attempts, groups)
    finally:
        progress.end()
    summary = attempts.summary
    left = [config for config in missing(recipe, store) if config not in summary.ended]
    summary.postponed = left
    groups = begun(left, recipe, store)
    summary.num_begun = sum(config in group for group in groups for config in left)
    summary.num_there = len(recipe.configs) - len(summary.ended) - len(left)
    return summary


def _work_alone(attempts: Attempts, groups: Sequence[list[RunConfig]]) -> None:
    """Make every attempt; what others hold comes last, run by run, and is waited for.

    Their process may have died or been stopped.
    """
    held = [group for group in groups if not attempts.make(group)]
    alone = [[config] for group in held for config in group]
    for run in [run for run in alone if not attempts.make(run)]:
        attempts.make(run, wait=True)


def require_precisions(configs: Sequence[RunConfig], device: str) -> None:
    """Raise ValueError, before any work, where a device cannot multiply as asked."""
    for precision in {config.training.precision for config in configs}:
        require_precision(precision, torch.device(device))


def require_ready(configs: Sequence[RunConfig], device: str) -> None:
    """Raise ValueError, before any work, where data or weights are missing or wrong."""
    for config in configs:
        config.init.require_ready(config.blueprint())
    for part in {config.data for config in configs}:
        part.load(device)


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
