"""Images that a training subset leaves out: to train a network on them beforehand."""

import dataclasses
from dataclasses import dataclass

from lazyrich_helpers.config import require
from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.datasets import DataPart, Images, Places
from lazyrich_helpers.data.formats import Bytes
from lazyrich_helpers.data.subsets import balanced_subsets


@dataclass(frozen=True, kw_only=True)
class RemainingImages(Images, slot="data", kind="remaining_images"):
    """As `Images`, but for the first ones of each class, which are passed over."""

    skipped: int
    """Images that come before these in the order that `subset_seed` draws."""

    def check(self) -> None:
        super().check()
        whole = self.skipped >= 0 and self.skipped % self.num_classes == 0
        wanted = f"a multiple of {self.num_classes} classes, 0 or more"
        require(whole, "skipped", wanted, self.skipped)

    def chosen(self, labels: Bytes) -> tuple[Places, Places]:
        return balanced_subsets(labels, self.train_size, self.subset_seed, self.skipped)


@dataclass(frozen=True, kw_only=True)
class RemainingCroppedImages(
    CroppedImages, RemainingImages, slot="data", kind="remaining_cropped_images"
):
    """As `CroppedImages`, but for the first ones of each class."""


def remaining(part: DataPart, train_size: int) -> DataPart:
    """Return `train_size` other images of the same data set, treated as `part`'s are.

    None of them is trained on, held out or tested on in `part`.

    Raises:
        ValueError: If `part` is of a kind whose other images are not known.
    """
    kinds = {Images: RemainingImages, CroppedImages: RemainingCroppedImages}
    if not isinstance(part, Images) or type(part) not in kinds:
        known = " or ".join(kind.kind for kind in kinds)
        raise ValueError(f"data must be {known}, to leave others out; got {part!r}.")
    fields = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
    # Its held-out set is at most as large as its training set.
    fields |= {"train_size": train_size, "skipped": 2 * part.train_size}
    return kinds[type(part)](**fields)
