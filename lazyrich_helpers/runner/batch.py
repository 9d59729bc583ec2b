"""A batch of runs: complete what is missing, keep each record as it ends."""

from collections import deque
from collections.abc import Sequence

import torch

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store, computed_store, recorded_store
from lazyrich_helpers.measures.costs import work
from lazyrich_helpers.runner.attempts import Attempts
from lazyrich_helpers.runner.backlog import missing, planned
from lazyrich_helpers.runner.grouping import grouped
from lazyrich_helpers.runner.progress import Progress
from lazyrich_helpers.runner.stopping import Stop
from lazyrich_helpers.runner.summary import Summary
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
    another process is left to it. No run is started that is not expected to end before
    `stop` is due, nor is another process waited for any longer; a run that is in
    training then is kept as it is after the epoch, and gone on with the next time.

    Args:
        recipe: What to complete.
        store: Where.
        device: As `pick_device` returns it.
        progress: Told of every epoch.
        stop: Ends it early; None never does.
        workers: Processes to share the runs. Several share the CPU's threads, or all
            GPUs where `device` is `cuda`. None takes as many as serve best.
    """
    require(workers is None or workers >= 1, "workers", "at least 1", workers)
    stop = stop or Stop()
    todo = missing(recipe, store)
    there = len(recipe.configs) - len(todo)
    if todo:
        store.require_writable()
    require_precisions(todo, device)
    require_ready(todo, device if workers == 1 else "cpu")  # others have it in theirs
    if workers is None:
        workers = suitable_workers(recipe, grouped(todo, device), device)
    groups = planned(todo, recipe, store, device, workers=workers)
    attempts = Attempts(recipe, store, device, progress, stop)
    progress.begin(len(todo), sum(work(config) for config in todo))
    try:
        if workers > 1 and len(groups) > 1:
            work_together(attempts, groups, workers)
        else:
            _work_alone(attempts, groups)
    finally:
        progress.end()
    summary = attempts.summary
    summary.num_there += there
    return summary


def _work_alone(attempts: Attempts, groups: Sequence[list[RunConfig]]) -> None:
    """Make every attempt; runs that others hold come last, one by one."""
    queue, busy = deque(groups), 0
    while queue and not attempts.stop.asked:
        group = queue.popleft()
        wait = len(group) == 1 and busy > len(queue)
        others = attempts.make(group, wait=wait)
        queue += [[config] for config in others]
        busy = busy + 1 if len(others) == len(group) else 0
    attempts.summary.postponed += [config for group in queue for config in group]


def require_precisions(configs: Sequence[RunConfig], device: str) -> None:
    """Stop the batch before any work, where the device cannot multiply as asked.

    Raises:
        ValueError: If a run asks for a precision that it lacks.
    """
    for precision in {config.training.precision for config in configs}:
        require_precision(precision, torch.device(device))


def require_ready(configs: Sequence[RunConfig], device: str) -> None:
    """Stop the batch before any work, where data or weights are missing.

    Raises:
        ValueError: If data or weights are missing, or do not fit the network.
    """
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
