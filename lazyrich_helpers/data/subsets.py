"""Class-balanced subsets of a labelled set."""

import numpy as np
from numpy.typing import NDArray

from lazyrich_helpers.config import require


def balanced_subsets(
    labels: NDArray[np.uint8], size: int, seed: int, skipped: int = 0
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of a balanced subset, and of as large a held-out one.

    Each class is shuffled by `seed`; of `size`, its equal share goes to the subset, the
    next as many to the held-out set (fewer where the smallest class runs out). Both are
    ascending. With `skipped`, as many are passed over: they are in neither, so that
    subsets of one seed need not overlap.

    Args:
        labels: Shape (n,), 0 to the number of classes less one.
        size: Images of the subset, a multiple of the number of classes.
        seed: Draws which.
        skipped: Images that come first in the order that `seed` draws; as `size`.

    Raises:
        ValueError: If a class has too few examples.
    """
    counts = np.bincount(labels)
    num_classes, rarest = len(counts), int(counts.min())
    start, per_class = skipped // num_classes, size // num_classes
    most = num_classes * rarest - skipped
    beyond = f", beyond the {skipped} skipped" if skipped else ""
    there = f"at most {most} here, as many of each class as the rarest one has{beyond}"
    require(size <= most, "train_size", there, size)
    rng = np.random.Generator(np.random.PCG64(seed))
    each = (np.flatnonzero(labels == label) for label in range(num_classes))
    shuffled = [rng.permutation(places) for places in each]
    middle = start + per_class
    end = middle + min(per_class, rarest - middle)
    chosen = np.concatenate([order[start:middle] for order in shuffled])
    rest = np.concatenate([order[middle:end] for order in shuffled])
    return np.sort(chosen), np.sort(rest)
