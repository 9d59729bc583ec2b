"""What re-initialization costs any model on inputs with labels, at every share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lazyrich_helpers.config import require
from lazyrich_helpers.reinit.reinitialization import (
    SCENARIOS,
    movement_order,
    reinitialized,
    vector_of,
)
from lazyrich_helpers.reinit.tangent_kernel import Forward

FRACTIONS = (0.0, *(10.0 ** (k / 4) for k in range(-16, 1)))
"""0, and 0.01 % to 100 %, four a decade."""
BATCH = 256
"""Inputs in one forward pass."""

POINT = 0.01
"""Of accuracy: what a reset must cost to count, and how near is as good as trained."""


@dataclass(frozen=True)
class ReinitCurves:
    """Accuracy, 0 to 1, after γ-active and ε-lazy re-initialization."""

    fractions: list[float]
    active: list[float]
    """With the share γ that moved most reset."""
    lazy: list[float]
    """With all but the share ε that moved most reset."""
    num_inputs: int

    @property
    def costly_gamma(self) -> float | None:
        """Smallest γ that costs more than a point; None if none does."""
        pairs = zip(self.fractions, self.active, strict=True)
        return next((f for f, a in pairs if a < self.active[0] - POINT), None)

    @property
    def sufficient_epsilon(self) -> float | None:
        """Smallest ε that is within a point of the trained network."""
        pairs = zip(self.fractions, self.lazy, strict=True)
        return next((f for f, a in pairs if a >= self.active[0] - POINT), None)


@torch.no_grad()
def accuracy_curves(
    model: nn.Module,
    starts: Mapping[str, Tensor],
    inputs: Tensor,
    labels: Tensor,
    forward: Forward,
) -> ReinitCurves:
    """Return the curves of a trained `model`, of which parameters are written to."""
    parameters = dict(model.named_parameters())
    sizes = [p.numel() for p in parameters.values()]
    initial, final = vector_of(starts), vector_of(parameters)
    order = movement_order(initial, final)

    def accuracy(fraction: float, scenario: str) -> float:
        """Return the share of inputs that a re-initialized model classifies right."""
        vector = reinitialized(
            initial, final, order, fraction=fraction, scenario=scenario
        )
        set_values(parameters.values(), vector.split(sizes))
        named = torch.cat([forward(model, x).argmax(-1) for x in inputs.split(BATCH)])
        shape = tuple(named.shape)
        require(
            labels.shape == shape, "labels", f"of shape {shape}", tuple(labels.shape)
        )
        return (named == labels.to(named.device)).cpu().double().mean().item()

    active, lazy = ([accuracy(f, s) for f in FRACTIONS] for s in SCENARIOS)
    return ReinitCurves([*FRACTIONS], active, lazy, len(inputs))


@torch.no_grad()
def set_values(tensors: Iterable[Tensor], values: Iterable[Tensor]) -> None:
    """Write values into tensors of as many numbers, in place."""
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value.view_as(tensor))
