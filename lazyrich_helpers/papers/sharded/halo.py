"""Images cut into strips, one for each process: convolutions that exchange halos.

A strip needs rows of its neighbours above and below, as many as half a kernel: its
*halo*. torch's own distributed convolution does not fetch them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from lazyrich_helpers.config import require

if TYPE_CHECKING:
    from jaxtyping import Float


class HaloExchange(torch.autograd.Function):
    """Adds to a strip the rows that its neighbours have next to it.

    Beyond the image's own edge the rows are zeros. Backward, the gradients of borrowed
    rows go back to the process that lent them, and are added there.
    """

    @staticmethod
    def forward(ctx: Any, strip: Tensor, rows: int) -> Tensor:
        ctx.rows = rows
        top, bottom = strip[:, :, :rows], strip[:, :, -rows:]
        above, below = _swapped(top, bottom)
        return torch.cat([above, strip, below], dim=2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,), rows = gradients, ctx.rows
        own = gradient[:, :, rows:-rows].clone()
        lent_above, lent_below = gradient[:, :, :rows], gradient[:, :, -rows:]
        above, below = _swapped(lent_above, lent_below)
        own[:, :, :rows] += above
        own[:, :, -rows:] += below
        return own, None


def tiled_convolution(
    convolution: nn.Conv2d, strip: Float[Tensor, "batch fan_in rows w"]
) -> Float[Tensor, "batch fan_out rows w"]:
    """Return this process's strip of a convolution of the whole image.

    Processes hold strips from top to bottom, in the order of their ranks. The gradient
    of a weight is the sum of those that the processes find.

    Raises:
        ValueError: If it has a stride, dilation or no padding to its own size, or a
            strip is too short to lend its neighbour what it needs.
    """
    (kernel, _), plain = convolution.kernel_size, (1, 1)
    halves = tuple(side // 2 for side in convolution.kernel_size)
    same_size = convolution.stride == convolution.dilation == plain
    same_size = same_size and convolution.padding == halves and kernel % 2 == 1
    require(
        same_size, "a tiled convolution", "one that keeps a map's size", convolution
    )
    rows = kernel // 2
    require(
        strip.shape[2] >= rows, "a strip", f"of {rows} rows or more", strip.shape[2]
    )
    if rows:
        strip = HaloExchange.apply(strip, rows)
    weight, bias = convolution.weight, convolution.bias
    return F.conv2d(strip, weight, bias, padding=(0, halves[1]))


def _swapped(to_above: Tensor, to_below: Tensor) -> tuple[Tensor, Tensor]:
    """Hand tensors to both neighbours; return what they hand over, or zeros."""
    rank, last = distributed.get_rank(), distributed.get_world_size() - 1
    from_above, from_below = torch.zeros_like(to_above), torch.zeros_like(to_below)
    from_above, from_below = from_above.contiguous(), from_below.contiguous()
    pairs = [(rank - 1, to_above, from_above), (rank + 1, to_below, from_below)]
    exchanges = [
        distributed.P2POp(call, tensor, other)
        for other, sent, received in pairs
        if 0 <= other <= last
        for call, tensor in (
            (distributed.isend, sent.contiguous()),
            (distributed.irecv, received),
        )
    ]
    for work in distributed.batch_isend_irecv(exchanges) if exchanges else ():
        work.wait()
    return from_above, from_below
