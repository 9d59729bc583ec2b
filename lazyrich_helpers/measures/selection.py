"""The largest of many numbers, exactly, without sorting them all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32

NUM_BINS = 1 << 15
"""Sign (always 0), exponent and seven bits of mantissa: the upper half of an fp32."""


def largest(
    magnitudes: Float32[Tensor, " p"], counts: Sequence[int]
) -> Iterator[Bool[Tensor, " p"]]:
    """Yield, for each count k, which entries are the k largest.

    A zero is never among them: fewer than k are marked where fewer are positive. Among
    equals, the earlier entries are taken.

    Non-negative fp32 numbers are in the order of their bits read as integers. So one
    histogram of the upper halves says in which bin each k-th largest lies, and only
    that bin is sorted.

    Args:
        magnitudes: Contiguous, none negative.
        counts: Any order, each 0 to p.
    """
    upper = (magnitudes.view(torch.int32) >> 16).to(torch.int16)
    sizes = torch.bincount(upper, minlength=NUM_BINS).cpu()
    at_least = torch.zeros(NUM_BINS + 1, dtype=torch.int64)
    at_least[:-1] = sizes.flip(0).cumsum(0).flip(0)  # in this bin or a higher one
    num_positive = int(torch.count_nonzero(magnitudes))
    for count in counts:
        count = min(count, num_positive)
        critical = int((at_least[:-1] >= count).sum()) - 1
        mask = upper > critical
        inside = (upper == critical).nonzero().squeeze(1)
        order = magnitudes[inside].sort(descending=True, stable=True).indices
        num_missing = count - int(at_least[critical + 1])
        mask[inside[order[:num_missing]]] = True
        yield mask
