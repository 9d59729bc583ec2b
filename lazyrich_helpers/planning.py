"""How much work a run is, how long it takes here, and what is best trained as one."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from lazyrich_helpers.augmentation import CroppedImages
from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.data import NUM_CLASSES, Dataset, Split
from lazyrich_helpers.flops import backward_share, forward_flops, layer_flops
from lazyrich_helpers.initialization import XavierNormal
from lazyrich_helpers.measures import Measure
from lazyrich_helpers.models import ModelPart, Network
from lazyrich_helpers.schedules import Full, Plan
from lazyrich_helpers.together import train_together, without_seed
from lazyrich_helpers.train import (
    EVAL_BATCH,
    count_correct,
    epoch_plans,
    new_network,
    train,
)

TRIAL_STEPS = 10
OVERHEAD = 50_000
"""Multiplications that take about as long as a step's fixed cost on a CPU."""
MANY = 300_000
"""Multiplications an image from which on a second thread pays on a CPU, and training
seeds together does not."""
MOST_TOGETHER = 20
"""Runs trained as one. A step of a run with 10 (100) units took 0.73 (0.99) ms alone,
0.40 (0.75) ms among five and 0.23 (0.61) ms among twenty, on one thread."""
MOST_TOGETHER_ON_GPU = 100
PARAMETERS_ON_GPU = 100_000_000
"""Parameters of all runs trained as one on a GPU; they take 2 GB, with Adam."""
TRIAL_PAYS = 2000
"""Steps of a group that are worth a trial of threads."""


def num_parameters(config: RunConfig) -> int:
    """Return how many parameters the run's network has."""
    return sum(p.numel() for p in blueprint(config).parameters())


def multiply_adds(config: RunConfig) -> int:
    """Return the multiplications of one image's way through the run's network."""
    return _multiply_adds(without_seed(config))


@functools.lru_cache
def _multiply_adds(config: RunConfig) -> int:
    flops = layer_flops(blueprint(config), config.data.image_shape)
    return forward_flops(flops) // 2


def blueprint(config: RunConfig) -> Network:
    """Return the run's network without numbers; its data need not be there."""
    return _blueprint(config.model, config.data.image_shape)


@functools.lru_cache
def _blueprint(model: ModelPart, image_shape: tuple[int, int, int]) -> Network:
    try:
        return model.build(image_shape, NUM_CLASSES).to("meta")
    except (RuntimeError, MemoryError, TypeError) as error:  # or beyond int64
        raise ValueError(
            f"a network must be one that memory holds; got {model}."
        ) from error


@functools.lru_cache(maxsize=1024)
def backward_cost(config: RunConfig) -> float:
    """Return the run's backward operations as a share of full training's, 0 to 1.

    Of the epochs that its seed drew, not of those that it would draw on average.
    """
    costs = epoch_costs(config)
    return sum(costs) / len(costs)


def epoch_costs(config: RunConfig) -> list[float]:
    """Return each epoch's backward operations as a share of full training's."""
    num_epochs = config.training.num_epochs
    if isinstance(config.updates, Full):
        return [1.0] * num_epochs
    flops = layer_flops(blueprint(config), config.data.image_shape)
    shares = [backward_share(flops, plan.layers) for plan in plans_of(config)]
    drawn = len(shares) // num_epochs  # plans an epoch: 1, or its steps
    starts = range(0, len(shares), drawn)
    return [sum(shares[start : start + drawn]) / drawn for start in starts]


def plans_of(config: RunConfig) -> list[Plan]:
    """Return the plan of every step; of one an epoch, where it tells of them all."""
    num_layers = len(blueprint(config).layers)
    num_examples = config.columns()["train_size"] if config.updates.per_step else 1
    return [
        plan
        for epoch in range(config.training.num_epochs)
        for plan in epoch_plans(config, epoch, num_examples, num_layers)
    ]


def work(config: RunConfig) -> float:
    """Return a run's effort in additive units, for progress rather than for time."""
    images = config.training.num_epochs * config.columns()["train_size"]
    return images * (_awake(config) * multiply_adds(config) + OVERHEAD)


def _awake(config: RunConfig) -> float:
    """Return a run's operations as a share of full training's, forward and backward."""
    return (1 + 2 * backward_cost(config)) / 3  # backward is two thirds of a step


def most_together(config: RunConfig, device: str) -> int:
    """Return how many runs like this one are best trained as one; 1 is alone.

    A convolutional network is: the kernels of several make no one convolution.
    """
    convolves = any(isinstance(m, nn.Conv2d) for m in blueprint(config).modules())
    changing = isinstance(config.data, CroppedImages)
    if convolves or changing or not isinstance(config.updates, Full):
        return 1
    if torch.device(device).type == "cpu":
        return MOST_TOGETHER if multiply_adds(config) < MANY else 1
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


@contextlib.contextmanager
def suitable_threads(config: RunConfig, device: str, num: int = 1) -> Iterator[None]:
    """Inside, use the CPU threads that serve best: one for a small network.

    On two busy cores, nine networks of at most 75,000 parameters took 4.5 s with one
    thread and 11 to 17 s with two. `num` networks trained as one take a third less time
    with two threads where the cores are idle, and many times more where they are busy:
    if there is much to train, both are tried.
    """
    before = torch.get_num_threads()
    if multiply_adds(config) < MANY:
        torch.set_num_threads(1)
        long = num_steps(config) >= TRIAL_PAYS
        if num > 1 and before > 1 and long and torch.device(device).type == "cpu":
            torch.set_num_threads(_faster(config, device, num, (1, before)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _faster(config: RunConfig, device: str, num: int, threads: Sequence[int]) -> int:
    """Return which number of threads takes the shorter steps, now."""
    seconds = {}
    for count in threads:
        torch.set_num_threads(count)
        seconds[count] = _time(without_seed(config), device, num)[0]
    return min(seconds, key=seconds.__getitem__)


def num_steps(config: RunConfig) -> int:
    """Return how many steps the run's training takes."""
    num_train, settings = config.columns()["train_size"], config.training
    return -(-num_train // settings.batch_size) * settings.num_epochs


def estimate_seconds(
    config: RunConfig,
    measures: Sequence[type[Measure]],
    device: str,
    *,
    eval_every: int = 1,
    num: int = 1,
) -> float:
    """Return the expected seconds of a run on `device`, from a trial of ten steps.

    Where it is one of `num` trained as one, these are its share of their seconds. The
    trial updates every layer; what sleeping ones save is estimated from operations.
    """
    setting = dataclasses.replace(without_seed(config), updates=Full())
    awake = _awake(config)
    watching = sum(measure.epoch_passes for measure in measures)
    with suitable_threads(config, device, num):
        per_step, per_pass = _trial(setting, device, num)
        # A measure watches each network by itself, also where they train as one.
        alone = _trial(setting, device, 1)[0] if watching and num > 1 else per_step
    passes = config.training.num_epochs // eval_every + 1
    passes += sum(measure.test_passes for measure in measures)
    num_layers = len(blueprint(config).layers)
    passes += num_layers * sum(measure.layer_passes for measure in measures)
    steps = num_steps(config) * (awake * per_step + watching * alone)
    return steps + passes * per_pass


def _time(config: RunConfig, device: str, num: int) -> tuple[float, float]:
    """Return a run's seconds per training step and per pass over the test images."""
    data = config.data.load(device)
    config, small = _shortened(config, data)
    networks = [new_network(config, small) for _ in range(num)]
    if num > 1:
        *_, (warm, *_) = train_together(networks, small, [config] * num, eval_every=2)
    else:
        *_, warm = train(networks[0], small, config, eval_every=2)
    assert warm is not None
    start = time.perf_counter()
    count_correct(networks[0], small.test, config.training.precision)
    per_image = (time.perf_counter() - start) / len(small.test)
    num_steps = -(-len(small.train) // config.training.batch_size)
    return warm.seconds / num_steps, per_image * len(data.test)


def _shortened(config: RunConfig, data: Dataset) -> tuple[RunConfig, Dataset]:
    """Return a training of two short epochs, the first to warm up, and its data.

    Where the run starts does not matter to its times.
    """
    trial = dataclasses.replace(config.training, num_epochs=2)
    few = TRIAL_STEPS * config.training.batch_size
    train_few = Split(data.train.images[:few], data.train.labels[:few])
    test_few = Split(data.test.images[:EVAL_BATCH], data.test.labels[:EVAL_BATCH])
    small = dataclasses.replace(data, train=train_few, test=test_few, views=())
    config = dataclasses.replace(config, training=trial, init=XavierNormal())
    return config, small


_trial = functools.lru_cache(_time)
