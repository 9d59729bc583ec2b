"""All parameters of a network as one vector."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters


@torch.no_grad()
def flat_parameters(network: nn.Module) -> Tensor:
    """Return a copy of all parameters as one vector (num_parameters,), bottom first."""
    return parameters_to_vector(network.parameters())


def bind_(network: nn.Module, parameters: Tensor) -> None:
    """Make the network's parameters views of `parameters` (p,): writing moves both."""
    vector_to_parameters(parameters, network.parameters())
