"""Jobs for Slurm: what one of them does, and how runs are dealt out to them."""

import dataclasses
import json
import math
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import torch

from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.costs import work
from lazyrich_helpers.runner.batch import complete, pick_device
from lazyrich_helpers.runner.grouping import grouped
from lazyrich_helpers.runner.progress import Lines
from lazyrich_helpers.runner.stopping import Stop
from lazyrich_helpers.training.run_config import RunConfig, label

WORK_PER_SECOND = 1e10
"""Units of `costs.work` that a CPU does in a second: of the recorded runs that train
all layers, 1.6e9 to 2.6e10."""
PER_JOB = 600.0
"""Expected seconds that are worth a job; the scheduler takes some for each."""
MOST_JOBS = 1000
"""Jobs of an array; Slurm refuses more unless it is configured to take them."""


@dataclass(frozen=True)
class Job:
    """What one Slurm job does: it completes parts of recipes, in a shared store.

    It is called on a compute node, again when Slurm has requeued it: what is recorded
    by then is not done again, and what is begun is gone on with.
    """

    parts: tuple[Recipe, ...]
    store: Store
    device: str
    """As for `batch.pick_device`, which is asked on the compute node."""
    threads: int
    """CPU threads that a run may use at most."""
    notes: Path
    """Where it says which runs failed: `<job id>.failed.json`."""
    patience: int = 30
    """Seconds that an epoch may still take after Slurm's warning."""

    def __call__(self) -> None:
        """Complete every part.

        Raises:
            RuntimeError: If a run failed, after the others were done.
        """
        import submitit

        stop = Stop()
        warning = _Warning(stop, self.patience)
        torch.set_num_threads(self.threads)
        failed: dict[str, str] = {}
        for part in self.parts:
            failed |= self._complete(part, stop)
            if stop.asked:
                warning.heed()
        note = self.notes / f"{submitit.JobEnvironment().job_id}.failed.json"
        if not failed:
            note.unlink(missing_ok=True)
            return
        note.write_text(json.dumps(failed), encoding="utf-8")
        raise RuntimeError("; ".join(f"{run}: {why}" for run, why in failed.items()))

    def _complete(self, part: Recipe, stop: Stop) -> dict[str, str]:
        """Complete one part; return what failed, and why."""
        try:
            summary = complete(
                part,
                self.store,
                device=pick_device(self.device),
                progress=Lines(),
                stop=stop,
                workers=None,
            )
        except (ValueError, OSError) as error:  # the next may have what it needs
            return {label(config): str(error) for config in part.configs}
        print(f"{part.name} at {part.budget}: {summary}", flush=True)
        return summary.failed

    def checkpoint(self) -> Any:
        """Return what is to be done after a requeue, for submitit: the same."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


class _Warning:
    """Slurm's warning that the time is nearly up, put off until the epoch has ended.

    submitit's handler has the job requeued and ends this process. Called amid a run, an
    exception of its own, such as that the job has been requeued too often, would pass
    for a failure of that run.

    Args:
        stop: Asked when the warning comes.
        patience: Seconds from then on after which the handler is called all the same.
    """

    def __init__(self, stop: Stop, patience: int) -> None:
        import submitit

        self._stop, self._patience = stop, patience
        self._number = getattr(signal, f"SIG{submitit.JobEnvironment.USR_SIG}")
        self._handler = signal.getsignal(self._number)
        assert callable(self._handler), "submitit sets it before it calls the job"
        signal.signal(self._number, self._put_off)
        signal.signal(signal.SIGALRM, self.heed)

    def _put_off(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stop.ask()
        signal.alarm(self._patience)

    def heed(self, number: int = 0, frame: FrameType | None = None) -> NoReturn:
        """Have the job requeued, and end this process."""
        signal.alarm(0)
        try:
            self._handler(self._number, frame)  # type: ignore[operator]
        except Exception as error:
            raise SystemExit(str(error)) from error
        raise SystemExit(1)


def rough_seconds(config: RunConfig) -> float:
    """Return about how long a run takes on a CPU, from its operations, untried.

    It is meant to tell seconds from hours. Cheap enough for a login node.
    """
    return work(config) / WORK_PER_SECOND


def deal(
    recipes: Sequence[Recipe], device: str, *, runs_per_job: int, seconds: float
) -> list[tuple[Recipe, ...]]:
    """Return the parts of `recipes` that each job completes.

    Runs that are best trained as one on `device` stay together, and so does a run that
    several recipes have: no two jobs then wait for each other.

    Args:
        recipes: What is to be done, and nothing else.
        device: A device's name; it need not be here.
        runs_per_job: Most runs a job, unless a group of them is larger; 0 has a job
            take runs of about ten minutes, or of half the seconds it has.
        seconds: What a job has.

    Raises:
        ValueError: If so few runs a job make more jobs than an array holds.
    """
    runs = dict.fromkeys(config for recipe in recipes for config in recipe.configs)
    groups = grouped(list(runs), device)
    if runs_per_job:
        sizes, most = [float(len(group)) for group in groups], float(runs_per_job)
    else:
        sizes = [sum(map(rough_seconds, group)) for group in groups]
        # Where that makes too many jobs, they are longer.
        most = max(min(PER_JOB, seconds / 2), 2 * sum(sizes) / MOST_JOBS)
    hands = _filled(groups, sizes, most)
    if len(hands) > MOST_JOBS:
        raise ValueError(
            f"runs_per_job must be large enough to make at most {MOST_JOBS} jobs; got "
            f"{runs_per_job}, which makes {len(hands)}."
        )
    return [_parts(recipes, hand) for hand in hands]


def _filled(
    groups: Sequence[list[RunConfig]], sizes: Sequence[float], most: float
) -> list[set[RunConfig]]:
    """Return the runs of each job: groups in their order, up to a size of `most`."""
    hands: list[set[RunConfig]] = []
    full = math.inf
    for group, size in zip(groups, sizes, strict=True):
        if full + size > most:
            hands.append(set())
            full = 0.0
        hands[-1].update(group)
        full += size
    return hands


def _parts(recipes: Sequence[Recipe], hand: set[RunConfig]) -> tuple[Recipe, ...]:
    """Return what each recipe has of these runs, where it has any."""
    parts = (
        dataclasses.replace(
            recipe, configs=tuple(c for c in recipe.configs if c in hand)
        )
        for recipe in recipes
    )
    return tuple(part for part in parts if part.configs)
