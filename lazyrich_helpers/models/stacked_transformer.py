"""Small Transformers of one shape, trained as one, with a low-rank core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.stacked import Core, LowRankLinear, StackedLinear

if TYPE_CHECKING:
    from jaxtyping import Float


class _Embedding(nn.Module):
    """Tokens to vectors, with a learned position added to each."""

    def __init__(self, num: int, num_tokens: int, features: int, size: int) -> None:
        super().__init__()
        self.linear = StackedLinear(num, features, size)
        self.places = nn.Parameter(torch.zeros(num, num_tokens * size))
        self.shape = (num_tokens, features)

    def forward(self, inputs: Tensor) -> Tensor:
        num, batch, _ = inputs.shape
        tokens, features = self.shape
        embedded = self.linear(inputs.reshape(num, batch * tokens, features))
        embedded = embedded.view(num, batch, tokens, -1)
        return embedded + self.places.view(num, 1, tokens, -1)


class _Block(nn.Module):
    """Attention and two layers, each after a normalization and around a residual."""

    def __init__(self, num: int, size: int, heads: int, rank: int) -> None:
        super().__init__()
        self.mixed = LowRankLinear(num, size, 3 * size, rank)
        self.out = LowRankLinear(num, size, size, rank)
        self.up = LowRankLinear(num, size, 2 * size, rank)
        self.down = LowRankLinear(num, 2 * size, size, rank)
        self.heads = heads

    def forward(self, inputs: Tensor, *, core: bool) -> Tensor:
        num, batch, tokens, size = inputs.shape

        def through(layer: LowRankLinear, values: Tensor) -> Tensor:
            return layer(values.reshape(num, batch * tokens, -1), core=core)

        normed = F.layer_norm(inputs, (size,))
        mixed = through(self.mixed, normed).view(num, batch, tokens, 3, self.heads, -1)
        queries, keys, values = mixed.permute(3, 0, 1, 4, 2, 5)
        found = F.scaled_dot_product_attention(queries, keys, values)
        found = found.transpose(2, 3).reshape(num, batch * tokens, size)
        inputs = inputs + self.out(found, core=core).view_as(inputs)
        wide = F.gelu(through(self.up, F.layer_norm(inputs, (size,))))
        return inputs + self.down(wide, core=core).view_as(inputs)


class _Head(StackedLinear):
    """Classes from the mean over tokens."""

    def forward(self, inputs: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(F.layer_norm(inputs, inputs.shape[-1:]).mean(2))


class LowRankTransformer(Network):
    r"""`num` Transformers whose matrices are $U V^\top + R$; the core leaves out $R$.

    Embedding and head are in the core whole. An image is a sequence of its rows.
    """

    def __init__(
        self,
        num: int,
        *,
        tokens: tuple[int, int],
        size: int,
        heads: int,
        blocks: int,
        rank: int,
        num_classes: int,
    ) -> None:
        middle = [_Block(num, size, heads, rank) for _ in range(blocks)]
        bottom, top = _Embedding(num, *tokens, size), _Head(num, size, num_classes)
        super().__init__([bottom, *middle, top])

    def forward(
        self, inputs: Float[Tensor, "num batch pixels"], part: Core | None = None
    ) -> Float[Tensor, "num batch num_classes"]:
        """Return logits, of the core where it is asked for."""
        bottom, *middle, top = self.layers
        values = bottom(inputs)
        for block in middle:
            values = block(values, core=part is not None)
        return top(values)
