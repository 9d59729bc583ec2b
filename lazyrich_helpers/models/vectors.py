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


def bind_(network: nn.Module, parameters: Float[Tensor, " num_parameters"]) -> None:
    """Make the network's parameters views of `parameters`: writing moves both."""
    vector_to_parameters(parameters, network.parameters())
