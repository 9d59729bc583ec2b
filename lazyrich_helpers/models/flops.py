"""Floating-point operations of a step: what each layer costs, and what a plan saves.

Counted are the products of matrix multiplications and convolutions, two operations for
each multiplication; what else a step does (activations, pooling, the optimizer) is left
out. Going forward a layer of weights W costs some F operations. Going backward it costs
F for the gradient of W, where it is trainable, and F for the gradient of its input,
which the layers below need: not where none of those is trainable. A layer may hold
several weights, one after the other, such as a block of convolutions.

Source: Li & Banerjee (2021), Section 6.1, say the like in words; the count is ours.
"""

from collections.abc import Collection, Sequence

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

    hooks = [
        module.register_forward_hook(add)
        for module in layer.modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]
    output = layer(inputs)
    for hook in hooks:
        hook.remove()
    return output, found


def forward_flops(flops: Flops) -> int:
    """Return a step's operations forward, for one image; `flops` as `layer_flops`."""
    return sum(map(sum, flops))


def backward_flops(flops: Flops, trainable: Collection[int]) -> int:
    """Return a step's operations backward where only some layers are updated.

    Args:
        flops: From `layer_flops`.
        trainable: Layers, at least one, 0 the bottom.

    In a residual block a second weight reads what the first does; then this counts a
    gradient of it too many in the lowest trainable layer.
    """
    weights = sum(sum(flops[layer]) for layer in trainable)
    lowest = min(trainable)
    inputs = sum(flops[lowest][1:]) + forward_flops(flops[lowest + 1 :])
    return weights + inputs


def backward_share(flops: Flops, trainable: Collection[int]) -> float:
    """Return `backward_flops` as a share of those of full training, 0 to 1."""
    return backward_flops(flops, trainable) / backward_flops(flops, range(len(flops)))
