"""Batches on a Slurm cluster: recipes are handed over as arrays of jobs, by submitit.

How they stand then, `slurm_status` says.
"""

import contextlib
import dataclasses
import io
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import torch

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.places import ROOT
from lazyrich_helpers.runner.backlog import missing
from lazyrich_helpers.runner.batch import require_ready
from lazyrich_helpers.runner.slurm_jobs import Job, deal
from lazyrich_helpers.runner.slurm_ledger import JobEntry, Ledger, Share, Submission
from lazyrich_helpers.runner.slurm_queue import (
    Queue,
    as_if_outside_a_job,
    in_queue,
    require_slurm,
)
from lazyrich_helpers.training.run_config import RunConfig, label

WARNING = 90
"""Seconds before the end of a job's time at which it is warned at the latest, and
requeues itself; a tenth of its time, where that is less."""
MOST_RESTARTS = 50
"""Times that a job may run out of time before it is given up."""


@dataclass(frozen=True, kw_only=True)
class SlurmOptions:
    """What is asked of Slurm. It reads more from the environment: `SBATCH_ACCOUNT`."""

    partition: str = ""
    """Empty: the cluster's default."""
    minutes: int = 60
    """Time of a job; one that needs more goes back to the queue, and on from there."""
    gpus_per_task: int = 0
    cpus_per_task: int = 1
    setup: tuple[str, ...] = ()
    """Shell lines that come before the job's Python: `module load cuda`."""
    array_parallelism: int = 50
    """Most jobs of an array at a time."""
    runs_per_job: int = 0
    """Most runs a job; 0: what takes about ten minutes. Runs that are best trained as
    one stay together all the same."""

    def __post_init__(self) -> None:
        plain = not self.partition or self.partition.split() == [self.partition]
        require(plain, "partition", "one name that `sinfo` lists", self.partition)
        for name in ("minutes", "cpus_per_task", "array_parallelism"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("gpus_per_task", "runs_per_job"):
            require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))
        lines = all(line.strip() and "\n" not in line for line in self.setup)
        require(lines, "setup", "shell commands, one a line", self.setup)


def submit(
    recipes: Sequence[Recipe],
    store: Store,
    options: SlurmOptions,
    *,
    device: str = "auto",
) -> Submission:
    """Have Slurm complete what `store` lacks of `recipes`; return what was submitted.

    A run that an earlier submission still has in the queue is left out. The data and
    weights that runs need are looked for, and fetched, here: compute nodes often have
    no network.

    Args:
        recipes: A run that several of them have is one job's.
        store: On a file system that the compute nodes share.
        options: What a job gets.
        device: `auto` is a GPU where `options` ask for one.

    Raises:
        ValueError: If Slurm is not here or refuses the jobs, or if data is missing.
    """
    require_slurm()
    device, ledger = _device(device, options), Ledger(store)
    _require_plain(ledger)
    store.require_writable()
    with store.lock("slurm"):  # between a look at the queue and the entry in it
        queue = in_queue()
        submission = _empty(store, options, device)
        todo = _Todo(store, _taken(submission.records, ledger.read_all(), queue))
        for recipe in recipes:
            todo.add(recipe)
        submission = dataclasses.replace(
            submission, num_there=todo.num_there, num_queued=len(todo.left_out)
        )
        jobs = _jobs(todo.recipes, store, options, device, ledger, submission)
        if jobs:
            job_ids = _sbatch(jobs, options, ledger, submission)
            entries = tuple(map(_entry, job_ids, jobs))
            submission = dataclasses.replace(submission, jobs=entries)
            ledger.write(submission)
    return submission


def _require_plain(ledger: Ledger) -> None:
    """Raise ValueError if Slurm would write the jobs' logs elsewhere, or nowhere."""
    remedy = "a folder without % in its path, which Slurm replaces in names of logs"
    path = str(ledger.folder)
    require("%" not in path, "LAZYRICH_STORE", remedy, path)


def _device(name: str, options: SlurmOptions) -> str:
    """Return the device that jobs ask for; whether it is there, they will see."""
    if name == "auto":
        return "cuda" if options.gpus_per_task else "cpu"
    try:
        return str(torch.device(name))
    except RuntimeError as error:
        raise ValueError(
            f"device must be auto, cpu, or one of torch's, such as cuda; got {name!r}."
        ) from error


def _empty(store: Store, options: SlurmOptions, device: str) -> Submission:
    now = datetime.now(UTC)
    return Submission(
        submission_id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        submitted=now.isoformat(timespec="seconds"),
        records=str(store.folder.absolute()),
        device=device,
        options=dataclasses.asdict(options),
        jobs=(),
    )


Taken = list[tuple[str, Share]]
"""Job ids, and what these jobs are going to do."""


def _taken(records: str, submissions: Sequence[Submission], queue: Queue) -> Taken:
    """Return what is in the queue already, for these records."""
    return [
        (job.job_id, share)
        for submission in submissions
        if submission.records == records
        for job in submission.jobs
        if (submission.name, job.job_id) in queue and not job.cancelled
        for share in job.shares
    ]


class _Todo:
    """Recipes cut down to what is to be submitted."""

    def __init__(self, store: Store, taken: Taken) -> None:
        self.store, self.taken = store, taken
        self.recipes: list[Recipe] = []
        self.num_there = 0
        self.left_out: set[RunConfig] = set()

    def add(self, recipe: Recipe) -> None:
        """Take up what is missing of `recipe`."""
        todo = missing(recipe, self.store)
        self.num_there += len(recipe.configs) - len(todo)
        require_ready(todo, "cpu")
        measures = {m.name: m.version for m in recipe.measures}
        left_out = {
            config
            for config in todo
            for _, share in self.taken
            if config.run_id in share.runs
            and measures.items() <= share.measures.items()
        }
        self.left_out |= left_out
        rest = tuple(config for config in todo if config not in left_out)
        if rest:
            self.recipes.append(dataclasses.replace(recipe, configs=rest))


def _jobs(
    recipes: Sequence[Recipe],
    store: Store,
    options: SlurmOptions,
    device: str,
    ledger: Ledger,
    submission: Submission,
) -> list[Job]:
    dealt = deal(
        recipes,
        device,
        runs_per_job=options.runs_per_job,
        seconds=60.0 * options.minutes,
    )
    # Jobs may not start where this process did.
    shared = Store(store.folder.absolute(), store.weights.absolute())
    notes = ledger.logs(submission.submission_id)
    threads, patience = options.cpus_per_task, max(1, _warning(options) // 2)
    return [Job(parts, shared, device, threads, notes, patience) for parts in dealt]


def _warning(options: SlurmOptions) -> int:
    """Return the seconds before its end at which a job is warned."""
    return min(WARNING, options.minutes * 6)


def _entry(job_id: str, job: Job) -> JobEntry:
    shares = (
        Share(
            recipe=f"{part.name} at {part.budget}",
            measures={measure.name: measure.version for measure in part.measures},
            runs={config.run_id: label(config) for config in part.configs},
        )
        for part in job.parts
    )
    return JobEntry(job_id, tuple(shares))


def _sbatch(
    jobs: Sequence[Job],
    options: SlurmOptions,
    ledger: Ledger,
    submission: Submission,
) -> list[str]:
    """Hand jobs to Slurm as one array, and return their ids."""
    try:
        import submitit
        from submitit.core.utils import FailedJobError
    except ImportError as error:
        raise ValueError(
            f"executor slurm needs the package submitit ({error}); `pip install "
            "submitit` where the job is submitted and where it runs."
        ) from error
    folder = ledger.logs(submission.submission_id)
    folder.mkdir(parents=True, exist_ok=True)
    executor = submitit.SlurmExecutor(folder, max_num_timeout=MOST_RESTARTS)
    executor.update_parameters(**_parameters(options, submission.name))
    try:
        # What is written to stderr is in the error as well.
        with contextlib.redirect_stderr(io.StringIO()), as_if_outside_a_job():
            handles = executor.submit_array(jobs)
    except (FailedJobError, OSError) as error:
        shutil.rmtree(folder)
        raise ValueError(_refusal(str(error), options)) from error
    return [handle.job_id for handle in handles]


def _refusal(said: str, options: SlurmOptions) -> str:
    why = said.strip().splitlines()[-1].split(": ")[-1]
    return (
        f"Slurm refused the jobs ({why}); asked for was partition "
        f"{options.partition or 'default'!r}, with {options.minutes} minutes, "
        f"{options.cpus_per_task} CPUs and {options.gpus_per_task} GPUs a job; `sinfo` "
        "lists the partitions and what they have."
    )


def _parameters(options: SlurmOptions, name: str) -> dict[str, object]:
    """Return what submitit is to write into the batch script."""
    # The same code there as here, installed or not.
    path = f'export PYTHONPATH="{ROOT}${{PYTHONPATH:+:$PYTHONPATH}}"'
    parameters: dict[str, object] = {
        "job_name": name,
        "time": options.minutes,
        "cpus_per_task": options.cpus_per_task,
        "array_parallelism": options.array_parallelism,
        "setup": [*options.setup, path],
        "signal_delay_s": _warning(options),
        # Without it a site may forbid that a job is requeued, by itself or by a crash.
        "additional_parameters": {"ntasks": 1, "requeue": True},
        # Since 22.05 srun does not inherit them.
        "srun_args": [f"--cpus-per-task={options.cpus_per_task}"],
    }
    if options.partition:
        parameters["partition"] = options.partition
    if options.gpus_per_task:
        parameters["gpus_per_task"] = options.gpus_per_task
    return parameters
