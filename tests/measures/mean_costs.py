"""What schedules cost on average, to hold the committed column of it against."""

import dataclasses

from lazyrich_helpers.lws.plans import UpdateSchedule
from lazyrich_helpers.lws.schedules import (
    RandomUniform,
    TopK,
    TopKAllBottoms,
    TopKBottomQ,
)
from lazyrich_helpers.measures.costs import backward_cost
from lazyrich_helpers.training.run_config import RunConfig

MANY_EPOCHS = 500
"""So many draws settle random beta's mean cost to about 0.006."""


def mean_cost(config: RunConfig) -> float:
    """Return `backward_cost` as it is on average, rather than as one seed drew it."""
    updates = config.updates
    if isinstance(updates, TopKBottomQ | TopKAllBottoms):  # linear in ρ
        never, always = (
            _cost(config, dataclasses.replace(updates, rho=rho), 1) for rho in (0, 1)
        )
        return (1 - updates.rho) * never + updates.rho * always
    if isinstance(updates, RandomUniform):
        depths = range(1, len(config.blueprint().layers) + 1)
        return sum(_cost(config, TopK(k=k), 1) for k in depths) / len(depths)
    return _cost(config, updates, MANY_EPOCHS)


def _cost(config: RunConfig, updates: UpdateSchedule, num_epochs: int) -> float:
    training = dataclasses.replace(config.training, num_epochs=num_epochs)
    return backward_cost(
        dataclasses.replace(config, updates=updates, training=training)
    )
