"""Floating-point operations of each layer of a network, going forward.

Counted are the products of matrix multiplications and convolutions, two operations for
each multiplication; what else a step does (activations, pooling, the optimizer) is left
out. What a step costs by these is in `measures.costs`.
"""

import contextlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lazyrich_helpers.models.network import Network

Flops = Sequence[Sequence[int]]
"""Layer, bottom first → operations of each of its weights, forward, for one image."""


def layer_flops(network: Network, image_shape: tuple[int, int, int]) -> Flops:
    """Return the operations of each layer's weights.

    The network may be on any device, also without numbers (`meta`); it is left as it
    was.
    """
    device = next(network.parameters()).device
    inputs = torch.zeros(1, *image_shape, device=device)
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    found = []
    with torch.no_grad():
        for layer in network.layers:
            inputs, flops = _through(layer, inputs)
            found.append(flops)
    for module, mode in modes:
        module.training = mode
    return found


def _through(layer: nn.Module, inputs: Tensor) -> tuple[Tensor, list[int]]:
    """Return a layer's output and the operations of its weights, in turn."""
    found: list[int] = []

    def add(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        del inputs
        weight = next(module.parameters())
        places = output.numel() // len(weight)
        found.append(2 * weight.numel() * places)

    with contextlib.ExitStack() as hooks:
        for module in layer.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                hooks.enter_context(module.register_forward_hook(add))
        return layer(inputs), found
