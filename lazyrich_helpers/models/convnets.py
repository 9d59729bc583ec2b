"""Convolutional networks without shortcuts: Conv-Net, VGG-5 and VGG-11."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn

from lazyrich_helpers.config import Count, Part
from lazyrich_helpers.models.convolution import Convolution
from lazyrich_helpers.models.network import ImageShape, Network, without_memory


def pooled(size: int) -> int:
    """Return the side of a map after one pooling; a map of one pixel stays."""
    return max(size // 2, 1)


def rectified(size: int, *, pool: bool = True) -> list[nn.Module]:
    """Return a ReLU and 2×2 max-pooling for maps of side `size`: none at one pixel.

    The ReLU comes second, on a quarter of the values. Both orders give the same outputs
    and the same gradients, bit for bit: ReLU is monotone, and maps 0 and less to 0.
    """
    return [nn.MaxPool2d(2), nn.ReLU()] if pool and size > 1 else [nn.ReLU()]


class ChannelsLast(nn.Module):
    """Images with a pixel's channels side by side in memory; no value changes.

    On a CPU convolution and pooling are then about twice as fast, forward and backward.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return the images (batch, channels, height, width)."""
        return images.to(memory_format=torch.channels_last)


def conv_net(width: int, depth: int, shape: ImageShape, num_classes: int) -> Network:
    """Return a plain convolutional network: `depth` layers of `width` channels.

    Each is a 3×3 convolution with padding 1, a ReLU and, while the map is larger than
    one pixel, a 2×2 max-pooling; a linear layer maps to the classes. The paper says
    3×3 kernels and `width` channels; the rest is ours.

    Source: Li & Banerjee (2021), Section 3 (Conv-Net).
    """
    return vgg(shape, num_classes, blocks=[[width]] * depth, hidden=[])


@dataclass(frozen=True, kw_only=True)
class ConvNet(Part, slot="model", kind="conv_net"):
    """A Conv-Net of Section 3."""

    width: Count
    """Channels per convolution, w."""
    depth: Count
    """Convolutions, d; there are d + 1 weight layers."""

    def build(self, image_shape: ImageShape, num_classes: int) -> Network:
        return without_memory(
            lambda: conv_net(self.width, self.depth, image_shape, num_classes)
        )


def vgg(
    shape: ImageShape,
    num_classes: int,
    *,
    blocks: Sequence[Sequence[int]],
    hidden: Sequence[int],
    batch_norm: bool = False,
    later_kernel: int = 3,
) -> Network:
    """Return blocks of convolutions, each block pooled, and a fully connected end.

    Args:
        shape: Of an image.
        num_classes: Outputs.
        blocks: Channels of each convolution, block by block; ReLU after each.
        hidden: Units of the fully connected layers before the last; ReLU after each.
        batch_norm: Whether it stands before every ReLU.
        later_kernel: Side of the kernels after a block's first, which are 3×3.
    """
    fan_in, size = shape[0], shape[1]
    layers: list[nn.Module] = []
    for block in blocks:
        for place, fan_out in enumerate(block):
            kernel = later_kernel if place > 0 else 3
            convolution = Convolution(fan_in, fan_out, kernel)
            norm = [nn.BatchNorm2d(fan_out)] if batch_norm else []
            first = [] if layers else [ChannelsLast()]
            last = rectified(size, pool=place == len(block) - 1)
            layers.append(nn.Sequential(*first, convolution, *norm, *last))
            fan_in = fan_out
        size = pooled(size)
    fan_in *= size * size
    flat = [nn.Flatten()]  # of the first fully connected layer
    for fan_out in hidden:
        norm = [nn.BatchNorm1d(fan_out)] if batch_norm else []
        linear = nn.Linear(fan_in, fan_out)
        layers.append(nn.Sequential(*flat, linear, *norm, nn.ReLU()))
        fan_in, flat = fan_out, []
    top = nn.Linear(fan_in, num_classes)
    layers.append(nn.Sequential(*flat, top) if flat else top)
    return Network(layers)


@dataclass(frozen=True, kw_only=True)
class VGG5(Part, slot="model", kind="vgg5"):
    """VGG-5: ten convolutions in four blocks, each block pooled, then 512 units.

    Twelve weight layers. The paper's figure 1 counts 3,646,154 parameters. That is this
    network at 28×28 pixels with all kernels 3×3 and batch norm, before every ReLU; its
    later sections say that they leave batch norm out.

    Source: Li & Banerjee (2021), Figure 13 a; layer for layer SpinalNet's MNIST_VGG.
    """

    width: Count = 64
    """Channels of the first block; the paper's is 64."""
    batch_norm: bool = False
    """Whether each convolution and the 512-unit layer is followed by batch norm."""
    fig13: bool = False
    """Kernels as Figure 13 prints them: 1×1 in each block, but for its first."""

    def build(self, image_shape: ImageShape, num_classes: int) -> Network:
        w = self.width
        return without_memory(
            lambda: vgg(
                image_shape,
                num_classes,
                blocks=([w] * 2, [2 * w] * 2, [4 * w] * 3, [4 * w] * 3),
                hidden=[8 * w],
                batch_norm=self.batch_norm,
                later_kernel=1 if self.fig13 else 3,
            )
        )


@dataclass(frozen=True, kw_only=True)
class VGG5Blocks(Part, slot="model", kind="vgg5_blocks"):
    """VGG-5 with its five blocks for layers: four of convolutions, and the classifier.

    The same network from another draw; what a schedule calls a layer is a block.
    """

    width: Count = 64
    """Channels of the first block; the paper's is 64."""

    def build(self, image_shape: ImageShape, num_classes: int) -> Network:
        layers = iter(VGG5(width=self.width).build(image_shape, num_classes).layers)
        sizes = (2, 2, 3, 3, 2)  # weight layers of each block
        return Network([nn.Sequential(*islice(layers, size)) for size in sizes])


@dataclass(frozen=True, kw_only=True)
class VGG11(Part, slot="model", kind="vgg11"):
    """VGG-11: eight convolutions in five blocks, each block pooled, then 512, 512.

    Eleven weight layers and, at 3×32×32 pixels, 9,750,922 parameters; no batch norm.

    Source: Li & Banerjee (2021), Figure 13 b; Simonyan & Zisserman (2015).
    """

    width: Count = 64
    """Channels of the first block; the paper's is 64."""

    def build(self, image_shape: ImageShape, num_classes: int) -> Network:
        w = self.width
        return without_memory(
            lambda: vgg(
                image_shape,
                num_classes,
                blocks=([w], [2 * w], [4 * w] * 2, [8 * w] * 2, [8 * w] * 2),
                hidden=[8 * w] * 2,
            )
        )
