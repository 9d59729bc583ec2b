"""The ledger of what was handed to Slurm: one JSON file for each submission.

It lies in `slurm/` beside the store's weights, with each submission's logs in a folder
of the same name. It says what was asked for; what came of it, the records say.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.experiments.whole_files import write_whole


@dataclass(frozen=True)
class Share:
    """The runs of one recipe that a job completes."""

    recipe: str
    """Name and budget, for people."""
    measures: dict[str, int]
    """Name → version of what is measured."""
    runs: dict[str, str]
    """Run id → label, for people."""


@dataclass(frozen=True)
class JobEntry:
    """One job as Slurm knows it, and what it is to do."""

    job_id: str
    """`7_0` in an array, `7` alone."""
    shares: tuple[Share, ...]
    cancelled: bool = False
    """Whether `cancel` took it out of the queue."""

    @property
    def runs(self) -> dict[str, str]:
        """Run id → label, of all shares."""
        return {
            run: label for share in self.shares for run, label in share.runs.items()
        }


@dataclass(frozen=True)
class Submission:
    """What was handed to Slurm at once."""

    submission_id: str
    submitted: str
    """When: ISO 8601, UTC."""
    records: str
    """The folder of the store's records."""
    device: str
    options: dict[str, Any]
    """`SlurmOptions`, as they were."""
    jobs: tuple[JobEntry, ...]
    num_there: int = 0
    """Runs that were recorded before."""
    num_queued: int = 0
    """Runs that were left out: an earlier submission has them in the queue."""

    @property
    def name(self) -> str:
        """The name of its jobs in Slurm's queue."""
        return f"lazyrich-{self.submission_id}"

    @property
    def num_runs(self) -> int:
        """How many runs its jobs are to complete."""
        return len({run for job in self.jobs for run in job.runs})

    def __str__(self) -> str:
        if self.jobs:
            first = f"Submission {self.submission_id}: {self.num_runs} runs"
            parts = [f"{first} in {len(self.jobs)} jobs"]
        else:
            parts = ["Nothing to submit"]
        parts.append(f"{self.num_there} runs recorded before")
        if self.num_queued:
            parts.append(f"{self.num_queued} runs left out, already in the queue")
        return ", ".join(parts) + "."

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild a submission from `dataclasses.asdict`, as JSON keeps it."""
        jobs = tuple(
            JobEntry(**job | {"shares": tuple(Share(**s) for s in job["shares"])})
            for job in values["jobs"]
        )
        return cls(**{**values, "jobs": jobs})


class Ledger:
    """The submissions of a store, in a folder that it shares with no other thing."""

    def __init__(self, store: Store) -> None:
        self.folder = store.weights.parent.absolute() / "slurm"

    def logs(self, submission_id: str) -> Path:
        """Return the folder of a submission's logs."""
        return self.folder / submission_id

    def write(self, submission: Submission) -> None:
        """Put a submission there, whole, in place of what was said of it before."""
        text = json.dumps(dataclasses.asdict(submission), indent=1) + "\n"
        write_whole(self.folder / f"{submission.submission_id}.json", text.encode())

    def read(self, submission_id: str) -> Submission:
        """Return a submission.

        Raises:
            ValueError: If there is none of this id, or its file is not readable.
        """
        path = self.folder / f"{submission_id}.json"
        try:
            return Submission.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            known = ", ".join(self.ids()) or "none yet"
            raise ValueError(
                f"submission must be one of {self.folder} ({known}); got "
                f"{submission_id!r}."
            ) from error
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"{path} is not a readable submission ({type(error).__name__}: "
                f"{error}); delete it, after a scancel of its jobs if there are any."
            ) from error

    def ids(self) -> list[str]:
        """Return the ids of all submissions, from the first to the last."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def read_all(self) -> list[Submission]:
        """Return all submissions, from the first to the last."""
        return [self.read(submission_id) for submission_id in self.ids()]
