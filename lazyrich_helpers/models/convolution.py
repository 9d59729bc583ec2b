"""Convolutions: one that is fast on few pixels, and one that is right when strided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float

FEW_PIXELS = 4
MANY_WEIGHTS = 2**20
"""More than a core's cache holds, in fp32: 4 MB."""


class Convolution(nn.Conv2d):
    """`nn.Conv2d` of stride 1 that keeps a map's size; same values up to rounding.

    On a CPU oneDNN's convolution reads all weights anew for each image. On a map of 2×2
    pixels that takes longer than the arithmetic once they outgrow the cache. There, one
    product of matrices for the whole batch is 2.5 times faster forward, 3 times
    backward and 4 times for the gradient of the weights alone (512 channels, Intel).
    On an AMD processor, where torch's fp32 products run at half its convolutions'
    speed, only the last gains (0.6, 0.9 and 1.5). Benchmark: `convolution`. Its kernel
    has an odd side.
    """

    def __init__(self, fan_in: int, fan_out: int, kernel: int) -> None:
        super().__init__(fan_in, fan_out, kernel, padding=kernel // 2)

    def forward(
        self, input: Float[Tensor, "batch fan_in h w"]
    ) -> Float[Tensor, "batch fan_out h w"]:
        """Return maps of the size of `input`'s."""
        few = input.shape[2] * input.shape[3] <= FEW_PIXELS
        if few and self.weight.numel() >= MANY_WEIGHTS and input.device.type == "cpu":
            return self._as_product(input)
        return super().forward(input)

    def _as_product(self, images: Tensor) -> Tensor:
        assert self.bias is not None
        num_images, _, height, width = images.shape
        kernel = self.kernel_size[0]
        edge = kernel // 2
        framed = nn.functional.pad(images.permute(0, 2, 3, 1), (0, 0, *[edge] * 4))
        patches = framed.unfold(1, kernel, 1).unfold(2, kernel, 1)  # (..., c, k, k)
        rows = patches.reshape(num_images * height * width, -1)
        outputs = torch.addmm(self.bias, rows, self.weight.flatten(1).T)
        return outputs.view(num_images, height, width, -1).permute(0, 3, 1, 2)


class StridedShortcut(nn.Conv2d):
    """A 1×1 convolution of every `stride`-th pixel, without a bias.

    `nn.Conv2d` of that stride has the same values, but on a processor without AVX-512
    oneDNN 3.12 writes its gradient beyond the workspace where there are fewer than 8
    channels: it is wrong, never ends, or ends the process. Source: oneDNN, issue 6035.
    """

    def __init__(self, fan_in: int, fan_out: int, stride: int) -> None:
        super().__init__(fan_in, fan_out, 1, bias=False)
        self.every = stride

    def forward(
        self, input: Float[Tensor, "batch fan_in h w"]
    ) -> Float[Tensor, "batch fan_out h_out w_out"]:
        """Return maps of ⌈h / stride⌉ by ⌈w / stride⌉ pixels."""
        return super().forward(input[:, :, :: self.every, :: self.every])
