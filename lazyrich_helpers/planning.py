"""How much work a run is, and how long it takes here."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.data import Dataset, Split
from lazyrich_helpers.measures import Measure
from lazyrich_helpers.train import EVAL_BATCH, count_correct, new_network, train

TRIAL_STEPS = 10
OVERHEAD = 50_000
"""Multiplications that take about as long as a step's fixed cost on a CPU."""
MANY = 300_000
"""From here on a second thread pays."""


@functools.lru_cache
def multiply_adds(config: RunConfig) -> int:
    """Return the multiplications of one image's way through the run's network."""
    data = config.data.load()
    network = config.model.build(data.image_shape, data.num_classes).to("meta").eval()
    total = 0

    def add(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal total
        del inputs
        weight = next(layer.parameters())
        total += weight.numel() * output.numel() // len(weight)  # once per place

    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.register_forward_hook(add)
    with torch.no_grad():
        network(torch.zeros(1, *data.image_shape, device="meta"))
    return total


def work(config: RunConfig) -> float:
    """Return a run's effort in additive units, for progress rather than for time."""
    return config.training.num_epochs * (multiply_adds(config) + OVERHEAD)


@contextlib.contextmanager
def suitable_threads(config: RunConfig) -> Iterator[None]:
    """Inside, use the CPU threads that serve a run best: one for a small network.

    On two busy cores, nine networks of at most 75,000 parameters took 4.5 s with one
    thread and 11 to 17 s with two.
    """
    before = torch.get_num_threads()
    if multiply_adds(config) < MANY:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def estimate_seconds(
    config: RunConfig,
    measures: Sequence[type[Measure]],
    device: str,
    *,
    eval_every: int = 1,
) -> float:
    """Return the expected seconds of a run on `device`, from a trial of ten steps."""
    trial = dataclasses.replace(config.training, seed=0, num_epochs=2)
    with suitable_threads(config):
        per_step, per_pass = _trial(dataclasses.replace(config, training=trial), device)
    data, settings = config.data.load(device), config.training
    steps = -(-len(data.train) // settings.batch_size) * settings.num_epochs
    passes = settings.num_epochs // eval_every + 1
    passes += sum(measure.test_passes for measure in measures)
    epochs = 1 + sum(measure.epoch_passes for measure in measures)
    return epochs * steps * per_step + passes * per_pass


@functools.lru_cache
def _trial(config: RunConfig, device: str) -> tuple[float, float]:
    """Return seconds per training step and per pass over the test images."""
    data = config.data.load(device)
    few = TRIAL_STEPS * config.training.batch_size
    train_few = Split(data.train.images[:few], data.train.labels[:few])
    test_few = Split(data.test.images[:EVAL_BATCH], data.test.labels[:EVAL_BATCH])
    small = Dataset(train_few, data.held_out, test_few, data.digest)
    network = new_network(config, small)
    *_, warm = train(network, small, config, eval_every=2)
    num_steps = -(-len(small.train) // config.training.batch_size)
    start = time.perf_counter()
    count_correct(network, small.test, config.training.precision)
    per_image = (time.perf_counter() - start) / len(small.test)
    return warm.seconds / num_steps, per_image * len(data.test)
