"""Floating-point operations of each layer of a network, going forward.

Counted are the products of matrix multiplications and convolutions, two operations for
each multiplication; what else a step does (activations, pooling, the optimizer) is left
out. What a step costs by these is in `measures.costs`.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lazyrich_helpers.models.network import Network

Flops = Sequence[Sequence[int]]
"""Layer, bottom first → operations of each of its weights, forward, for one image."""


def layer_flops(network: Network, image_shape: tuple[int, int, int]) -> Flops:
    """Return the operations of each layer's weights.

    The network may be on any device, also without numbers (`meta`); it is left as it
    was.
    """
    device = next(network.parameters()).device
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *image_shape, device=device))
    for module, mode in modes:
        module.training = mode
    root, counts = type(network).__name__, counter.get_flop_counts()
    own = {
        module: sum(counts.get(f"{root}.{name}", {}).values())
        for name, module in network.named_modules()
    }
    return [
        [
            own[each]
            for each in layer.modules()
            if isinstance(each, nn.Linear | nn.Conv2d)
        ]
        for layer in network.layers
    ]
