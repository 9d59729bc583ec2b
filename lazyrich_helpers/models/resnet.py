"""ResNet-18 for small images."""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lazyrich_helpers.config import Count, Part
from lazyrich_helpers.models.convnets import ChannelsLast
from lazyrich_helpers.models.convolution import StridedShortcut
from lazyrich_helpers.models.network import ImageShape, Network, without_memory


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with batch norm, added to their input.

    Where stride or channels change, the input passes a 1×1 convolution and batch norm.

    Source: He et al. (2016), arXiv:1512.03385, Figure 2.
    """

    def __init__(self, fan_in: int, fan_out: int, stride: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            nn.Conv2d(fan_in, fan_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(fan_out),
            nn.ReLU(),
            nn.Conv2d(fan_out, fan_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(fan_out),
        )
        self.around = nn.Sequential()
        if stride > 1 or fan_in != fan_out:
            self.around.append(StridedShortcut(fan_in, fan_out, stride))
            self.around.append(nn.BatchNorm2d(fan_out))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return maps (batch, fan_out, h, w), halved in size where stride is 2."""
        return torch.relu(self.inside(inputs) + self.around(inputs))


@dataclass(frozen=True, kw_only=True)
class ResNet18(Part, slot="model", kind="resnet18"):
    """ResNet-18 for small images: a 3×3 stem, eight residual blocks, a linear layer.

    These ten are its `layers`, since a residual block is not a chain. It has 11,173,962
    parameters at 3×32×32 pixels, as the paper's figure 1 counts.

    Source: He et al. (2016), in the form of kuangliu/pytorch-cifar.
    """

    width: Count = 64
    """Channels of the stem and of the first two blocks."""

    def build(self, image_shape: ImageShape, num_classes: int) -> Network:
        return without_memory(lambda: self._network(image_shape, num_classes))

    def _network(self, shape: ImageShape, num_classes: int) -> Network:
        stem = nn.Conv2d(shape[0], self.width, 3, padding=1, bias=False)
        layers: list[nn.Module] = [
            nn.Sequential(ChannelsLast(), stem, nn.BatchNorm2d(self.width), nn.ReLU())
        ]
        channels = [self.width * multiple for multiple in (1, 1, 1, 2, 2, 4, 4, 8, 8)]
        for fan_in, fan_out in itertools.pairwise(channels):
            stride = 1 if fan_in == fan_out else 2
            layers.append(ResidualBlock(fan_in, fan_out, stride))
        top = nn.Linear(channels[-1], num_classes)
        mean = nn.AdaptiveAvgPool2d(1)
        return Network([*layers, nn.Sequential(mean, nn.Flatten(), top)])
