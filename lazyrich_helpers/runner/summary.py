"""How a batch of runs ended."""

from dataclasses import dataclass, field

from lazyrich_helpers.training.run_config import RunConfig


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

    def add(self, other: "Summary") -> None:
        """Count what was done elsewhere, or earlier; runs done before are no part."""
        self.num_trained += other.num_trained
        self.num_diverged += other.num_diverged
        self.postponed += other.postponed
        self.num_begun += other.num_begun
        self.failed |= other.failed

    def __str__(self) -> str:
        parts = [f"{self.num_trained} done now", f"{self.num_there} done before"]
        if self.num_diverged:
            parts.append(f"{self.num_diverged} diverged")
        if self.postponed:
            begun = f", {self.num_begun} of them begun" if self.num_begun else ""
            parts.append(f"{len(self.postponed)} left for later{begun}")
        if self.failed:
            parts.append(f"{len(self.failed)} FAILED")
        lines = [", ".join(parts) + "."]
        return "\n  ".join(
            lines + [f"{run}: {why}" for run, why in self.failed.items()]
        )
