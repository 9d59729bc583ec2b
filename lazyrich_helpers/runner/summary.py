"""How a batch of runs ended."""

from dataclasses import dataclass, field

from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.training.run_config import RunConfig, label


@dataclass
class Summary:
    """How a batch ended. Counts of runs, and what went wrong."""

    num_trained: int = 0
    num_there: int = 0
    """Complete before it was their turn."""
    num_diverged: int = 0
    postponed: list[RunConfig] = field(default_factory=list)
    """Not ended: for lack of time, because others had them, or on request."""
    num_begun: int = 0
    """Of those, how many were begun and can be gone on with."""
    failed: dict[str, str] = field(default_factory=dict)
    """Run → why."""
    ended: set[RunConfig] = field(default_factory=set)
    """Runs that came to an end now, failures among them."""

    def count(self, record: Record) -> None:
        """Count a run that ended now."""
        self.ended.add(record.config)
        if record.done:
            self.num_trained += 1
            self.num_diverged += record.status == "diverged"
        else:
            self.failed[label(record.config)] = record.status.removeprefix("failed: ")

    def __str__(self) -> str:
        parts = [f"{self.num_trained} done now", f"{self.num_there} done before"]
        if self.num_diverged:
            parts.append(f"{self.num_diverged} diverged")
        if self.postponed:
            begun = f", {self.num_begun} of them begun" if self.num_begun else ""
            parts.append(f"{len(self.postponed)} left for later{begun}")
        if self.failed:
            parts.append(f"{len(self.failed)} FAILED")
        runs = [f"\n  {run}: {why}" for run, why in self.failed.items()]
        return ", ".join(parts) + "." + "".join(runs)
