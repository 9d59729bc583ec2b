"""What Slurm has in its queue for this user: asked with `squeue`, cut with `scancel`.

Nothing here needs Slurm's accounting, which many clusters do without.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WAITING = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"}
"""States of jobs that do not run; in every other state of the queue they do."""
PATIENCE = 60.0
"""Seconds that one of Slurm's commands may take."""
OF_A_JOB = ("SLURM", "SRUN_", "SUBMITIT_", "PMI", "SBATCH_CPU_BIND", "SBATCH_MEM_BIND")
"""How the variables begin in which a job finds its number, cores, memory, ranks."""
OF_THE_CLUSTER = ("SLURM_CONF", "SLURM_CLUSTERS")
"""Variables that begin so, and say where Slurm is."""


@dataclass(frozen=True)
class Place:
    """A job's place in the queue."""

    state: str
    """Slurm's: PENDING, RUNNING, COMPLETING, ..."""
    reason: str
    """Why it waits: Resources, Priority, Dependency, ...; empty: nothing is said."""

    @property
    def waits(self) -> bool:
        """Whether the job does not run yet, or not again yet."""
        return self.state in WAITING


Queue = dict[tuple[str, str], Place]
"""Name and id of a job → its place. A job of an array has the id `array_index`."""


def require_slurm() -> None:
    """Raise ValueError where Slurm's commands are not on PATH."""
    for command in ("sbatch", "srun", "squeue", "scancel"):
        if shutil.which(command) is None:
            raise ValueError(
                f"executor slurm needs the command {command!r}, which is not on PATH; "
                "log in where the cluster takes jobs, or leave the executor out."
            )


@contextlib.contextmanager
def as_if_outside_a_job() -> Iterator[None]:
    """Hide, inside, what this process was told if it is a Slurm job itself.

    `sbatch` hands its variables on, and `srun` takes them for orders: a job submitted
    from a job would keep to that one's cores, or die of two limits of memory. What the
    reader asks for by `SBATCH_ACCOUNT` and the like stays.
    """
    hidden = {}
    if "SLURM_JOB_ID" in os.environ:
        names = [name for name in os.environ if name.startswith(OF_A_JOB)]
        hidden = {n: os.environ.pop(n) for n in names if n not in OF_THE_CLUSTER}
    try:
        yield
    finally:
        os.environ.update(hidden)


def in_queue() -> Queue:
    """Return the user's jobs that Slurm has in its queue, waiting or running.

    Raises:
        ValueError: If Slurm is not here, or does not answer.
    """
    require_slurm()
    user = f"--user={os.getuid()}"
    return parse(
        _slurm("squeue", user, "--noheader", "--array", "--format=%i|%T|%r|%j")
    )


def parse(text: str) -> Queue:
    """Read lines of id, state, reason and name, as `squeue` prints them."""
    rows = (line.split("|", 3) for line in text.splitlines() if line.strip())
    return {
        (name, job_id): Place(state, "" if reason == "None" else reason)
        for job_id, state, reason, name in rows
    }


def cancel_jobs(job_ids: Sequence[str]) -> None:
    """Take these jobs out of the queue, whether they wait or run.

    Raises:
        ValueError: If Slurm is not here, or does not answer.
    """
    require_slurm()
    for k in range(0, len(job_ids), 500):  # a command line has a limit
        _slurm("scancel", *job_ids[k : k + 500])


def _slurm(*words: str) -> str:
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
    except subprocess.SubprocessError as error:
        said = getattr(error, "stderr", None) or error
        raise ValueError(
            f"Slurm's {words[0]} did not do its work ({' '.join(str(said).split())}); "
            "see with `sinfo` whether the cluster answers, then try again."
        ) from error
    return done.stdout
