"""All parameters of a network as one vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

if TYPE_CHECKING:
    from jaxtyping import Float


@torch.no_grad()
def flat_parameters(network: nn.Module) -> Float[Tensor, " num_parameters"]:
    """Return a copy of all parameters as one vector, bottom first."""
    return parameters_to_vector(network.parameters())


def named_parts(
    network: nn.Module, parameters: Float[Tensor, " num_parameters"]
) -> dict[str, Tensor]:
    """Return views of `parameters` by the names and shapes of the network's own."""
    named = list(network.named_parameters())
    parts = parameters.split([p.numel() for _, p in named])
    return {n: v.view_as(p) for (n, p), v in zip(named, parts, strict=True)}


def bind_(network: nn.Module, parameters: Float[Tensor, " num_parameters"]) -> None:
    """Make the network's parameters views of `parameters`: writing moves both."""
    vector_to_parameters(parameters, network.parameters())
