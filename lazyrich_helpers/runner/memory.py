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

from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.sources import source_of
from lazyrich_helpers.lws.frozen_prefix import MOST_BYTES, fitting
from lazyrich_helpers.measures.costs import epoch_cuts, num_views, plans_of
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.measures.reinit_curves import Reinit
from lazyrich_helpers.runner.activation_memory import (
    SINGLE,
    input_bytes,
    kept_bytes,
    passing_bytes,
)
from lazyrich_helpers.training.loop import EVAL_BATCH
from lazyrich_helpers.training.optimizers import SGD
from lazyrich_helpers.training.run_config import RunConfig, without_seed

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
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
    evaluating = EVAL_BATCH * passing_bytes(config)
    training = 2 * parameters + sleeping_bytes(config)
    training += max(step_bytes(config), evaluating)
    moved = {Movement, Reinit} & set(measures)
    measuring = (MEASURING if moved else 3) * parameters + evaluating
    # Trained as one, they are measured one by one; the others wait.
    waiting = (num - 1) * 2 * parameters
    return data_bytes(config) + max(num * training, measuring + waiting)


def data_bytes(config: RunConfig) -> float:
    """Return the bytes of all images: trained on, held out, tested on, and variants."""
    columns = config.columns()
    num, source = columns["train_size"], source_of(columns["dataset"])
    held_out = min(num, max(source.num_train - num, 0))
    image = SINGLE * math.prod(config.data.image_shape)
    images = num + held_out + source.num_test
    if isinstance(config.data, CroppedImages):  # as they were, and normalized
        images = 2 * images + config.data.num_views * num
    return images * image


def step_bytes(config: RunConfig) -> float:
    """Return the bytes of the fullest step, less parameters and images."""
    weights = layer_parameters(config)
    fullest, ever = 0.0, set()
    passing = config.training.batch_size * passing_bytes(config)
    for awake in {plan.layers for plan in plans_of(config)}:
        ever |= awake
        gradients = SINGLE * sum(weights[layer] for layer in awake)
        fullest = max(fullest, gradients + kept_bytes(config, awake))
    state = SINGLE * num_states(config) * sum(weights[layer] for layer in ever)
    return fullest + state + passing


def layer_parameters(config: RunConfig) -> list[int]:
    """Return the parameters of each layer, bottom first."""
    layers = config.blueprint().layers
    return [sum(p.numel() for p in layer.parameters()) for layer in layers]


def num_states(config: RunConfig) -> int:
    """Return how many numbers the optimizer remembers of each weight that moves."""
    part = config.optimizer
    return int(part.momentum > 0) if isinstance(part, SGD) else 2  # else Adam


def sleeping_bytes(config: RunConfig) -> float:
    """Return the most bytes that are kept of what sleeping layers make of images.

    Each view of the training images is used in some epochs; the test images, as far as
    this goes, in all.
    """
    cuts, views = epoch_cuts(config), num_views(config)
    columns, sizes = config.columns(), input_bytes(config)
    num_test = source_of(columns["dataset"]).num_test
    of_train, of_test = (
        [num * size for size in sizes] for num in (columns["train_size"], num_test)
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
            if cut and cut not in kept and sizes[cut] <= MOST_BYTES:
                kept = fitting({k: sizes[k] for k in [*kept, cut]}, MOST_BYTES)
            fullest = max(fullest, sum(sizes[each] for each in {*kept, *source}))
    return fullest


def require_room(
    configs: Sequence[RunConfig], measures: Sequence[type[Measure]], device: str
) -> None:
    """Stop where a run does not fit what is free, by its estimate.

    Raises:
        ValueError: Of the first network that does not.
    """
    there = free(device)
    for config in {without_seed(config): config for config in configs}.values():
        need = peak_bytes(config, measures)
        if need > there:
            raise ValueError(
                f"{config.model} takes about {need / 1e9:,.1f} GB to train, by "
                f"estimate, and {there / 1e9:,.1f} GB are free here; choose smaller "
                "widths."
            )


def room(device: str) -> float:
    """Return the bytes of memory of the device, in use or not; infinite if unknown.

    Of a CPU, what this process may use of it.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return min(_number(MEMINFO, "MemTotal:", 1024), _number(CGROUP / "memory.max"))


def free(device: str) -> float:
    """Return how many bytes of `room` nobody uses; infinite if unknown.

    What the system keeps of files makes way, and counts as free.
    """
    if torch.device(device).type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(
            device
        )
        return torch.cuda.mem_get_info(device)[0] + unused
    found = [_number(MEMINFO, "MemAvailable:", 1024)]
    limit, used = (_number(CGROUP / f"memory.{name}") for name in ("max", "current"))
    if limit < float("inf") and used < float("inf"):
        stat = CGROUP / "memory.stat"
        files = [_number(stat, f"{kind}_file") for kind in ("inactive", "active")]
        found.append(limit - used + sum(n for n in files if n < float("inf")))
    return min(found)


def _number(path: Path, name: str = "", unit: int = 1) -> float:
    """Return the number on the file's line that begins with `name`, in bytes.

    Infinite where there is none, or no limit ("max").
    """
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.removeprefix(name).split()
            if line.startswith(name) and words:
                return unit * float(words[0])
    return float("inf")
