"""Class-balanced subsets of a labelled set."""

import numpy as np
from numpy.typing import NDArray


def balanced_subsets(
    labels: NDArray[np.uint8], size: int, seed: int, skipped: int = 0
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of a balanced subset, and of as large a held-out one.

    Each class is shuffled by `seed`; the first size/10 go to the subset, the next to
    the held-out set (fewer where the smallest class runs out). Both are ascending.
    With `skipped`, the first skipped/10 of each class are passed over: they are in
    neither, so that subsets of one seed can be kept apart.

    Raises:
        ValueError: If a class has too few examples.
    """
    start, per_class = skipped // 10, size // 10
    rarest = int(np.bincount(labels, minlength=10).min())
    if start + per_class > rarest:
        _refuse(size, skipped, 10 * rarest)
    rng = np.random.Generator(np.random.PCG64(seed))
    shuffled = [rng.permutation(np.flatnonzero(labels == label)) for label in range(10)]
    middle = start + per_class
    end = middle + min(per_class, rarest - middle)
    chosen = np.concatenate([order[start:middle] for order in shuffled])
    rest = np.concatenate([order[middle:end] for order in shuffled])
    return np.sort(chosen), np.sort(rest)


def _refuse(size: int, skipped: int, most: int) -> None:
    if skipped:
        raise ValueError(
            f"{size} images were asked for beyond the {skipped} that are skipped, and "
            f"there are {most} in all; choose a smaller train_size."
        )
    raise ValueError(
        f"train_size must be at most {most} here, ten times the rarest class; got "
        f"{size}."
    )
