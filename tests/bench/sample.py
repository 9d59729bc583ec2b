"""Seconds of repetitions, taken in turns so that a slow spell hits all ways alike."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """Repetitions of one quantity, such as seconds."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Return the first and the third."""
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        first, _, third = statistics.quantiles(self.values, n=4, method="inclusive")
        return first, third

    def scaled(self, factor: float) -> "Sample":
        return Sample(tuple(factor * value for value in self.values))

    def over(self, other: "Sample") -> "Sample":
        """Return the ratio of each repetition to the other's beside it."""
        pairs = zip(self.values, other.values, strict=True)
        return Sample(tuple(one / two for one, two in pairs))

    def __str__(self) -> str:
        first, third = self.quartiles
        return f"{self.median:.3g} ({first:.3g} to {third:.3g})"


def seconds(function: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turns(
    ways: dict[str, Callable[[], float]], *, num: int, warm_up: int = 1
) -> dict[str, Sample]:
    """Measure every way `num` times, in turns; the first `warm_up` are dropped."""
    values: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(warm_up + num):
        for name, way in ways.items():
            value = way()
            if turn >= warm_up:
                values[name].append(value)
    return {name: Sample(tuple(each)) for name, each in values.items()}
