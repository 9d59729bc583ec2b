"""What is asked of Slurm for a job, and spans of time; read without torch."""

import math
import re
from dataclasses import dataclass
from typing import Annotated

from lazyrich_helpers.config import require

WARNING = 90
"""Seconds that a job may take to requeue itself; of short ones, a tenth of the time."""
SHARDS = ("dp", "tp", "2d", "fsdp")
"""Layouts of a network over processes; `training.layouts` says what they share."""


@dataclass(frozen=True, kw_only=True)
class SlurmOptions:
    """What is asked of Slurm. It reads more from the environment: `SBATCH_ACCOUNT`."""

    partition: Annotated[str, "the cluster's default unless told"] = ""
    time: Annotated[str, "of a job, such as 90m; what needs more is requeued"] = "1h"
    gpus_per_task: Annotated[int, "of a job"] = 0
    cpus_per_task: Annotated[int, "of a job"] = 1
    setup: Annotated[tuple[str, ...], "a shell line before Python; repeatable"] = ()
    array_parallelism: Annotated[int, "most jobs of an array at a time"] = 50
    runs_per_job: Annotated[int, "most runs of a job; 0: ten minutes' worth"] = 0
    """Runs that are best trained as one stay together all the same."""

    def __post_init__(self) -> None:
        plain = not self.partition or self.partition.split() == [self.partition]
        require(plain, "partition", "one name that `sinfo` lists", self.partition)
        require(self.minutes >= 1, "slurm-time", "at least 1s", self.time)
        for name in ("cpus_per_task", "array_parallelism"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("gpus_per_task", "runs_per_job"):
            require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))
        lines = all(line.strip() and "\n" not in line for line in self.setup)
        require(lines, "setup", "shell commands, one a line", self.setup)

    @property
    def warning(self) -> int:
        """Seconds before its end at which a job is warned at the latest."""
        return min(WARNING, self.minutes * 6)

    @property
    def minutes(self) -> int:
        """Time of a job, as Slurm counts it."""
        return math.ceil(parse_duration(self.time, "slurm-time") / 60)


def parse_duration(text: str, name: str = "time-budget") -> float:
    """Return the seconds in `90s`, `30m` or `1.5h`.

    Raises:
        ValueError: If `text`, the value of `name`, is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None:
        raise ValueError(
            f"{name} must be a number with s, m or h, such as 30m; got {text!r}."
        )
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]
