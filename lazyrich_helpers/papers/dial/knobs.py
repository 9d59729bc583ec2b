"""Five knobs between lazy and rich, on one network, read at equal training loss."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.dial.instruments import instrument_table
from lazyrich_helpers.papers.dial.nets import LabeledRows, Nets, new_nets
from lazyrich_helpers.papers.dial.plane import (
    NUM_LAYERS,
    digit_rows,
    num_in_and_out,
    rounded,
)
from lazyrich_helpers.papers.dial.training import train_nets

KNOBS = {
    "output scale": (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    "initialization scale": (0.33, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0),
    "width": (16, 32, 64, 128, 256, 512),
    "step size": (0.03, 0.1, 0.3, 1.0, 3.0, 6.0),
    "frozen layers": ("none", "1", "2", "3", "1, 2", "2, 3"),
}
"""Knob → its positions. Scales and steps are in units of the common network's; layers
are counted from the lowest."""


@dataclass(frozen=True, kw_only=True)
class KnobSettings:
    """One network, and what each knob makes of it."""

    knobs: tuple[str, ...] = tuple(KNOBS)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    width: int = 128
    target: float = 0.2
    """Training loss at which all are looked at, in nats."""
    num_steps: int = 4000
    """At most."""
    train_size: int = 1000


def knob_point(settings: KnobSettings, knob: str, device: str) -> pd.DataFrame:
    """Turn one knob, and return what is read off at equal training loss."""
    learn, test = digit_rows(settings.train_size, device)
    found = []
    for width, levels in _stacks(settings, knob):
        nets, sizes = _turned(settings, knob, width, levels, learn)
        reached = train_nets(
            nets, learn, sizes, settings.num_steps, target=settings.target
        )
        table = instrument_table(nets, reached.weights, learn, test)
        table.insert(0, "steps", reached.steps.tolist())
        names = [name for name in levels for _ in settings.seeds]
        table.insert(0, "seed", [*settings.seeds] * len(levels))
        table.insert(0, "level", [str(name) for name in names])
        found.append(table)
    return rounded(pd.concat(found, ignore_index=True))


def _stacks(settings: KnobSettings, knob: str) -> list[tuple[int, Sequence]]:
    """Return what can be trained as one: a width, and positions of the knob."""
    levels = KNOBS[knob]
    if knob == "width":
        return [(int(width), [width]) for width in levels]
    return [(settings.width, levels)]


def _turned(
    settings: KnobSettings, knob: str, width: int, levels: Sequence, learn: LabeledRows
) -> tuple[Nets, Tensor]:
    """Return the networks of a knob's positions, and their steps (M,)."""
    alphas, spreads = [1.0] * len(levels), [1.0] * len(levels)
    if knob == "output scale":
        alphas = [float(level) for level in levels]
    if knob == "initialization scale":
        spreads = [float(level) for level in levels]
    nets = new_nets(
        width, *num_in_and_out(learn), alphas, settings.seeds, spreads=spreads
    )
    # With spread s, f is s³ times that of standard weights: α = s³ in another form.
    scales = [a * s**NUM_LAYERS for a, s in zip(alphas, spreads, strict=True)]
    etas = [suited_step(1 / (scale * math.sqrt(width))) for scale in scales]
    sizes = torch.tensor(
        [width * s**2 * eta for s, eta in zip(spreads, etas, strict=True)]
    )
    if knob == "step size":
        sizes = sizes * torch.tensor(levels)
    sizes = sizes.repeat_interleave(len(settings.seeds))
    if knob == "frozen layers":
        masks = [[str(n) not in level for n in (1, 2, 3)] for level in levels]
        nets.trained = torch.tensor(masks).repeat_interleave(len(settings.seeds), dim=0)
    return nets, sizes


def suited_step(gamma: float) -> float:
    r"""Return a step size η that is suited at γ.

    Of the two predicted powers, $\gamma^2$ and $\gamma^{2/L}$, the smaller value, with
    factors that put it below the best one on the plane.
    """
    return min(4 * gamma**2, 0.5 * gamma ** (2 / NUM_LAYERS))


KNOB_STUDY = Study(
    name="five-knobs",
    says="Five knobs between lazy and rich, read at equal training loss",
    point=knob_point,
    over="knobs",
    budgets={
        "smoke": KnobSettings(
            knobs=("output scale",), seeds=(0, 1), width=16, num_steps=40
        ),
        "laptop": KnobSettings(knobs=("output scale",), seeds=(0, 1), num_steps=500),
        "paper": KnobSettings(),
    },
)
