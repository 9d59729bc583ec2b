"""Networks that expose `layers`, input to output."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from lazyrich_helpers.config import Count, Part

if TYPE_CHECKING:
    from jaxtyping import Float

ImageShape = tuple[int, int, int]
"""Channels, height, width."""


class Network(nn.Module):
    """Weight-bearing layers in order; running them in order is the network.

    Each entry of `layers` holds one weight matrix or kernel stack with its bias and
    what follows it: activation, pooling, flattening. Layer 0 reads the input: it is
    the *bottom*; the last is the *top*.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(
        self, inputs: Float[Tensor, "batch channels h w"]
    ) -> Float[Tensor, "batch num_classes"]:
        """Return the images' logits."""
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def above(self, cut: int) -> Network:
        """Return a network of the same layers without the `cut` lowest ones.

        It reads what layer `cut` does; at 0 it is the network itself.
        """
        return Network(list(self.layers)[cut:]) if cut else self


@runtime_checkable
class ModelPart(Protocol):
    """A config part that builds its network. Parameters come uninitialized."""

    def build(self, image_shape: ImageShape, num_classes: int) -> Network:
        """Return the network for such images."""
        ...


def without_memory(build: Callable[[], Network]) -> Network:
    """Return the network `build` makes, on the CPU, its parameters uninitialized."""
    with torch.device("meta"):  # torch's own start takes seconds at 100,000 units
        network = build()
    return network.to_empty(device="cpu")


def relu_net(width: int, depth: int, num_inputs: int, num_classes: int) -> Network:
    """Return a fully connected ReLU network: `depth` hidden layers of `width` units.

    It has depth + 1 weight layers and
    width (num_inputs + 1) + (depth - 1) width (width + 1) + num_classes (width + 1)
    parameters.

    Source: Li & Banerjee (2021), Section 3 (ReLU-Net).
    """
    sizes = [num_inputs] + [width] * depth
    layers: list[nn.Module] = [
        nn.Sequential(nn.Linear(fan_in, fan_out), nn.ReLU())
        for fan_in, fan_out in itertools.pairwise(sizes)
    ]
    layers[0] = nn.Sequential(nn.Flatten(), *layers[0])  # type: ignore[misc]
    layers.append(nn.Linear(width, num_classes))
    return Network(layers)


@dataclass(frozen=True, kw_only=True)
class ReluNet(Part, slot="model", kind="relu_net"):
    """A ReLU-Net of Section 3."""

    width: Count
    """Units per hidden layer, w."""
    depth: Count
    """Hidden layers, d; there are d + 1 weight layers."""

    def build(self, image_shape: ImageShape, num_classes: int) -> Network:
        num_inputs = math.prod(image_shape)
        return without_memory(
            lambda: relu_net(self.width, self.depth, num_inputs, num_classes)
        )


@functools.lru_cache
def blueprint(model: ModelPart, image_shape: ImageShape, num_classes: int) -> Network:
    """Return the network without numbers, on torch's `meta` device.

    Raises:
        ValueError: If no memory could hold it.
    """
    try:
        return model.build(image_shape, num_classes).to("meta")
    except (RuntimeError, MemoryError, TypeError) as error:  # or beyond int64
        raise ValueError(
            f"a network must be one that memory holds; got {model}."
        ) from error
