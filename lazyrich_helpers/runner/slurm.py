"""Recipes handed to a Slurm cluster by submitit, as arrays of jobs."""

import contextlib
import dataclasses
import io
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.places import ROOT
from lazyrich_helpers.runner.backlog import missing
from lazyrich_helpers.runner.batch import require_ready
from lazyrich_helpers.runner.options import SlurmOptions
from lazyrich_helpers.runner.slurm_job import Job, shares
from lazyrich_helpers.runner.slurm_queue import (
    folder_of,
    in_queue,
    job_name,
    submitted,
)
from lazyrich_helpers.training.run_config import RunConfig

OWN = "${PYTHONPATH:+:$PYTHONPATH}"
"""What a cluster's modules put on the path, in a shell's words."""
MOST_RESTARTS = 50
"""Times that a job may run out of time before it is given up."""


@dataclass
class Submission:
    """What was handed to Slurm at once. Counts of runs, but for the jobs."""

    num_runs: int = 0
    num_jobs: int = 0
    num_there: int = 0
    num_queued: int = 0

    def __str__(self) -> str:
        return (
            f"Submitted {self.num_runs} runs in {self.num_jobs} jobs; "
            f"{self.num_there} were recorded before, {self.num_queued} in the queue."
        )


def submit(
    recipes: Sequence[Recipe],
    store: Store,
    options: SlurmOptions,
    *,
    device: str = "auto",
    shard: str | None = None,
) -> Submission:
    """Have Slurm complete what `store` lacks of `recipes`; an array of jobs for each.

    A run that a job in the queue already has, with all that is to be measured, is left
    out. The data and weights that runs need are looked for, and fetched, here: compute
    nodes often have no network. They share the file system of `store`. The device
    `auto` is a GPU where `options` ask for one. In the layout `shard`, if given, the
    processes of a job share each network, and a recipe is one job.

    Raises:
        ValueError: If Slurm is not here or refuses the jobs, or if data is missing.
    """
    if device == "auto":
        device = "cuda" if options.gpus_per_task else "cpu"
    known = re.fullmatch(r"cpu|cuda(:\d+)?", device) is not None  # not: there
    require(known, "device", "auto, cpu, or a GPU such as cuda", device)
    path, remedy = str(folder_of(store)), "in a path without %, which Slurm replaces"
    require("%" not in path, "LAZYRICH_STORE", remedy, path)
    # Jobs may not start where this process did.
    shared = Store(store.folder.absolute(), store.weights.absolute())
    what = (device, options.cpus_per_task, max(1, options.warning // 2))
    queue, done = in_queue(store), Submission()
    store.require_writable()
    jobs = {job_id: job for job_id, job in submitted(store).items() if job_id in queue}
    for recipe in recipes:
        todo = missing(recipe, store)
        require_ready(todo, "cpu")
        queued = _held(jobs.values(), recipe)
        left = [config for config in todo if config not in queued]
        parts = shares(recipe, left, device, options)
        if shard and left:
            parts = [dataclasses.replace(recipe, configs=tuple(left))]
        jobs |= _sbatch([Job(part, shared, *what, shard) for part in parts], options)
        done.num_there += len(recipe.configs) - len(todo)
        done.num_queued += len(todo) - len(left)
        done.num_runs += len(left)
        done.num_jobs += len(parts)
    return done


def _held(jobs: Iterable[Job], recipe: Recipe) -> set[RunConfig]:
    """Return the runs that jobs train, and measure as `recipe` does."""
    asked = set(recipe.measures)
    shares = (job.share for job in jobs if asked <= set(job.share.measures))
    return {config for share in shares for config in share.configs}


def _sbatch(jobs: Sequence[Job], options: SlurmOptions) -> dict[str, Job]:
    """Hand jobs to Slurm as one array, and return them by id."""
    if not jobs:
        return {}
    import submitit
    from submitit.core.utils import FailedJobError

    store = jobs[0].store
    executor = submitit.SlurmExecutor(folder_of(store), max_num_timeout=MOST_RESTARTS)
    executor.update_parameters(**_parameters(options, job_name(store)))
    try:
        # What is written to stderr is in the error as well.
        with contextlib.redirect_stderr(io.StringIO()), _as_if_outside_a_job():
            handles = executor.submit_array(jobs)
    except (FailedJobError, OSError) as error:
        why = str(error).strip().splitlines()[-1].split(": ")[-1]
        raise ValueError(
            f"Slurm refused the jobs ({why}); asked for was partition "
            f"{options.partition or 'default'!r}, with {options.minutes} minutes, "
            f"{options.cpus_per_task} CPUs and {options.gpus_per_task} GPUs a job; "
            "`sinfo` lists the partitions and what they have."
        ) from error
    return {handle.job_id: job for handle, job in zip(handles, jobs, strict=True)}


def _parameters(options: SlurmOptions, name: str) -> dict[str, object]:
    """Return what submitit is to write into the batch script."""
    # The same code there as here, installed or not, and the reader's own.
    path = shlex.quote(os.pathsep.join([str(ROOT), *filter(None, sys.path)]))
    parameters: dict[str, object] = {
        "job_name": name,
        "time": options.minutes,
        "cpus_per_task": options.cpus_per_task,
        "array_parallelism": options.array_parallelism,
        "setup": [*options.setup, f'export PYTHONPATH={path}"{OWN}"'],
        "signal_delay_s": options.warning,
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


@contextlib.contextmanager
def _as_if_outside_a_job() -> Iterator[None]:
    """Hide, inside, what this process was told if it is a Slurm job itself.

    A job submitted from a job would keep to that one's cores, or die of two limits of
    memory. What the reader asks for by `SBATCH_ACCOUNT` and the like stays.
    """
    if "SLURM_JOB_ID" not in os.environ:
        yield
        return
    from submitit.helpers import clean_env

    wanted = ("SLURM_CONF", "SLURM_CLUSTERS", "SBATCH_")
    asked = {name: os.environ[name] for name in os.environ if name.startswith(wanted)}
    with clean_env([name for name in os.environ if name.startswith("PMI")]):
        os.environ.update({k: v for k, v in asked.items() if "_BIND" not in k})
        yield
