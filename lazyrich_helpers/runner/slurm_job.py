"""A job for Slurm: it completes its share of a recipe in a shared store."""

import dataclasses
import math
import pickle
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.costs import work
from lazyrich_helpers.runner.backlog import grouped
from lazyrich_helpers.runner.batch import complete, pick_device
from lazyrich_helpers.runner.options import SlurmOptions
from lazyrich_helpers.runner.processes import together
from lazyrich_helpers.runner.progress import Lines
from lazyrich_helpers.runner.stopping import Stop
from lazyrich_helpers.training.run_config import RunConfig

WORK_PER_SECOND = 1e10
"""Units of `costs.work` that a CPU does in a second: of the recorded runs that train
all layers, 1.6e9 to 2.6e10."""
PER_JOB = 600.0
"""Expected seconds that are worth a job; the scheduler takes some for each."""
MOST_JOBS = 1000
"""Jobs of an array; Slurm refuses more unless it is configured to take them."""


@dataclass(frozen=True)
class Job:
    """What one Slurm job does; called on a compute node, again after a requeue.

    What is recorded by then is not done again, and what is begun is gone on with.
    """

    share: Recipe
    store: Store
    device: str
    """As for `batch.pick_device`, which is asked on the compute node."""
    threads: int
    """CPU threads that a run may use at most."""
    patience: int = 30
    """Seconds that an epoch may still take after Slurm's warning."""
    shard: str | None = None
    """One of `layouts.LAYOUTS`, if processes of the node share each network."""

    def __call__(self) -> None:
        """Complete the share.

        Raises:
            RuntimeError: If a run failed, after the others were done.
        """
        import submitit

        stop = Stop()
        number = getattr(signal, f"SIG{submitit.JobEnvironment.USR_SIG}")
        submitits: Any = signal.getsignal(number)  # it requeues, and ends the process

        def warn(*_: object) -> None:
            stop.ask()
            signal.alarm(self.patience)  # for an epoch that takes too long

        def requeue(*_: object) -> None:
            signal.alarm(0)
            try:
                submitits(number, None)
            except Exception as error:  # amid a run, it would pass for its failure
                raise SystemExit(str(error)) from error

        signal.signal(number, warn)
        signal.signal(signal.SIGALRM, requeue)
        failed = self._shared(stop) if self.shard else self._alone(stop)
        if stop.asked:
            requeue()
        if failed:
            raise RuntimeError(failed)

    def _alone(self, stop: Stop) -> str:
        """Complete the share in this process and its workers; return what failed."""
        torch.set_num_threads(self.threads)
        summary = complete(
            self.share,
            self.store,
            device=pick_device(self.device),
            progress=Lines(),
            stop=stop,
            workers=None,
        )
        print(f"{self.share.name} at {self.share.budget}: {summary}", flush=True)
        return str(summary) if summary.failed else ""

    def _shared(self, stop: Stop) -> str:
        """Complete it by a process for each GPU, or CPU thread; return what failed."""
        device = pick_device(self.device)
        num = torch.cuda.device_count() if device.startswith("cuda") else self.threads
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "share.pickle"
            what = [self.share], self.store, self.shard, device
            file.write_bytes(pickle.dumps(what))
            words = ["-m", "lazyrich_helpers.runner.sharded", str(file)]
            with together(num, words, piped=False) as processes:
                while processes.poll() is None and not stop.asked:
                    time.sleep(0.2)
        return f"torchrun ended with {processes.returncode}" * bool(
            processes.returncode
        )

    def checkpoint(self) -> Any:
        """Return what is to be done after a requeue, for submitit: the same."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def shares(
    recipe: Recipe, runs: Sequence[RunConfig], device: str, options: SlurmOptions
) -> list[Recipe]:
    """Return what each job is to complete of `runs`, which are some of `recipe`'s.

    Runs that are best trained as one on `device`, which need not be here, stay
    together. A job takes about ten minutes, or half its time if that is less, unless
    `options` say how many runs it has.
    """
    groups = grouped(runs, device)
    if options.runs_per_job:
        sizes, most = [float(len(group)) for group in groups], options.runs_per_job
    else:
        # On a CPU, untried: meant to tell seconds from hours, on a login node.
        sizes = [sum(map(work, group)) / WORK_PER_SECOND for group in groups]
        # Where that makes too many jobs, they are longer.
        most = max(min(PER_JOB, 30.0 * options.minutes), 2 * sum(sizes) / MOST_JOBS)
    hands: list[list[RunConfig]] = []
    full = math.inf
    for group, size in zip(groups, sizes, strict=True):
        if full + size > most:
            hands.append([])
            full = 0.0
        hands[-1] += group
        full += size
    return [dataclasses.replace(recipe, configs=tuple(hand)) for hand in hands]
