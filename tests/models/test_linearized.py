"""The linearized model is the network to first order, and linear."""

import copy

import pytest
import torch
from torch.func import functional_call

from lazyrich_helpers.models.convnets import conv_net
from lazyrich_helpers.models.linearized import Linearized, linearized_outputs
from lazyrich_helpers.models.network import relu_net

NETWORKS = {
    "relu": lambda: relu_net(12, 2, 64, 3),
    "conv": lambda: conv_net(4, 2, (1, 8, 8), 3),
}
# Drawn by a seed: near a kink of a ReLU no network is its linearization.
INPUTS = torch.randn(
    7, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
)


@pytest.fixture(params=NETWORKS)
def network(request):
    torch.manual_seed(1)
    return NETWORKS[request.param]().double()


def moved(network, size):
    """Return its parameters, and where they are after a step of some size."""
    start = {name: p.detach() for name, p in network.named_parameters()}
    drawn = torch.Generator().manual_seed(3)
    return start, {
        name: p + size * torch.randn(p.shape, generator=drawn, dtype=p.dtype)
        for name, p in start.items()
    }


def test_it_is_the_network_to_first_order(network):
    apart = []
    for size in (1e-4, 1e-5):
        start, there = moved(network, size)
        first, change = linearized_outputs(network, start, there, INPUTS)
        real = functional_call(network, there, (INPUTS,))
        apart.append((real - first - change).norm() / change.norm())
    assert apart[0] < 1e-2
    assert apart[1] < 0.3 * apart[0]  # ten times closer: the rest is of second order


def test_it_is_linear_in_the_parameters(network):
    start, there = moved(network, 1.0)
    twice = {name: 2 * there[name] - start[name] for name in start}
    first, change = linearized_outputs(network, start, there, INPUTS)
    _, double = linearized_outputs(network, start, twice, INPUTS)
    torch.testing.assert_close(double, 2 * change)
    torch.testing.assert_close(first, network(INPUTS))


def test_a_linearized_module_begins_at_the_network_and_leaves_it_alone(network):
    before = copy.deepcopy(network.state_dict())
    linear = Linearized(network)
    torch.testing.assert_close(linear(INPUTS), network(INPUTS))
    assert sum(p.numel() for p in linear.parameters()) == sum(
        p.numel() for p in network.parameters()
    )
    optimizer = torch.optim.SGD(linear.parameters(), lr=0.1)
    linear(INPUTS).square().mean().backward()
    optimizer.step()
    assert not torch.equal(linear(INPUTS), network(INPUTS))
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_its_first_gradient_is_the_networks(network):
    linear = Linearized(network)
    own = torch.autograd.grad(network(INPUTS).square().sum(), [*network.parameters()])
    its = torch.autograd.grad(linear(INPUTS).square().sum(), [*linear.parameters()])
    for one, two in zip(own, its, strict=True):
        torch.testing.assert_close(one, two)
