"""What recipes of Layer-Wise Sparse training vary, and the schedules that they compare.

Source: Li & Banerjee (2021), Section 6.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from lazyrich_helpers.data.datasets import DataPart
from lazyrich_helpers.experiments.recipes import (
    XAVIER,
    Recipe,
    adam,
    network_configs,
)
from lazyrich_helpers.experiments.scale import LwsScale
from lazyrich_helpers.lws.schedules import (
    BottomQ,
    Full,
    Middle,
    RandomBeta,
    RandomUniform,
    TopBottom,
    TopK,
    TopKAllBottoms,
    TopKBottomQ,
    UpdateSchedule,
)
from lazyrich_helpers.measures.measure import Accuracy, Measure
from lazyrich_helpers.measures.updates import Updates
from lazyrich_helpers.models.initialization import InitPart
from lazyrich_helpers.models.network import ModelPart
from lazyrich_helpers.training.optimizers import OptimizerPart


def static(scale: LwsScale) -> list[UpdateSchedule]:
    """Return full training and the schedules of Section 6.1."""
    return [
        Full(),
        *(TopK(k=k) for k in scale.ks),
        *(BottomQ(q=q) for q in scale.ks),
        *(TopBottom(k=k, q=k) for k in scale.ks),
        Middle(),
    ]


def all_bottoms(scale: LwsScale) -> list[UpdateSchedule]:
    """Return top k all bottoms at each ρ, k the ends of `ks`."""
    return [TopKAllBottoms(k=k, rho=rho) for k in ends(scale) for rho in scale.rhos]


def probabilistic(scale: LwsScale, qs: Iterable[int]) -> list[UpdateSchedule]:
    """Return full training and the schedules of Section 6.2, k the ends of `ks`."""
    return [
        Full(),
        RandomUniform(),
        RandomBeta(),
        *all_bottoms(scale),
        *(
            TopKBottomQ(k=k, q=q, rho=rho)
            for k in ends(scale)
            for q in qs
            for rho in scale.rhos
        ),
    ]


def ends(scale: LwsScale) -> list[int]:
    """Return the smallest and the largest of `ks`, once where they are the same."""
    return sorted({min(scale.ks), max(scale.ks)})


def lws_recipe(
    name: str,
    budget: str,
    scale: LwsScale,
    updates: Sequence[UpdateSchedule],
    *,
    model: Callable[[int], ModelPart],
    data: DataPart,
    optimizer: Callable[[float], OptimizerPart] = adam,
    measures: tuple[type[Measure], ...] = (Accuracy, Updates),
    init: InitPart = XAVIER,
) -> Recipe:
    """Return every schedule with the first seed, then with the next."""
    configs = [
        config
        for seed in scale.seeds
        for config in network_configs(
            model,
            dataclasses.replace(scale, seeds=(seed,)),
            data=data,
            optimizer=optimizer,
            updates=updates,
            init=init,
        )
    ]
    return Recipe(name=name, budget=budget, configs=tuple(configs), measures=measures)


FEW = {"train_size": 1280, "num_epochs": 1, "seeds": (0,)}
"""Training enough for a network whose steps are timed: ten steps of it."""
