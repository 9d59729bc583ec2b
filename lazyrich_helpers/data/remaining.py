"""Images that a training subset leaves out: to train a network on them beforehand."""

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path

import torch

from lazyrich_helpers.config import require
from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.datasets import DataPart, Dataset, Images, Places, Split
from lazyrich_helpers.data.formats import Bytes
from lazyrich_helpers.data.sources import data_folder, source_of
from lazyrich_helpers.data.subsets import balanced_subsets

NUM_TURNS = 4
"""Quarter turns of an image, the whole turn among them."""


@dataclass(frozen=True, kw_only=True)
class RemainingImages(Images, slot="data", kind="remaining_images"):
    """As `Images`, but for the first ones of each class, which are passed over."""

    skipped: int
    """Images that come before these in the order that `subset_seed` draws."""

    def check(self) -> None:
        super().check()
        num = source_of(self.dataset).num_classes
        whole = self.skipped >= 0 and self.skipped % num == 0
        wanted = f"a multiple of {num} classes, 0 or more"
        require(whole, "skipped", wanted, self.skipped)

    def chosen(self, labels: Bytes) -> tuple[Places, Places]:
        return balanced_subsets(labels, self.train_size, self.subset_seed, self.skipped)


@dataclass(frozen=True, kw_only=True)
class RemainingCroppedImages(
    CroppedImages, RemainingImages, slot="data", kind="remaining_cropped_images"
):
    """As `CroppedImages`, but for the first ones of each class."""


@dataclass(frozen=True, kw_only=True)
class TurnedImages(RemainingCroppedImages, slot="data", kind="turned_images"):
    """As `RemainingCroppedImages`, each at its four quarter turns, the turn its label.

    What a network learns to tell here needs no label of the data set's own. Each turn
    of an image counts as one of `train_size`.

    Source: Gidaris, Singh & Komodakis (2018), Section 3.1.
    """

    def check(self) -> None:
        super().check()
        step = NUM_TURNS * source_of(self.dataset).num_classes
        whole = self.train_size % step == 0
        wanted = f"a multiple of {step}, for {NUM_TURNS} turns of each class"
        require(whole, "train_size", wanted, self.train_size)

    @property
    def num_classes(self) -> int:
        return NUM_TURNS

    def chosen(self, labels: Bytes) -> tuple[Places, Places]:
        num_images = self.train_size // NUM_TURNS
        return balanced_subsets(labels, num_images, self.subset_seed, self.skipped)

    def load(self, device: str = "cpu") -> Dataset:
        return _turned(self, device, data_folder())


@functools.lru_cache(maxsize=2)
def _turned(part: TurnedImages, device: str, folder: Path) -> Dataset:
    del folder  # it is read below; here it tells two of them apart
    data = RemainingCroppedImages.load(part, device)
    splits = {name: turned(split) for name, split in data.splits.items()}
    views = tuple(map(turned, data.views))
    return dataclasses.replace(data, **splits, views=views, num_classes=NUM_TURNS)


def turned(split: Split) -> Split:
    """Return all images (n, channels, side, side) at each of the `NUM_TURNS` turns.

    Shape (4 n, channels, side, side): first all as they are, label 0, then all turned
    once to the left, label 1, and so on.
    """
    sides = (2, 3)
    images = torch.cat([split.images.rot90(k, sides) for k in range(NUM_TURNS)])
    labels = torch.arange(NUM_TURNS, device=split.labels.device)
    return Split(images, labels.repeat_interleave(len(split)))


def remaining(
    part: DataPart, num_images: int, *, turns: bool = False
) -> RemainingImages:
    """Return `num_images` other images of the same data set, treated as `part`'s are.

    None of them is trained on, held out or tested on in `part`. With `turns`, each
    comes at its quarter turns, to be told apart; that is for colour images.

    Raises:
        ValueError: If `part` is of a kind whose other images are not known.
    """
    kinds: dict[type, type[RemainingImages]] = {CroppedImages: TurnedImages}
    if not turns:
        kinds = {Images: RemainingImages, CroppedImages: RemainingCroppedImages}
    if not isinstance(part, Images) or type(part) not in kinds:
        known = " or ".join(kind.kind for kind in kinds)
        raise ValueError(f"data must be {known}, to leave others out; got {part!r}.")
    fields = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
    # Its held-out set is at most as large as its training set.
    fields |= {
        "train_size": num_images * (NUM_TURNS if turns else 1),
        "skipped": 2 * part.train_size,
    }
    return kinds[type(part)](**fields)
