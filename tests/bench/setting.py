"""How large a benchmark is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """What a call of the benchmarks chose."""

    quick: bool = False
    """Small networks, digits, few repetitions: shows that it runs, measures nothing."""
    epochs: int = 20
    """Of `kept`."""
    repetitions: int = 9
    """Of `convolution`."""
