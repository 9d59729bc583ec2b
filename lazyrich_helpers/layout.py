"""Where a network's parameters lie in the vector that holds them all."""

import math
from dataclasses import dataclass

from lazyrich_helpers.models import Network


@dataclass(frozen=True, slots=True)
class Span:
    """One parameter tensor's place in `initialization.flat_parameters`."""

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
