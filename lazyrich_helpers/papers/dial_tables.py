"""What the dial's studies say: best step sizes, their slopes, a path of widths."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.interpolate import RegularGridInterpolator
from scipy.stats import spearmanr

LAZY, RICH = 0.05, 2.0
"""γ up to which the plane is fitted as lazy, and from which on as rich."""
INSTRUMENTS = {
    "movement": "movement in σ₀",
    "kernel": "tangent kernel: relative change",
    "turned": "tangent kernel: 1 − alignment",
    "flipped": "share of ReLUs flipped",
    "needed": "share of parameters needed",
    "richness": "low-rank richness",
    "accuracy": "test accuracy (%)",
}
"""Column → what it is, for readers."""


def best_etas(table: pd.DataFrame) -> pd.DataFrame:
    """Return each network's best η: a row for each γ and seed.

    Best is where the training loss is least after the same number of steps: the lowest
    point of a parabola, in logarithms, through the best η and its neighbours.
    """
    rows = []
    for (gamma, seed), own in table.groupby(["gammas", "seed"]):
        own = own.dropna(subset="train_loss").sort_values("eta")
        x, y = np.log10(own.eta), np.log10(own.train_loss)
        best = int(np.argmin(y))
        at = x.iloc[best]
        if 0 < best < len(own) - 1:
            near = slice(best - 1, best + 2)
            a, b, _ = np.polyfit(x.iloc[near], y.iloc[near], 2)
            at = -b / (2 * a) if a > 0 else at
        rows.append({"gamma": gamma, "seed": seed, "eta": 10**at})
    return pd.DataFrame(rows)


def slopes(best: pd.DataFrame, inside: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """Return the exponent of η ∝ γ^s by seed, over the γ that are `inside`.

    Args:
        best: From `best_etas`.
        inside: Says of values of γ whether they are meant.
    """
    chosen = best[inside(best.gamma)]
    return pd.Series(
        {
            seed: np.polyfit(np.log10(own.gamma), np.log10(own.eta), 1)[0]
            for seed, own in chosen.groupby("seed")
        }
    )


def lazy_slopes(best: pd.DataFrame) -> pd.Series:
    """Return the exponents where training is lazy, by seed."""
    return slopes(best, lambda gamma: gamma <= LAZY)


def rich_slopes(best: pd.DataFrame) -> pd.Series:
    """Return the exponents where training is rich, by seed."""
    return slopes(best, lambda gamma: gamma >= RICH)


def on_the_plane(plane: pd.DataFrame, plain: pd.DataFrame, value: str) -> pd.DataFrame:
    """Set networks in their standard form beside the plane's at the same place.

    Args:
        plane: Of one width.
        plain: Of several widths N, each at γ = 1/√N.
        value: The reading.

    Returns:
        A row for each width and η with `found` and `predicted`, means over seeds; the
        prediction is linear between the plane's points, in logarithms of γ and η.
    """
    grid = plane.pivot_table(index="gammas", columns="eta", values=value)
    look_up = RegularGridInterpolator(
        (np.log(grid.index), np.log(grid.columns)), grid.to_numpy()
    )
    found = plain.groupby(["widths", "eta"])[value].mean().rename("found").reset_index()
    places = np.column_stack([-np.log(found.widths) / 2, np.log(found.eta)])
    return found.assign(predicted=look_up(places))


def agreement(pairs: pd.DataFrame) -> float:
    """Return Spearman's rank correlation of what was found and predicted."""
    pairs = pairs.dropna()
    return float(spearmanr(pairs.found, pairs.predicted).statistic)


def together(knobs: pd.DataFrame, reference: str = "movement") -> pd.DataFrame:
    """Return how each instrument follows another as a knob is turned.

    A row for each knob, a column for each instrument: Spearman's rank correlation of
    the knob's positions, means over seeds, with `reference`; NaN where one is constant.
    """
    rows = {}
    for knob, own in knobs[knobs.steps > 0].groupby("knobs", sort=False):
        means = own.groupby("level")[list(INSTRUMENTS)].mean()
        varies = [name for name in INSTRUMENTS if means[name].nunique() > 1]
        rows[knob] = {
            name: float(spearmanr(means[reference], means[name]).statistic)
            for name in varies
        }
    return pd.DataFrame(rows).T.reindex(columns=list(INSTRUMENTS))
