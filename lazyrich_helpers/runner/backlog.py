"""What a store lacks of a recipe, and in which groups and order to train it.

Runs that differ by their seed alone are trained as one where that is faster.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.experiments.states import COMPLETE, state
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.measures.costs import multiply_adds, num_parameters
from lazyrich_helpers.runner.checkpoints import begun
from lazyrich_helpers.training.run_config import RunConfig, without_seed

MANY = 300_000
"""Multiplications an image from which on a second thread pays on a CPU, and training
seeds together does not."""
MOST_TOGETHER = 20
"""Runs trained as one. A step of a run with 10 (100) units took 0.73 (0.99) ms alone,
0.40 (0.75) ms among five and 0.23 (0.61) ms among twenty, on one thread."""
MOST_TOGETHER_ON_GPU = 100
PARAMETERS_ON_GPU = 100_000_000
"""Parameters of all runs trained as one on a GPU; they take 2 GB, with Adam."""


def missing(recipe: Recipe, store: Store) -> list[RunConfig]:
    """Return the runs of `recipe` that `store` lacks, or holds only in part."""
    return [c for c in recipe.configs if not is_there(c, recipe, store)]


def is_there(config: RunConfig, recipe: Recipe, store: Store) -> bool:
    """Return whether there is nothing left to do for a run of `recipe`."""
    return state(config, recipe.measures, store).word in COMPLETE


def planned(
    configs: Sequence[RunConfig],
    recipe: Recipe,
    store: Store,
    device: str,
    *,
    workers: int = 1,
) -> list[list[RunConfig]]:
    """Return groups of runs to train as one; what has a record already is alone.

    Groups that were begun and interrupted come first, as they were. With several
    workers, no other group is more than a worker's share of the runs.
    """
    fresh = [config for config in configs if _is_fresh(config, store)]
    groups = [
        [config for config in group if config in fresh]
        for group in begun(fresh, recipe, store)
    ]
    taken = {config for group in groups for config in group}
    rest = [config for config in fresh if config not in taken]
    groups += grouped(rest, device, most=max(1, math.ceil(len(rest) / workers)))
    return groups + [[config] for config in configs if config not in set(fresh)]


def _is_fresh(config: RunConfig, store: Store) -> bool:
    try:
        record = store.read(config.run_id)
    except ValueError:  # unreadable: reported when it is its turn
        return False
    # One that failed would fail its neighbours, who are then trained again.
    return record is None or (record.done and record.stale)


def grouped(
    configs: Sequence[RunConfig], device: str, *, most: int = MOST_TOGETHER_ON_GPU
) -> list[list[RunConfig]]:
    """Return the runs in groups that are best trained as one, in order of their first.

    The runs of a group differ by their seed alone; there are at most `most`.
    """
    alike: dict[RunConfig, list[RunConfig]] = {}
    for config in configs:
        alike.setdefault(without_seed(config), []).append(config)
    groups = []
    for setting, runs in alike.items():
        size = min(most, _most_together(setting, device))
        groups += [runs[k : k + size] for k in range(0, len(runs), size)]
    return groups


def _most_together(config: RunConfig, device: str) -> int:
    """Return how many runs like this one are best trained as one; 1 is alone.

    A convolutional network is: the kernels of several make no one convolution.
    """
    convolves = any(isinstance(m, nn.Conv2d) for m in config.blueprint().modules())
    changing = isinstance(config.data, CroppedImages)
    special = not isinstance(config.updates, Full) or not config.objective.of_logits
    if convolves or changing or special:
        return 1
    if torch.device(device).type == "cpu":
        return MOST_TOGETHER if suits_one_thread(config) else 1
    most = PARAMETERS_ON_GPU // num_parameters(config)
    return max(1, min(MOST_TOGETHER_ON_GPU, most))


def suits_one_thread(config: RunConfig) -> bool:
    """Return whether a second CPU thread would slow the run's network down."""
    return multiply_adds(config) < MANY
