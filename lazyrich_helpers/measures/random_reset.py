"""Random parameters reset beside the active ones: does it matter which are reset?

A control that the paper does not have (Li & Banerjee, 2021, Section 4). Resetting the
k most active parameters takes away the k largest displacements. So two random sets
stand beside them: one of as many parameters, and one whose displacement is as long.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.measures.reinit_curves import FRACTIONS, reinit_counts
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.reinit.reinitialization import movement_order, num_active
from lazyrich_helpers.training.loop import Trained


class RandomReset(Measure):
    r"""Correct test images where random parameters are reset, at each of `FRACTIONS`.

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
