"""Runs that differ by their seed alone, in groups that are best trained as one."""

from collections.abc import Sequence

import torch
from torch import nn

from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.measures.costs import multiply_adds, num_parameters
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


def suits_one_thread(config: RunConfig) -> bool:
    """Return whether a second CPU thread would slow the run's network down."""
    return multiply_adds(config) < MANY


def most_together(config: RunConfig, device: str) -> int:
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
    return max(
        1, min(MOST_TOGETHER_ON_GPU, PARAMETERS_ON_GPU // num_parameters(config))
    )


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
        size = min(most, most_together(setting, device))
        groups += [runs[k : k + size] for k in range(0, len(runs), size)]
    return groups
