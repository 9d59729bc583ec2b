r"""The plane of feature-learning strength and learning rate, and widths on it.

The plane is that of Atanasov et al. (2024): strength of feature learning $\gamma$
against learning rate $\eta$. Its best learning rate is predicted to grow as
$\gamma^2$ where training is lazy, and as $\gamma^{2/L}$, for $L$ layers, where it is
rich. A network in its standard form, of width $N$, lies near it, at
$\gamma = 1/\sqrt N$ and its own learning rate; it is not centred, and its first layer
steps by its own number of inputs where the plane's steps by $N$.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.dial.instruments import instrument_table
from lazyrich_helpers.papers.dial.nets import (
    LabeledRows,
    new_nets,
    rows,
)
from lazyrich_helpers.papers.dial.training import train_nets

NUM_LAYERS = 3
KEPT_DIGITS = 4
"""Significant ones of a reading."""


def _decades(low: int, high: int, per_decade: int) -> tuple[float, ...]:
    """Return powers of ten from 10^low to 10^high, evenly spaced."""
    steps = range(low * per_decade, high * per_decade + 1)
    return tuple(float(f"{10 ** (k / per_decade):.6g}") for k in steps)


@dataclass(frozen=True, kw_only=True)
class PlaneSettings:
    """Networks at every point of the plane."""

    gammas: tuple[float, ...] = tuple(
        float(f"{10 ** (k / 3):.6g}") for k in range(-8, 7)
    )
    etas: tuple[float, ...] = _decades(-6, 2, 3)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    width: int = 64
    num_steps: int = 1000
    train_size: int = 1000
    optimizer: str = "sgd"
    objective: str = "cross_entropy"


@dataclass(frozen=True, kw_only=True)
class WidthSettings:
    """Networks in their standard form at widths and learning rates."""

    widths: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    etas: tuple[float, ...] = _decades(-4, 0, 2)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    num_steps: int = 1000
    train_size: int = 1000
    optimizer: str = "sgd"


def plane_point(settings: PlaneSettings, gamma: float, device: str) -> pd.DataFrame:
    """Train at one γ, at all η, and return what is read off in the end."""
    learn, test = digit_rows(settings.train_size, device)
    nets = new_nets(
        settings.width,
        *num_in_and_out(learn),
        [1 / (gamma * math.sqrt(settings.width))] * len(settings.etas),
        settings.seeds,
        objective=settings.objective,
    )
    sizes = _steps(settings.etas, settings, settings.width)
    train_nets(nets, learn, sizes, settings.num_steps, optimizer=settings.optimizer)
    return _with_keys(
        instrument_table(nets, nets.weights, learn, test), "eta", settings
    )


def width_point(settings: WidthSettings, width: int, device: str) -> pd.DataFrame:
    """Train plain networks of one width, at all η, and return what is read off."""
    learn, test = digit_rows(settings.train_size, device)
    nets = new_nets(
        width,
        *num_in_and_out(learn),
        [1.0] * len(settings.etas),
        settings.seeds,
        centred=False,
    )
    each = [
        _steps(settings.etas, settings, w.shape[1])  # by the layer's own inputs
        for w in nets.weights
    ]
    train_nets(nets, learn, each, settings.num_steps, optimizer=settings.optimizer)
    return _with_keys(
        instrument_table(nets, nets.weights, learn, test), "eta", settings
    )


def digit_rows(train_size: int, device: str) -> tuple[LabeledRows, LabeledRows]:
    """Return the training and the test digits."""
    return rows(images("digits", train_size=train_size).load(device))


def num_in_and_out(split: LabeledRows) -> tuple[int, int]:
    """Return the numbers of inputs and of classes."""
    return split.inputs.shape[1], int(split.labels.max()) + 1


def _steps(
    etas: Sequence[float], settings: PlaneSettings | WidthSettings, width: int
) -> Tensor:
    """Return what multiplies a direction of the weights (M,), of layers of a width."""
    factor = width if settings.optimizer == "sgd" else math.sqrt(width)
    return factor * torch.tensor(etas).repeat_interleave(len(settings.seeds))


def _with_keys(
    table: pd.DataFrame, name: str, settings: PlaneSettings | WidthSettings
) -> pd.DataFrame:
    """Return the rows with their step size and seed in front."""
    table.insert(0, "seed", [*settings.seeds] * len(settings.etas))
    table.insert(0, name, [eta for eta in settings.etas for _ in settings.seeds])
    return rounded(table)


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with what stands behind its seed in `KEPT_DIGITS` digits."""

    def shorter(value: float) -> float:
        return float(f"{value:.{KEPT_DIGITS}g}")

    read = table.columns[table.columns.tolist().index("seed") + 1 :]
    return table.assign(**{name: table[name].map(shorter) for name in read})


SMALL: dict[str, Any] = {
    "etas": (0.001, 0.1),
    "seeds": (0, 1),
    "num_steps": 40,
    "train_size": 200,
}
LAPTOP: dict[str, Any] = {"etas": _decades(-3, 1, 1), "seeds": (0, 1), "num_steps": 300}


def _plane(optimizer: str, objective: str) -> Study:
    own: dict[str, Any] = {"optimizer": optimizer, "objective": objective}
    name = objective.replace("_", "-")
    return Study(
        name=f"plane-{optimizer}-{name}",
        says=f"Strength of feature learning against learning rate, {optimizer}, "
        f"{objective.replace('_', ' ')}",
        point=plane_point,
        over="gammas",
        budgets={
            "smoke": PlaneSettings(gammas=(0.1, 1.0), width=16, **SMALL, **own),
            "laptop": PlaneSettings(gammas=_decades(-2, 1, 1), **LAPTOP, **own),
            "paper": PlaneSettings(**own),
        },
    )


def _widths(optimizer: str) -> Study:
    return Study(
        name=f"widths-{optimizer}",
        says=f"Widths against learning rate, {optimizer}, cross entropy",
        point=width_point,
        over="widths",
        budgets={
            "smoke": WidthSettings(widths=(8, 16), optimizer=optimizer, **SMALL),
            "laptop": WidthSettings(widths=(16, 128), optimizer=optimizer, **LAPTOP),
            "paper": WidthSettings(optimizer=optimizer),
        },
    )


PLANES = {
    "theory": _plane("sgd", "squared_error"),
    "sgd": _plane("sgd", "cross_entropy"),
    "adam": _plane("adam", "cross_entropy"),
}
"""What a plane is for → its study: the theory's loss, and the book's with each
optimizer."""
WIDTHS = {"sgd": _widths("sgd"), "adam": _widths("adam")}
