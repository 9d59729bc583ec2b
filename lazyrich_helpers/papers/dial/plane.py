r"""The plane of feature-learning strength and learning rate, and widths on it.

The plane is that of Atanasov et al. (2024): strength of feature learning $\gamma$
against learning rate $\eta$. Its best learning rate is predicted to grow as
$\gamma^2$ where training is lazy, and as $\gamma^{2/L}$, for $L$ layers, where it is
rich. A network in its standard form, of width $N$, lies near it, at
$\gamma = 1/\sqrt N$ and its own learning rate; it is not centred, and its first layer
steps by its own number of inputs where the plane's steps by $N$.
"""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.dial.instruments import instrument_table
from lazyrich_helpers.papers.dial.nets import digit_rows, new_nets
from lazyrich_helpers.papers.dial.training import train_nets

NUM_LAYERS = 3
KEPT_DIGITS = 4
"""Significant ones of a reading."""


def _decades(low: float, high: float, per_decade: int) -> tuple[float, ...]:
    """Return powers of ten from 10^low to 10^high, evenly spaced."""
    steps = range(round(low * per_decade), round(high * per_decade) + 1)
    return tuple(float(f"{10 ** (k / per_decade):.6g}") for k in steps)


@dataclass(frozen=True, kw_only=True)
class PlaneSettings:
    """Networks at every point of the plane."""

    gammas: tuple[float, ...] = _decades(-8 / 3, 2, 3)
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
    alphas = [1 / (gamma * math.sqrt(settings.width))] * len(settings.etas)
    nets = new_nets(
        settings.width, learn, alphas, settings.seeds, objective=settings.objective
    )
    sizes = _steps(settings, settings.width)
    train_nets(nets, learn, sizes, settings.num_steps, optimizer=settings.optimizer)
    return _with_keys(instrument_table(nets, nets.weights, learn, test), settings)


def width_point(settings: WidthSettings, width: int, device: str) -> pd.DataFrame:
    """Train plain networks of one width, at all η, and return what is read off."""
    learn, test = digit_rows(settings.train_size, device)
    alphas = [1.0] * len(settings.etas)
    nets = new_nets(width, learn, alphas, settings.seeds, centred=False)
    # By the layer's own inputs.
    each = [_steps(settings, w.shape[1]) for w in nets.weights]
    train_nets(nets, learn, each, settings.num_steps, optimizer=settings.optimizer)
    return _with_keys(instrument_table(nets, nets.weights, learn, test), settings)


def _steps(settings: PlaneSettings | WidthSettings, width: int) -> Tensor:
    """Return what multiplies a direction of the weights (M,), of layers of a width."""
    factor = width if settings.optimizer == "sgd" else math.sqrt(width)
    return factor * torch.tensor(settings.etas).repeat_interleave(len(settings.seeds))


def _with_keys(
    table: pd.DataFrame, settings: PlaneSettings | WidthSettings
) -> pd.DataFrame:
    """Return the rows with their step size and seed in front."""
    table.insert(0, "seed", [*settings.seeds] * len(settings.etas))
    table.insert(0, "eta", [eta for eta in settings.etas for _ in settings.seeds])
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
