"""Networks of one shape trained as one, of which a step may compute a part.

Each parameter has the networks along its first axis. A part is computed by its own
units or factors alone: what it leaves out costs nothing, forward or backward.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lazyrich_helpers.models.flops import Flops
from lazyrich_helpers.models.network import Network

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Units:
    """A sub-network: some units of each hidden layer, as indices, ascending."""

    hidden: tuple[Tensor, ...]
    """Of each hidden layer, bottom first."""
    scale: float = 1.0
    """What the kept units' activations are multiplied by."""


@dataclass(frozen=True)
class Core:
    """The low-rank part of every weight matrix."""


class StackedLinear(nn.Module):
    """$y = W x + b$ of `num` networks."""

    def __init__(self, num: int, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num, fan_out, fan_in))
        self.bias = nn.Parameter(torch.zeros(num, fan_out))

    def forward(
        self,
        inputs: Float[Tensor, "num batch fan_in"],
        rows: Tensor | None = None,
        columns: Tensor | None = None,
    ) -> Float[Tensor, "num batch fan_out"]:
        """Return the outputs, of some `rows` from some `columns` where given."""
        weight, bias = self.weight, self.bias
        if rows is not None:
            weight, bias = weight.index_select(1, rows), bias.index_select(1, rows)
        if columns is not None:
            weight = weight.index_select(2, columns)
        return torch.baddbmm(bias[:, None], inputs, weight.transpose(1, 2))


class LowRankLinear(nn.Module):
    r"""$y = (U V^\top + R) x + b$ of `num` networks; its core leaves out $R$."""

    def __init__(self, num: int, fan_in: int, fan_out: int, rank: int) -> None:
        super().__init__()
        self.rest = nn.Parameter(torch.zeros(num, fan_out, fan_in))
        self.left = nn.Parameter(torch.zeros(num, fan_out, rank))
        self.right = nn.Parameter(torch.zeros(num, rank, fan_in))
        self.bias = nn.Parameter(torch.zeros(num, fan_out))

    def forward(
        self, inputs: Float[Tensor, "num batch fan_in"], *, core: bool = False
    ) -> Float[Tensor, "num batch fan_out"]:
        """Return the outputs, of the core alone if asked for."""
        between = torch.bmm(inputs, self.right.transpose(1, 2))  # (num, batch, rank)
        outputs = torch.baddbmm(self.bias[:, None], between, self.left.transpose(1, 2))
        if core:
            return outputs
        return torch.baddbmm(outputs, inputs, self.rest.transpose(1, 2))


class StackedReluNet(Network):
    """`num` fully connected ReLU networks; `sizes` from the inputs to the classes."""

    def __init__(self, num: int, sizes: Sequence[int]) -> None:
        pairs = itertools.pairwise(sizes)
        super().__init__([StackedLinear(num, *pair) for pair in pairs])
        self.sizes = tuple(sizes)

    def forward(
        self, inputs: Float[Tensor, "num batch features"], part: Units | None = None
    ) -> Float[Tensor, "num batch num_classes"]:
        """Return logits, of a sub-network where one is given."""
        kept = part.hidden if part else (None,) * (len(self.layers) - 1)
        *lower, top = self.layers
        for layer, rows, columns in zip(lower, kept, (None, *kept[:-1]), strict=True):
            inputs = F.relu(layer(inputs, rows, columns))
            if part and part.scale != 1:
                inputs = inputs * part.scale
        return top(inputs, None, kept[-1])

    def flops(self, part: Units | None = None) -> Flops:
        """Return each layer's operations forward, as `layer_flops`."""
        inner = [len(own) for own in part.hidden] if part else self.sizes[1:-1]
        sizes = [self.sizes[0], *inner, self.sizes[-1]]
        return [[2 * one * two] for one, two in itertools.pairwise(sizes)]


class LowRankReluNet(Network):
    """As `StackedReluNet`, with a low-rank core in every matrix."""

    def __init__(self, num: int, sizes: Sequence[int], rank: int) -> None:
        pairs = itertools.pairwise(sizes)
        super().__init__([LowRankLinear(num, *pair, rank) for pair in pairs])
        self.sizes, self.rank = tuple(sizes), rank

    def forward(
        self, inputs: Float[Tensor, "num batch features"], part: Core | None = None
    ) -> Float[Tensor, "num batch num_classes"]:
        """Return logits, of the core where it is asked for."""
        *lower, top = self.layers
        for layer in lower:
            inputs = F.relu(layer(inputs, core=part is not None))
        return top(inputs, core=part is not None)

    def flops(self, part: Core | None = None) -> Flops:
        """Return each layer's operations forward, as `layer_flops`."""
        found = []
        for fan_in, fan_out in itertools.pairwise(self.sizes):
            core = 2 * self.rank * (fan_in + fan_out)
            found.append([core if part else core + 2 * fan_in * fan_out])
        return found


@torch.no_grad()
def draw_(
    network: nn.Module, streams: Sequence[torch.Generator], *, rest: float = 2.0
) -> None:
    r"""Fill matrices with $\mathcal{N}(0, g / \text{fan-in})$; vectors are left.

    $g = 2$ for a weight and for $V$. $U$ has $g = 1$, its fan-in being the rank, so
    that the entries of $U V^\top$ have a weight's variance; `rest` is the $g$ of $R$,
    what a low-rank core leaves out. Each network has a stream.
    """
    gains = {"left": 1.0, "rest": rest}
    for name, p in network.named_parameters():
        if p.dim() < 3:
            continue
        gain = gains.get(name.rsplit(".", 1)[-1], 2.0)
        for own, stream in zip(p, streams, strict=True):
            drawn = torch.randn(own.shape, generator=stream)
            own.copy_(drawn * (gain / p.shape[2]) ** 0.5)
