r"""γ-active and ε-lazy re-initialization (Li & Banerjee, 2021, Section 4).

Parameters are ranked once, over all layers and with the biases, by how far training
moved them, $|\theta^T_i - \theta^0_i|$, farthest first. At fraction $f$, the first
$k = \lfloor f p + 1/2 \rfloor$ are the *active* ones:

* γ-active at f resets those k to their initial values and keeps the rest;
* ε-lazy at f keeps those k and resets the rest.

**Ties** keep the order of the parameters, bottom layer first, a layer's weights before
its biases, row by row. Parameters that did not move at all thus come last, and
resetting them changes nothing.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from lazyrich_helpers.config import require
from lazyrich_helpers.measures import Measure
from lazyrich_helpers.models import Network
from lazyrich_helpers.stack import Stack
from lazyrich_helpers.train import Trained, count_correct

SCENARIOS = ("active", "lazy")
LOG_FRACTIONS = tuple(10.0 ** (k / 4) for k in range(-20, 1))
"""0.001 % to 100 %, four a decade."""
LINEAR_FRACTIONS = tuple(k / 20 for k in range(1, 20))
FRACTIONS = tuple(sorted({0.0, *LOG_FRACTIONS, *LINEAR_FRACTIONS}))
"""What records hold: enough for a logarithmic and for a linear axis."""

SMALL = 100_000
"""Parameters up to which all points of a curve are computed as one. On one core, the 42
points then take 0.14 instead of 0.21 s at 10 units, 0.65 instead of 0.73 at 100; at 200
units they would take longer."""


def movement_order(initial: Tensor, final: Tensor) -> Tensor:
    """Return parameter indices (p,), int64, most active first; ties as they lie."""
    return torch.sort((final - initial).abs(), descending=True, stable=True).indices


def weights_order(trained: Trained) -> Tensor:
    """Return `movement_order` without the biases: the indices of weights alone."""
    order = movement_order(trained.initial, trained.final)
    parts = [torch.full_like(p, p.dim() > 1) for p in trained.network.parameters()]
    is_weight = torch.cat([part.flatten() for part in parts]).bool()
    return order[is_weight[order]]


def num_active(fraction: float, num_parameters: int) -> int:
    """Return how many parameters `fraction` of them is, halves rounded up."""
    require(0 <= fraction <= 1, "fraction", "between 0 and 1", fraction)
    return math.floor(fraction * num_parameters + 0.5)


def percent_label(fraction: float) -> str:
    """Return a fraction as a percentage of two significant digits."""
    return f"{float(f'{100 * fraction:.2g}'):g} %"


def reinitialized(
    initial: Tensor, final: Tensor, order: Tensor, *, fraction: float, scenario: str
) -> Tensor:
    """Return the parameters (p,) after one re-initialization.

    Args:
        initial: Parameters before training (p,).
        final: Parameters after training (p,).
        order: `movement_order(initial, final)`.
        fraction: Share of the parameters counted as active, 0 to 1 (γ or ε).
        scenario: `active` resets the active ones, `lazy` resets all others.

    Raises:
        ValueError: If `fraction` or `scenario` is out of range.
    """
    require(scenario in SCENARIOS, "scenario", "active or lazy", scenario)
    active = order[: num_active(fraction, len(order))]
    kept, replaced = (final, initial) if scenario == "active" else (initial, final)
    result = kept.clone()
    result[active] = replaced[active]
    return result


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


def bind_(network: Network, parameters: Tensor) -> None:
    """Make the network's parameters views of `parameters` (p,): writing moves both."""
    sizes = [p.numel() for p in network.parameters()]
    for p, values in zip(network.parameters(), parameters.split(sizes), strict=True):
        p.data = values.view_as(p)


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
