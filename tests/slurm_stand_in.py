"""Stand-ins for Slurm's commands: they note what is asked, and answer as told."""

from dataclasses import dataclass
from pathlib import Path

from lazyrich_helpers.runner.slurm_ledger import Submission

SBATCH = """#!/bin/sh
echo x >> {folder}/calls
cp "$1" {folder}/script-$(wc -l < {folder}/calls)
env > {folder}/environment
echo "Submitted batch job $(wc -l < {folder}/calls)"
"""
REFUSING = """#!/bin/sh
echo "sbatch: error: invalid partition specified: nope" >&2
echo "sbatch: error: Batch job submission failed: Invalid partition name" >&2
exit 1
"""


@dataclass(frozen=True)
class StandIn:
    """A folder of commands, to be put on PATH. Arrays get the ids 1, 2, ..."""

    folder: Path

    def __post_init__(self) -> None:
        self.write("sbatch", SBATCH.format(folder=self.folder))
        self.write("srun", "#!/bin/sh\n")
        self.write("squeue", f"#!/bin/sh\ncat {self.folder}/queue\n")
        self.write("scancel", f'#!/bin/sh\necho "$@" >> {self.folder}/cancelled\n')
        self.queue("")

    def write(self, name: str, text: str) -> None:
        """Put a command there."""
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def refuse(self) -> None:
        """Let `sbatch` refuse every job from here on."""
        self.write("sbatch", REFUSING)

    def queue(self, *lines: str) -> None:
        """Have `squeue` print these lines."""
        (self.folder / "queue").write_text("\n".join(lines))

    def enqueue(self, *submissions: Submission, state: str = "PENDING") -> None:
        """Have all jobs of these submissions in the queue, and nothing else."""
        self.queue(
            *(
                f"{job.job_id}|{state}|Priority|{submission.name}"
                for submission in submissions
                for job in submission.jobs
            )
        )

    def script(self, number: int) -> str:
        """Return the batch script of an array."""
        return (self.folder / f"script-{number}").read_text()

    def environment(self) -> dict[str, str]:
        """Return the variables that the last `sbatch` was called with."""
        lines = (self.folder / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def cancelled(self) -> list[str]:
        """Return the ids that `scancel` was given."""
        return (self.folder / "cancelled").read_text().split()
