"""How a network is laid out: its layers, and where their parameters lie."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from lazyrich_helpers.models.network import Network


@dataclass(frozen=True, slots=True)
class Span:
    """One parameter tensor's place in `vectors.flat_parameters`."""

    layer: int
    """Index in `network.layers`; 0 is the bottom."""
    start: int
    """Index of its first entry."""
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many entries it has."""
        return math.prod(self.shape)

    @property
    def place(self) -> slice:
        """Its entries in the vector."""
        return slice(self.start, self.start + self.size)

    @property
    def is_weight(self) -> bool:
        """Whether it is a weight matrix or kernel stack; the rest count as biases."""
        return len(self.shape) >= 2


def spans(network: Network) -> list[Span]:
    """Return every parameter tensor's span, in the order of the vector."""
    found, start = [], 0
    for index, layer in enumerate(network.layers):
        for parameter in layer.parameters():
            found.append(Span(index, start, tuple(parameter.shape)))
            start += parameter.numel()
    return found


def layer_places(network: Network) -> list[slice]:
    """Return each layer's stretch of the vector, biases included, bottom first."""
    places: dict[int, slice] = {}
    for span in spans(network):
        start = places.get(span.layer, span.place).start
        places[span.layer] = slice(start, span.place.stop)
    return list(places.values())


def architecture(
    network: Network, image_shape: tuple[int, int, int]
) -> list[dict[str, str | int]]:
    """Return one row per layer, bottom first: `layer`, `output`, `parameters`.

    `layer` says what it is, as in "3×3 conv, 64, ReLU, 2×2 max-pool"; `output` is the
    shape it gives for an image (channels, height, width).
    """
    hidden = torch.zeros(1, *image_shape)
    rows: list[dict[str, str | int]] = []
    with torch.no_grad():
        for layer in network.eval().layers:
            hidden = layer(hidden)
            parts = filter(None, map(_in_words, layer.modules()))
            size = sum(p.numel() for p in layer.parameters())
            shape = "×".join(map(str, hidden.shape[1:]))
            rows.append(
                {"layer": ", ".join(parts), "output": shape, "parameters": size}
            )
    return rows


def _in_words(module: nn.Module) -> str:
    """Return what a module is; empty for those that only hold or reshape others."""
    if isinstance(module, nn.Conv2d):
        height, width = module.kernel_size
        return f"{height}×{width} conv, {module.out_channels}"
    if isinstance(module, nn.Linear):
        return f"fully connected, {module.out_features}"
    if isinstance(module, nn.MaxPool2d):
        return "2×2 max-pool"
    names = {
        nn.ReLU: "ReLU",
        nn.BatchNorm2d: "batch norm",
        nn.BatchNorm1d: "batch norm",
    }
    return names.get(type(module), "")
