"""Seconds of repetitions, taken in turns so that a slow spell hits all ways alike."""

import time
from collections.abc import Callable

import numpy as np


def seconds(function: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turns(
    ways: dict[str, Callable[[], float]], *, num: int, warm_up: int = 1
) -> dict[str, np.ndarray]:
    """Measure every way `num` times, in turns; the first `warm_up` are dropped."""
    values: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(warm_up + num):
        for name, way in ways.items():
            value = way()
            if turn >= warm_up:
                values[name].append(value)
    return {name: np.array(each) for name, each in values.items()}
