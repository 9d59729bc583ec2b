"""What Slurm's queue has of a store's jobs: how their runs stand, and taking them back.

Nothing is noted of a submission: what is done, the records say; what is not, the queue
and the jobs as submitit keeps them. Their name and folder are told from the store's.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.experiments.states import COMPLETE, STATES, state
from lazyrich_helpers.runner.progress import counted
from lazyrich_helpers.runner.slurm_job import Job

ENDING = "_submitted.pkl"
"""How submitit's file of a job is named after the job's id."""
PATIENCE = 60.0
"""Seconds that one of Slurm's commands may take."""


def job_name(store: Store) -> str:
    """Return the name of all jobs for a folder of records."""
    path = str(store.folder.absolute())
    return f"lazyrich-{hashlib.sha256(path.encode()).hexdigest()[:10]}"


def folder_of(store: Store) -> Path:
    """Return where submitit keeps these jobs and their logs."""
    return store.weights.parent.absolute() / "slurm" / job_name(store)


def submitted(store: Store) -> dict[str, Job]:
    """Return the jobs that were ever submitted for `store`, by id, the last one last.

    Those that were cancelled are left out.

    Raises:
        ValueError: If one cannot be read.
    """
    from submitit.core.utils import DelayedSubmission

    jobs = {}
    for path in folder_of(store).glob(f"*{ENDING}"):
        try:
            job = DelayedSubmission.load(path).function
        except Exception as error:  # of pickle, which raises many kinds
            raise ValueError(
                f"{path} is not a readable job ({type(error).__name__}: {error}); "
                "cancel the jobs, if there are any, and delete its folder."
            ) from error
        jobs[path.name.removesuffix(ENDING)] = job
    return dict(sorted(jobs.items(), key=lambda item: _numbers(item[0])))


def _numbers(job_id: str) -> list[int]:
    return [int(number) for number in job_id.split("_")]


def in_queue(store: Store) -> dict[str, str]:
    """Return the ids of jobs for `store` in the queue, with why they wait, if they do.

    Raises:
        ValueError: If Slurm is not here, or does not answer, or submitit is not here.
    """
    _require_slurm()
    user, name = f"--user={os.getuid()}", f"--name={job_name(store)}"
    said = _slurm("squeue", user, name, "--noheader", "--array", "--format=%i|%r")
    rows = [line.split("|") for line in said.splitlines()]
    return {job_id: "" if reason == "None" else reason for job_id, reason in rows}


def _require_slurm() -> None:
    """Raise ValueError where Slurm's commands are not on PATH, or submitit lacks."""
    if shutil.which("sbatch") is None:
        raise ValueError(
            "executor slurm needs the command 'sbatch', which is not on PATH; log in "
            "where the cluster takes jobs, or leave the executor out."
        )
    try:
        import submitit  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"executor slurm needs the package submitit ({error}); `pip install "
            "submitit` where the job is submitted and where it runs."
        ) from error


def _slurm(*words: str) -> str:
    """Return what one of Slurm's commands prints."""
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    try:
        return subprocess.run(words, check=True, timeout=PATIENCE, **options).stdout
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or error
        raise ValueError(
            f"Slurm's {words[0]} did not do its work ({' '.join(str(said).split())}); "
            "see with `sinfo` whether the cluster answers, then try again."
        ) from error


def status(store: Store) -> str:
    """Return how the runs of all jobs for `store` stand, by recipe, for people.

    A run is `queued` if its job is in the queue and it is neither done nor running.
    What is neither done nor queued has a line with the log of its last job.
    """
    queue, lines = in_queue(store), []
    last = {
        (f"{job.share.name} at {job.share.budget}", config): (job_id, job)
        for job_id, job in submitted(store).items()
        for config in job.share.configs
    }
    words: dict[str, list[str]] = {recipe: [] for recipe, _ in last}
    for (recipe, config), (job_id, job) in last.items():
        run = state(config, job.share.measures, store)
        settled = run.word in (*COMPLETE, "running")
        words[recipe].append("queued" if job_id in queue and not settled else run.word)
        if job_id not in queue and not settled:
            log = folder_of(store) / f"{job_id}_0_log.err"
            lines.append(f"  {run.word} {run}; see {log}")
    order = (*STATES, "queued")
    counts = [f"{recipe}: {counted(found, order)}." for recipe, found in words.items()]
    why = sorted({reason for reason in queue.values() if reason})
    waits = f", waiting for {', '.join(why)}" if why else ""
    return "\n".join([*counts, *lines, f"{len(queue)} jobs in the queue{waits}."])


def cancel(store: Store) -> int:
    """Take all jobs for `store` out of the queue; return how many there were.

    Raises:
        ValueError: If Slurm is not here, or does not answer.
    """
    jobs = in_queue(store)
    if jobs:
        _slurm("scancel", f"--user={os.getuid()}", f"--name={job_name(store)}")
    for job_id in jobs:  # Slurm takes a while to end them; their runs are free now
        (folder_of(store) / f"{job_id}{ENDING}").unlink(missing_ok=True)
    return len(jobs)
