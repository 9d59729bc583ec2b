"""Stand-ins for Slurm's commands: they note what is asked, and answer as told."""

from dataclasses import dataclass
from pathlib import Path

SBATCH = """#!/bin/sh
echo x >> {folder}/calls
cp "$1" {folder}/script
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
        self.write(
            "squeue",
            f'#!/bin/sh\necho "$@" > {self.folder}/asked\ncat {self.folder}/queue\n',
        )
        self.write("scancel", f'#!/bin/sh\necho "$@" >> {self.folder}/cancelled\n')
        self.queue()

    def write(self, name: str, text: str) -> None:
        """Put a command there."""
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def refuse(self) -> None:
        """Let `sbatch` refuse every job from here on."""
        self.write("sbatch", REFUSING)

    def queue(self, *job_ids: str, reason: str = "Priority") -> None:
        """Have these jobs in the queue, and nothing else."""
        lines = "".join(f"{job_id}|{reason}\n" for job_id in job_ids)
        (self.folder / "queue").write_text(lines)

    def read(self, name: str) -> str:
        """Return a note: `script`, `asked` of squeue, `cancelled`; empty: none."""
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def environment(self) -> dict[str, str]:
        """Return the variables that the last `sbatch` was called with."""
        lines = self.read("environment").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)
