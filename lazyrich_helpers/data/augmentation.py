"""Randomly cropped and mirrored training images, made on the device they lie on."""

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from lazyrich_helpers.config import Natural, require
from lazyrich_helpers.data.datasets import Dataset, Images, Split
from lazyrich_helpers.data.sources import data_folder
from lazyrich_helpers.random_streams import generator

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's mean and standard deviation of each channel, as is usual."""


@dataclass(frozen=True, kw_only=True)
class CroppedImages(Images, slot="data", kind="cropped_images"):
    """Colour images; those trained on are shifted and mirrored at random.

    All are normalized by ImageNet's statistics. A training image is shifted by up to
    `padding` pixels each way, the mean colour moving in, and mirrored half of the time.
    The paper does not mention augmentation; without it, its accuracy is not reached.

    Source: chengyangfu/pytorch-vgg-cifar10, whose settings the paper shares.
    """

    padding: Natural = 4
    """Largest shift, in pixels."""
    num_views: Natural = 0
    """0 draws a new shift at each step. K keeps K fixed draws of every image and takes
    them in turn, one an epoch; then frozen layers' activations can be cached."""

    def load(self, device: str = "cpu") -> Dataset:
        return _load(self, device, data_folder())


@functools.lru_cache(maxsize=2)
def _load(part: CroppedImages, device: str, folder: Path) -> Dataset:
    del folder  # it is read below; here it tells two of them apart
    data = Images.load(part, device)
    splits = {name: normalized(split) for name, split in data.splits.items()}
    plain = dataclasses.replace(data, **splits)
    if part.num_views == 0:
        return dataclasses.replace(plain, shift=part.padding)
    views = []
    for number in range(part.num_views):
        stream = generator("view", part.subset_seed, number)
        images = shifted(plain.train.images, part.padding, stream)
        views.append(Split(images, plain.train.labels))
    return dataclasses.replace(plain, views=tuple(views))


def normalized(split: Split) -> Split:
    """Return the split with each colour channel normalized by `MEAN` and `STD`.

    Raises:
        ValueError: If the images have other than three channels.
    """
    images = split.images
    require(images.shape[1] == 3, "images", "of three channels", tuple(images.shape))
    mean, std = (
        torch.tensor(values, device=images.device)[:, None, None]
        for values in (MEAN, STD)
    )
    return Split((images - mean) / std, split.labels)


def shifted(images: Tensor, padding: int, stream: torch.Generator) -> Tensor:
    """Return images (n, channels, h, w), each shifted and mirrored at random.

    Shifts are whole pixels, even between -`padding` and `padding` in each direction;
    zeros move in. Mirroring, left to right, has probability 1/2.
    """
    num, _, height, width = images.shape
    device = images.device
    starts = torch.randint(2 * padding + 1, (2, num), generator=stream)
    mirrored = torch.rand((1, num), generator=stream) < 0.5
    draws = torch.cat([starts, mirrored]).to(device)[:, :, None]  # one transfer a step
    rows = draws[0] + torch.arange(height, device=device)
    columns = draws[1] + torch.arange(width, device=device)
    columns = torch.where(draws[2] > 0, columns.flip(1), columns)
    padded = F.pad(images, [padding] * 4)
    which = torch.arange(num, device=device)[:, None, None]
    chosen = padded[which, :, rows[:, :, None], columns[:, None, :]]
    return chosen.permute(0, 3, 1, 2)  # (n, h, w, c) before
