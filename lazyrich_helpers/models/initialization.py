"""Initial parameters. Every draw comes from the run's seed, on the CPU."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from lazyrich_helpers.config import Part, Positive
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.random_streams import generator

if TYPE_CHECKING:
    from jaxtyping import Float

NUMERICS_VERSION = 1
LITERAL_GAIN = 1 / math.sqrt(2)
"""Of `XavierNormal`: the paper's variance read literally."""


@runtime_checkable
class InitPart(Protocol):
    """A config part that sets a network's initial parameters, in place."""

    def require_ready(self, network: Network) -> None:
        """Look ahead: `network` may be a blueprint, without numbers.

        Raises:
            ValueError: If such a network can not start from here, or a file that it
                takes (`DataError`) is missing, truncated or altered.
        """
        ...

    def initialize_(
        self, network: Network, seed: int, inputs: Float[Tensor, "batch channels h w"]
    ) -> None:
        """Overwrite every parameter of `network`, which lies on the CPU.

        Args:
            network: As its part built it, with memory for numbers.
            seed: Of the run.
            inputs: Training images, for a start that depends on the data.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class XavierNormal(Part, slot="init", kind="xavier_normal"):
    r"""Gaussian weights of variance $2 g^2 / (n_{in} + n_{out})$, biases zero.

    The paper prints $\sigma^2 \sim 1/(|l_i| + |l_{i+1}|)$, a proportionality. With
    `gain` $g = 1$ this is Xavier's variance as every library has it; with
    $g = 1/\sqrt 2$ it is the printed formula read literally. Batch norm starts as the
    identity: scales 1, shifts 0, running means 0 and variances 1.

    Source: Li & Banerjee (2021), Section 3; Glorot & Bengio (2010), Eq. 12.
    """

    gain: Positive = 1.0
    """Scale of the standard deviation, dimensionless."""

    def require_ready(self, network: Network) -> None:
        """Every network is fine, and no file is needed."""

    def initialize_(self, network: Network, seed: int, inputs: Tensor) -> None:
        del inputs
        self.draw_(network, seed)

    def draw_(self, network: Network, seed: int) -> None:
        """Overwrite every parameter of `network`, which lies on the CPU."""
        draw_normal_(network, seed, functools.partial(xavier_std, gain=self.gain))


def draw_normal_(
    network: Network, seed: int, std_of: Callable[[Tensor], float]
) -> None:
    """Overwrite every parameter of `network`, which lies on the CPU.

    Weights are Gaussian, each layer's from a stream of its own; biases are zero. Batch
    norm starts as the identity: scales 1, shifts 0, running means 0 and variances 1.
    """
    for index, layer in enumerate(network.layers):
        stream = generator("init", seed, index)
        for parameter in layer.parameters():
            if parameter.dim() < 2:
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=std_of(parameter), generator=stream)
        for module in layer.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.reset_parameters()


def xavier_std(
    weight: Float[Tensor, "fan_out fan_in *kernel"], *, gain: float = 1.0
) -> float:
    """Return Xavier's standard deviation; a kernel's area multiplies both fans."""
    fan_out, fan_in = weight.shape[:2]
    area = math.prod(weight.shape[2:])
    return gain * math.sqrt(2.0 / (area * (fan_in + fan_out)))


def convolutions(network: Network) -> list[nn.Conv2d]:
    """Return the network's convolutions, bottom first."""
    return [m for m in network.modules() if isinstance(m, nn.Conv2d)]


def transfer_(network: Network, seed: int, trained: Sequence[Tensor]) -> None:
    """Set the convolutions to trained ones; all else as `XavierNormal` draws it.

    The network lies on the CPU; `trained` has the convolutions' parameters in order.
    """
    XavierNormal().draw_(network, seed)
    kept = [p for layer in convolutions(network) for p in layer.parameters()]
    with torch.no_grad():
        for parameter, values in zip(kept, trained, strict=True):
            assert parameter.shape == values.shape, "copy_ would broadcast"
            parameter.copy_(values)
