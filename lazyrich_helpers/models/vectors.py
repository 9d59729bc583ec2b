"""All parameters of a network as one vector."""

import torch
from torch import Tensor

from lazyrich_helpers.models.network import Network


def flat_parameters(network: Network) -> Tensor:
    """Return a copy of all parameters as one vector (num_parameters,), bottom first."""
    return torch.cat([p.detach().reshape(-1) for p in network.parameters()])


def bind_(network: Network, parameters: Tensor) -> None:
    """Make the network's parameters views of `parameters` (p,): writing moves both."""
    sizes = [p.numel() for p in network.parameters()]
    for p, values in zip(network.parameters(), parameters.split(sizes), strict=True):
        p.data = values.view_as(p)
