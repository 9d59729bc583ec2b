"""Re-initialization curves of a trained network: test accuracy at every share.

Source: Li & Banerjee (2021), Section 4, Figures 2 and 3.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from lazyrich_helpers.config import require
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.vectors import bind_
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.reinit.reinitialization import (
    SCENARIOS,
    movement_order,
    num_active,
)
from lazyrich_helpers.training.loop import Trained, count_correct
from lazyrich_helpers.training.stack import Stack

LOG_FRACTIONS = tuple(10.0 ** (k / 4) for k in range(-20, 1))
"""0.001 % to 100 %, four a decade."""
LINEAR_FRACTIONS = tuple(k / 20 for k in range(1, 20))
FRACTIONS = tuple(sorted({0.0, *LOG_FRACTIONS, *LINEAR_FRACTIONS}))
"""What records hold: enough for a logarithmic and for a linear axis."""
SMALL = 100_000
"""Parameters up to which all points of a curve are computed as one. On one core, the 42
points then take 0.14 instead of 0.21 s at 10 units, 0.65 instead of 0.73 at 100; at 200
units they would take longer."""


def weights_order(trained: Trained) -> Tensor:
    """Return `movement_order` without the biases: the indices of weights alone."""
    order = movement_order(trained.initial, trained.final)
    parts = [torch.full_like(p, p.dim() > 1) for p in trained.network.parameters()]
    is_weight = torch.cat([part.flatten() for part in parts]).bool()
    return order[is_weight[order]]


def reinit_counts(
    trained: Trained, order: Tensor, fractions: Sequence[float], scenario: str
) -> list[int]:
    """Return the number of correct test images at each of the ascending `fractions`.

    Only the parameters between one fraction and the next are written, so that a whole
    curve costs little more than its forward passes; small networks are passed through
    at all fractions at once. `order` is `movement_order`'s or `weights_order`'s: what
    it leaves out keeps its trained value, and does not count in a fraction.
    """
    require(scenario in SCENARIOS, "scenario", "active or lazy", scenario)
    ascending = list(fractions) == sorted(fractions)
    require(ascending, "fractions", "in ascending order", fractions)
    start, other = trained.final, trained.initial
    if scenario == "lazy":
        start, other = other, start
    parameters = start.clone()
    if len(order) < len(start):
        parameters = trained.final.clone()
        parameters[order] = start[order]
    points = _fill_(parameters, other, order, fractions)
    network, test = trained.network, trained.data.test
    precision = trained.config.training.precision
    if fractions and len(order) <= SMALL and not list(network.buffers()):
        vectors = torch.stack([parameters.clone() for _ in points])
        return Stack.at(network, vectors).count_correct(test, precision)
    bind_(network, parameters)
    counts = [count_correct(network, test, precision) for _ in points]
    bind_(network, trained.final.clone())
    return counts


def _fill_(
    parameters: Tensor, other: Tensor, order: Tensor, fractions: Sequence[float]
) -> Iterator[None]:
    """Write the entries of `other` that each fraction adds; yield after each."""
    done = 0
    for fraction in fractions:
        end = num_active(fraction, len(order))
        changed = order[done:end]
        parameters[changed] = other[changed]
        done = end
        yield


class Reinit(Measure):
    """Both curves at `FRACTIONS`, as counts of correct test images."""

    name: ClassVar[str] = "reinit"
    version: ClassVar[int] = 1
    test_passes: ClassVar[int] = 2 * len(FRACTIONS)

    def result(self, trained: Trained) -> dict[str, Any]:
        order = self.order(trained)
        counts = {s: reinit_counts(trained, order, FRACTIONS, s) for s in SCENARIOS}
        return {
            "fractions": [float(f"{fraction:.6g}") for fraction in FRACTIONS],
            "num_test": len(trained.data.test),
            "num_unmoved": int((trained.initial == trained.final).sum()),
            **counts,
        }

    def order(self, trained: Trained) -> Tensor:
        """Return the indices of what is ranked, most active first."""
        return movement_order(trained.initial, trained.final)


class WeightsReinit(Reinit):
    """Both curves with the weights alone ranked and reset: biases stay trained."""

    name: ClassVar[str] = "reinit_weights"
    version: ClassVar[int] = 1

    def order(self, trained: Trained) -> Tensor:
        return weights_order(trained)


class RandomReset(Measure):
    r"""A control, not the paper's: does it matter which parameters are reset?

    Correct test images where random parameters are reset, at each of `FRACTIONS`.
    Resetting the k most active ones takes away the k largest displacements. So
    `same_number` resets as many parameters as are active; `same_distance` goes on in
    the same random order until the reset parameters' displacement
    $\|\theta^T - \theta^0\|_2$ is at least that of the active ones, `num_reset` of
    them.
    """

    name: ClassVar[str] = "random_reset"
    version: ClassVar[int] = 1
    test_passes: ClassVar[int] = 2 * len(FRACTIONS)

    def result(self, trained: Trained) -> dict[str, Any]:
        stream = generator("random reset", trained.config.training.seed)
        order = torch.randperm(len(trained.final), generator=stream)
        order = order.to(trained.final.device)
        numbers = equal_distance(trained.initial, trained.final, order)
        shares = [number / len(order) for number in numbers]
        return {
            "fractions": [float(f"{fraction:.6g}") for fraction in FRACTIONS],
            "num_test": len(trained.data.test),
            "num_reset": numbers,
            "same_number": reinit_counts(trained, order, FRACTIONS, "active"),
            "same_distance": reinit_counts(trained, order, shares, "active"),
        }


def equal_distance(initial: Tensor, final: Tensor, order: Tensor) -> list[int]:
    """Return how many of `order` (p,) are displaced as far as the active parameters.

    Of each of `FRACTIONS` of the parameters, in order: the least number whose summed
    squared displacement reaches that of the active ones.
    """
    squares = (final.double() - initial.double()).square()
    active = squares[movement_order(initial, final)].cumsum(0)
    random = squares[order].cumsum(0)
    numbers = [num_active(fraction, len(squares)) for fraction in FRACTIONS]
    wanted = torch.stack([active[max(k - 1, 0)] for k in numbers])
    # Of all parameters the two sums are one, but for rounding.
    found = torch.searchsorted(random, wanted.clamp(max=random[-1])) + 1
    return [int(n) if k else 0 for n, k in zip(found, numbers, strict=True)]
