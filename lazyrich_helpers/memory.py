"""The memory of a run at its fullest, known before it runs.

Counted are, in bytes: the images; the network and its initial values; what a step
needs, which is gradients, what the optimizer remembers, what the forward pass keeps,
and the gradients of two results in a row; what evaluations need instead, which is two
results in a row of `train.EVAL_BATCH` images; what is kept of sleeping layers, for each
view of the training images and for the test images; and what measuring needs after
training. Not counted are Python and torch themselves, what reading the files takes for
a moment, and the workspace of libraries. On a CPU two whole runs, of a wide ReLU-Net
and of VGG-5, took 0.9 and 1.6 times the estimate.
"""

import contextlib
import math
from collections.abc import Collection, Sequence
from pathlib import Path

import torch

from lazyrich_helpers.augmentation import CroppedImages
from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.costs import (
    SINGLE,
    epochs,
    input_bytes,
    kept_after,
    layer_parameters,
    num_states,
    num_test,
    num_train,
    num_views,
)
from lazyrich_helpers.measures import Measure
from lazyrich_helpers.movement import Movement
from lazyrich_helpers.reinit import Reinit
from lazyrich_helpers.sources import source_of
from lazyrich_helpers.step_facts import step_facts
from lazyrich_helpers.train import EVAL_BATCH

MEASURING = 9
"""Numbers for each parameter that ordering all of them by their movement takes."""


def peak_bytes(
    config: RunConfig, measures: Sequence[type[Measure]] = (), *, num: int = 1
) -> float:
    """Return the bytes that a run holds at its fullest.

    Args:
        config: Of the run.
        measures: Taken of it.
        num: Runs trained as one.
    """
    parameters = SINGLE * sum(layer_parameters(config))
    evaluating = EVAL_BATCH * step_facts(config, frozenset()).outputs
    training = 2 * parameters + sleeping_bytes(config)
    training += max(step_bytes(config), evaluating)
    moved = {Movement, Reinit} & set(measures)
    measuring = (MEASURING if moved else 3) * parameters + evaluating
    # Trained as one, they are measured one by one; the others wait.
    waiting = (num - 1) * 2 * parameters
    return data_bytes(config) + max(num * training, measuring + waiting)


def data_bytes(config: RunConfig) -> float:
    """Return the bytes of all images: trained on, held out, tested on, and variants."""
    num, source = num_train(config), source_of(config.columns()["dataset"])
    held_out = min(num, max(source.num_train - num, 0))
    image = SINGLE * math.prod(config.data.image_shape)
    images = num + held_out + source.num_test
    if isinstance(config.data, CroppedImages):  # as they were, and normalized
        images = 2 * images + config.data.num_views * num
    return images * image


def step_bytes(config: RunConfig) -> float:
    """Return the bytes of the fullest step, less parameters and images."""
    weights = layer_parameters(config)
    batch, fullest, ever = config.training.batch_size, 0.0, set()
    passing = batch * step_facts(config, frozenset()).outputs
    for awake in {awake for epoch in epochs(config) for awake in epoch.shares}:
        ever |= awake
        gradients = SINGLE * sum(weights[layer] for layer in awake)
        fullest = max(fullest, gradients + step_facts(config, awake).kept)
    state = SINGLE * num_states(config) * sum(weights[layer] for layer in ever)
    return fullest + state + passing


def sleeping_bytes(config: RunConfig) -> float:
    """Return the most bytes that are kept of what sleeping layers make of images.

    Each view of the training images is used in some epochs; the test images, as far as
    this goes, in all.
    """
    cuts = [min(map(min, epoch.shares)) for epoch in epochs(config)]
    views, sizes = num_views(config), input_bytes(config)
    of_train, of_test = (
        [num * size for size in sizes] for num in (num_train(config), num_test(config))
    )
    used = [range(view, len(cuts), views) for view in range(views)]
    trained = sum(_fullest(cuts, numbers, of_train) for numbers in used)
    return trained + _fullest(cuts, range(len(cuts)), of_test)


def _fullest(cuts: Sequence[int], used: Collection[int], sizes: Sequence[int]) -> int:
    """Return the most bytes that are kept of one set of images.

    Args:
        cuts: Of each epoch, the lowest layer that moves.
        used: The epochs that use the set.
        sizes: Bytes of what each layer reads of it.
    """
    kept: list[int] = []
    fullest = 0
    for number, cut in enumerate(cuts):
        kept = [start for start in kept if start <= cut]
        if number in used:
            source = kept[-1:]  # it is read even while it has to make room
            kept = kept_after(kept, cut, sizes)
            fullest = max(fullest, sum(sizes[each] for each in {*kept, *source}))
    return fullest


def room(device: str) -> float:
    """Return the bytes of memory of the device, in use or not; infinite if unknown.

    Of a CPU, what this process may use of it.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    found = [float("inf")]
    with contextlib.suppress(OSError, ValueError):
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        (total,) = (line for line in lines if line.startswith("MemTotal:"))
        found.append(1024 * float(total.split()[1]))
    with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
        found.append(float(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(found)
