"""How often a training updated each layer, and which epochs updated all of them."""

from typing import Any, ClassVar

import numpy as np

from lazyrich_helpers.lws.plans import UpdateSchedule
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.training.loop import Trained, epoch_plans


class Updates(Measure):
    """What a schedule really drew: ρ = 0.1 of 100 epochs may be 6 or 14.

    `layers` holds the steps that updated each layer, bottom first, of `num_steps`;
    `lowest` the lowest layer that each epoch updated; `num_full` the epochs that
    updated every layer at every step.
    """

    name: ClassVar[str] = "updates"
    version: ClassVar[int] = 1

    def result(self, trained: Trained) -> dict[str, Any]:
        config, num_layers = trained.config, len(trained.network.layers)
        num_train = len(trained.data.train)
        counts, lowest, num_full, num_steps = [0] * num_layers, [], 0, 0
        for epoch in range(config.training.num_epochs):
            plans = epoch_plans(config, epoch, num_train, num_layers)
            for plan in plans:
                for layer in plan.layers:
                    counts[layer] += 1
            lowest.append(min(min(plan.layers) for plan in plans))
            num_full += all(len(plan.layers) == num_layers for plan in plans)
            num_steps += len(plans)
        return {
            "num_steps": num_steps,
            "layers": counts,
            "lowest": lowest,
            "num_full": num_full,
        }


def updated_layers(
    updates: UpdateSchedule, *, num_layers: int, num_epochs: int, seed: int
) -> np.ndarray:
    """Return (layers, epochs): 1 where an epoch's first step updates a layer."""
    updated = np.zeros((num_layers, num_epochs))
    for epoch in range(num_epochs):
        layers = updates.plan(epoch, 0, num_layers, seed).layers
        updated[sorted(layers), epoch] = 1
    return updated
