"""Data sets as tensors on a device: `digits`, `mnist`, `fashion_mnist`, `cifar10`.

`digits` (1,797 real 8×8 images) lies in this package. The others are read from
torchvision's layouts under the folder named by `LAZYRICH_DATA` (default: `data/` in the
repository), every file checked against its published MD5.
"""

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from lazyrich_helpers.config import Natural, Part, require
from lazyrich_helpers.data.formats import Bytes
from lazyrich_helpers.data.sources import DataError, data_folder, read, source_of
from lazyrich_helpers.data.subsets import balanced_subsets

NUMERICS_VERSION = 1
Places = NDArray[np.intp]
"""Indices of images in a data set's own order."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images with their labels, on one device."""

    images: Tensor
    """Shape (n, channels, height, width), fp32."""
    labels: Tensor
    """Shape (n,), int64."""

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Return images and labels in order, so many at once."""
        return zip(self.images.split(size), self.labels.split(size), strict=True)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Whole sets as tensors on one device."""

    train: Split
    held_out: Split
    """As many training images outside the subset, or what is left of them; balanced."""
    test: Split
    """The data set's own test images, all of them."""
    digest: str
    """Digest of the images and labels above as their files have them: unscaled."""
    num_classes: int
    shift: int | None = None
    """Largest random shift of a training image, new at every step; None leaves it."""
    views: tuple[Split, ...] = ()
    """Fixed variants of the training set, taken in turn, one an epoch; or none."""

    @property
    def splits(self) -> dict[str, Split]:
        """The sets above, by name."""
        return {"train": self.train, "held_out": self.held_out, "test": self.test}

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        _, channels, height, width = self.train.images.shape
        return channels, height, width

    @property
    def device(self) -> torch.device:
        """Where all tensors lie."""
        return self.train.labels.device


@runtime_checkable
class DataPart(Protocol):
    """A config part that loads its images and labels."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width; known without the files."""
        ...

    @property
    def num_classes(self) -> int:
        """Labels are 0 to this less one; known without the files."""
        ...

    def load(self, device: str = "cpu") -> Dataset:
        """Return the data on `device`; repeated calls may share tensors.

        Raises:
            DataError: If a file is missing, truncated or altered. Nothing is ever
                substituted.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Images(Part, slot="data", kind="images"):
    """A class-balanced training subset, pixels scaled to [0, 1]. Use `images`."""

    dataset: str
    """`digits`, `mnist`, `fashion_mnist` or `cifar10`."""
    train_size: int
    """Training images, the same number of each class."""
    subset_seed: Natural
    """Draws the subset, and nothing else."""
    image_size: int
    """Pixels per side; larger than the data's own means bilinear enlargement."""
    digest: str
    """Digest of the data set's files: other data is another config."""

    def check(self) -> None:
        source = source_of(self.dataset)
        num = source.num_classes
        whole = self.train_size % num == 0 and self.train_size >= num
        wanted = f"a positive multiple of {num} classes"
        require(whole, "train_size", wanted, self.train_size)
        least = source.image_size
        wanted = f"at least the {least} pixels of {self.dataset}"
        require(self.image_size >= least, "image_size", wanted, self.image_size)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return source_of(self.dataset).channels, self.image_size, self.image_size

    @property
    def num_classes(self) -> int:
        return source_of(self.dataset).num_classes

    def load(self, device: str = "cpu") -> Dataset:
        return _load(self, device, data_folder())

    def chosen(self, labels: Bytes) -> tuple[Places, Places]:
        """Return which images are trained on, and which are held out, ascending."""
        return balanced_subsets(labels, self.train_size, self.subset_seed)


def images(
    dataset: str,
    *,
    train_size: int,
    subset_seed: int = 0,
    image_size: int | None = None,
) -> Images:
    """Return the `Images` part, its digest and default image size filled in.

    The paper's MNIST is `images("mnist", train_size=10_000)`: 1,000 of each class.
    """
    source = source_of(dataset)
    return Images(
        dataset=dataset,
        train_size=train_size,
        subset_seed=subset_seed,
        image_size=source.image_size if image_size is None else image_size,
        digest=source.digest,
    )


@functools.lru_cache(maxsize=4)
def _load(part: Images, device: str, folder: Path) -> Dataset:
    source = source_of(part.dataset)
    if part.digest != source.digest:
        raise DataError(
            f"the config asks for {part.dataset} with digest {part.digest}, "
            f"this version reads {source.digest}."
        )
    pixels, labels, *test = read(part.dataset, folder)
    arrays = [(pixels[places], labels[places]) for places in part.chosen(labels)]
    arrays.append((test[0], test[1]))
    content = b"".join(array.tobytes() for pair in arrays for array in pair)
    splits = [_split(*pair, part, source.max_pixel, device) for pair in arrays]
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Dataset(*splits, digest=digest, num_classes=source.num_classes)


def _split(
    pixels: Bytes, labels: Bytes, part: Images, max_pixel: int, device: str
) -> Split:
    scaled = torch.tensor(pixels, dtype=torch.float32) / max_pixel
    if scaled.shape[-1] < part.image_size and len(scaled):
        size = (part.image_size, part.image_size)
        scaled = F.interpolate(scaled, size, mode="bilinear", align_corners=False)
    return Split(scaled.to(device), torch.tensor(labels, dtype=torch.int64).to(device))
