"""What a run costs: operations of its network, of the plans that its seed drew.

Operations are counted on a network without numbers, so that no data need be there.
"""

import functools
from collections.abc import Sequence

from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.sources import source_of
from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.measures.flops import (
    backward_flops,
    backward_share,
    forward_flops,
)
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.flops import Flops, layer_flops
from lazyrich_helpers.training.loop import epoch_plans
from lazyrich_helpers.training.run_config import RunConfig

OVERHEAD = 50_000
"""Multiplications that take about as long as a step's fixed cost on a CPU."""


def num_parameters(config: RunConfig) -> int:
    """Return how many parameters the run's network has."""
    return sum(p.numel() for p in config.blueprint().parameters())


def multiply_adds(config: RunConfig) -> int:
    """Return the multiplications of one image's way through the run's network."""
    return forward_flops(flops_of(config)) // 2


def flops_of(config: RunConfig) -> Flops:
    """Return `layer_flops` of the run's network; its data need not be there."""
    return _flops_of(config.blueprint(), config.data.image_shape)


_flops_of = functools.lru_cache(layer_flops)


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
    flops = flops_of(config)
    shares = [backward_share(flops, plan.layers) for plan in plans_of(config)]
    drawn = len(shares) // num_epochs  # plans an epoch: 1, or its steps
    starts = range(0, len(shares), drawn)
    return [sum(shares[start : start + drawn]) / drawn for start in starts]


@functools.lru_cache(maxsize=1024)
def forward_cost(config: RunConfig) -> float:
    """Return the run's forward operations as a share of full training's, 0 to 1.

    Frozen layers' activations on fixed images are computed in their first frozen epoch;
    they are taken to fit into what may be cached.
    """
    flops, computed = flops_of(config), forward_operations(config)
    return sum(computed) / (len(computed) * forward_flops(flops))


def forward_operations(config: RunConfig) -> list[int]:
    """Return each epoch's forward operations for one image, as in `forward_cost`."""
    flops, views = flops_of(config), num_views(config)
    num_epochs = config.training.num_epochs
    if isinstance(config.updates, Full) or views == 0:
        return [forward_flops(flops)] * num_epochs
    cuts = epoch_cuts(config)
    computed = []
    for epoch in range(num_epochs):
        since = cuts[epoch - views : epoch + 1] if epoch >= views else [0]
        slept_on = since[0] == min(since)  # since the images were used before
        computed.append(forward_flops(flops[since[0] if slept_on else 0 :]))
    return computed


def num_views(config: RunConfig) -> int:
    """Return how many fixed sets of training images there are; 0: always new ones."""
    data = config.data
    return data.num_views if isinstance(data, CroppedImages) else 1


def epoch_cuts(config: RunConfig) -> list[int]:
    """Return each epoch's lowest layer that moves; those below are frozen in it."""
    lowest = [min(plan.layers) for plan in plans_of(config)]
    drawn = len(lowest) // config.training.num_epochs  # plans an epoch
    return [min(lowest[k : k + drawn]) for k in range(0, len(lowest), drawn)]


@functools.lru_cache(maxsize=1)  # those who ask about a run do so in turn
def plans_of(config: RunConfig) -> tuple[Plan, ...]:
    """Return the plan of every step; of one an epoch, where it tells of them all."""
    num_layers = len(config.blueprint().layers)
    num_examples = config.columns()["train_size"] if config.updates.per_step else 1
    return tuple(
        plan
        for epoch in range(config.training.num_epochs)
        for plan in epoch_plans(config, epoch, num_examples, num_layers)
    )


def operations(
    config: RunConfig, measures: Sequence[type[Measure]] = (), *, eval_every: int = 1
) -> float:
    """Return the operations of a whole run: its steps, evaluations and measures."""
    flops, columns = flops_of(config), config.columns()
    forward, backward = forward_flops(flops), backward_flops(flops, range(len(flops)))
    watching, passes = looks(config, measures, eval_every)
    epochs = config.training.num_epochs
    trained = epochs * (
        forward_cost(config) * forward + backward_cost(config) * backward
    )
    watched = epochs * watching * (forward + backward)
    tested = passes * source_of(columns["dataset"]).num_test * forward
    return columns["train_size"] * (trained + watched) + tested


def looks(
    config: RunConfig, measures: Sequence[type[Measure]], eval_every: int
) -> tuple[float, int]:
    """Return a run's measures, in trainings; its passes over the test images."""
    passes = config.training.num_epochs // eval_every + 1
    passes += sum(measure.test_passes for measure in measures)
    num_layers = len(config.blueprint().layers)
    passes += num_layers * sum(measure.layer_passes for measure in measures)
    return sum(measure.epoch_passes for measure in measures), passes


def work(config: RunConfig) -> float:
    """Return a run's effort in additive units, for progress rather than for time."""
    images = config.training.num_epochs * config.columns()["train_size"]
    return images * (trainable_share(config) * multiply_adds(config) + OVERHEAD)


def trainable_share(config: RunConfig) -> float:
    """Return a run's operations as a share of full training's, forward and backward."""
    # Backward is two thirds of a step.
    return (forward_cost(config) + 2 * backward_cost(config)) / 3
