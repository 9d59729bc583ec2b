"""What recipes of Layer-Wise Sparse training vary, and the schedules that they compare.

Source: Li & Banerjee (2021), Section 6.
"""

from collections.abc import Iterable

from lazyrich_helpers.experiments.recipes import Configs
from lazyrich_helpers.experiments.scale import LwsScale, Scale
from lazyrich_helpers.lws.plans import UpdateSchedule
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
)


def seed_by_seed(configs: Configs, scale: Scale) -> Configs:
    """Return all runs with the first of the scale's seeds, then with the next."""
    seeds = list(scale.seeds)
    return tuple(sorted(configs, key=lambda run: seeds.index(run.training.seed)))


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
