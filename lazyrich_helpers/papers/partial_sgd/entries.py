"""The samplers of the table, at the options that it has them with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lazyrich_helpers.lws import perturbing_samplers as perturbing
from lazyrich_helpers.lws import samplers
from lazyrich_helpers.lws.baselines import LISA, BAdam, FreezeOut, LayerFreezing
from lazyrich_helpers.lws.partial import Sampler
from lazyrich_helpers.lws.schedules import Full, TopK, TopKAllBottoms
from lazyrich_helpers.models.stacked import Core, LowRankReluNet, StackedReluNet


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A sampler of the table, and how its steps are counted."""

    label: str
    sampler: Sampler
    per_core: int = 1
    """Steps to a core step: 2 where two parts take turns."""
    evaluations: int = 1
    """Gradients to a step."""
    build: Callable[..., Any] = StackedReluNet
    rest: float = 2.0
    """As `draw_` has it."""
    lr_factor: float = 1.0
    """On the learning rates that it is offered: so that the best is none at an end."""


def _low_rank(num: int, sizes: tuple[int, ...]) -> LowRankReluNet:
    return LowRankReluNet(num, sizes, rank=max(1, sizes[1] // 16))


def _lws(draw: str) -> Sampler:
    return samplers.scheduled(TopKAllBottoms(k=2, rho=0.2, draw=draw))


BADAM = {"switch_block_every": 20, "switch_mode": "random", "top_awake": True}
ENTRIES = {
    "sgd": Entry(label="SGD", sampler=samplers.scheduled(Full())),
    "lws-static": Entry(
        label="LWS: top 2", sampler=samplers.scheduled(TopK(k=2)), lr_factor=4.0
    ),
    "lws-epoch": Entry(label="LWS: ρ = 0.2, by epoch", sampler=_lws("epoch")),
    "lws-step": Entry(label="LWS: ρ = 0.2, by step", sampler=_lws("step")),
    "freezing": Entry(
        label="layer freezing",
        sampler=samplers.by_length(LayerFreezing, freeze_start=0.3),
    ),
    "freeze-out": Entry(
        label="FreezeOut", sampler=samplers.by_length(FreezeOut, t_0=0.5)
    ),
    "lisa": Entry(
        label="LISA",  # bottom, top, and one layer between them
        sampler=samplers.by_length(LISA, activated_layers=1, interval_steps=20),
    ),
    "badam": Entry(label="BAdam's cycles", sampler=samplers.by_length(BAdam, **BADAM)),
    "modules": Entry(
        label="modules by importance", sampler=samplers.important_modules(2, 20)
    ),
    "threshold": Entry(
        label="gradient threshold", sampler=samplers.below_threshold(0.5, 0.2)
    ),
    "random": Entry(
        label="random 10 %", sampler=samplers.random_entries(0.1), lr_factor=4.0
    ),
    "rows": Entry(label="largest 10 % of units", sampler=samplers.largest_rows(0.1)),
    "dropout": Entry(label="dropout", sampler=perturbing.drop_units(0.8)),
    "connections": Entry(label="DropConnect", sampler=perturbing.drop_connections(0.8)),
    "extragradient": Entry(
        label="extragradient",
        sampler=perturbing.extragradient(0.05),  # 1 diverges at the others' rates
        evaluations=2,
    ),
    "sam": Entry(label="SAM", sampler=perturbing.sharpness_aware(0.1), evaluations=2),
    "subnets": Entry(
        label="independent subnets",
        sampler=perturbing.independent_subnets(2, 20),
        per_core=2,
    ),
    "slimmable": Entry(
        label="half width and whole", sampler=perturbing.slimmable((0.5,)), per_core=2
    ),
    "low-rank": Entry(
        label="low-rank core and whole",
        sampler=perturbing.alternating(Core(), None),
        per_core=2,
        build=_low_rank,
        rest=0.0,
        lr_factor=0.25,
    ),
}
"""Name → sampler, at the options that the table has it with."""


def steps_of(entry: Entry, total: int, matched: str) -> int:
    """Return the steps of a sampler, at `core` or `total` steps of full training.

    At matched core steps each trains its core as often as full training does, whatever
    else it computes; at matched total steps it computes as many gradients.
    """
    if matched == "core":
        return total * entry.per_core
    return total // entry.evaluations
