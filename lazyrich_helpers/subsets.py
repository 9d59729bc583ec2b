"""Class-balanced subsets of a labelled set."""

import numpy as np
from numpy.typing import NDArray


def balanced_subsets(
    labels: NDArray[np.uint8], size: int, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of a balanced subset, and of as large a held-out one.

    Each class is shuffled by `seed`; the first size/10 go to the subset, the next to
    the held-out set (fewer where the smallest class runs out). Both are ascending.

    Raises:
        ValueError: If a class has fewer than size/10 examples.
    """
    per_class = size // 10
    rarest = int(np.bincount(labels, minlength=10).min())
    if per_class > rarest:
        raise ValueError(
            f"train_size must be at most {10 * rarest} here, ten times the rarest "
            f"class; got {size}."
        )
    rng = np.random.Generator(np.random.PCG64(seed))
    shuffled = [rng.permutation(np.flatnonzero(labels == label)) for label in range(10)]
    per_class_out = min(per_class, rarest - per_class)
    chosen = np.concatenate([order[:per_class] for order in shuffled])
    rest = np.concatenate(
        [order[per_class : per_class + per_class_out] for order in shuffled]
    )
    return np.sort(chosen), np.sort(rest)
