"""What the dial's studies say: best step sizes, their slopes, a path of widths."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.interpolate import RegularGridInterpolator

from lazyrich_helpers.analysis.tables.statistics import half_bar

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
    grid = table.pivot_table(
        index=["gammas", "seed"], columns="eta", values="train_loss"
    )
    etas = np.log10(grid.columns.to_numpy())
    best = [_lowest(etas, np.log10(row)) for row in grid.to_numpy()]
    found = grid.index.to_frame(index=False).set_axis(["gamma", "seed"], axis=1)
    return found.assign(eta=np.power(10.0, best))


def _lowest(x: np.ndarray, y: np.ndarray) -> float:
    """Return where a parabola through the lowest point and its neighbours is lowest."""
    at = int(np.nanargmin(y))
    near = slice(at - 1, at + 2)
    if 0 < at < len(x) - 1 and np.isfinite(y[near]).all():
        a, b, _ = np.polyfit(x[near], y[near], 2)
        return float(-b / (2 * a))
    return float(x[at])


def slopes(best: pd.DataFrame, inside: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """Return the exponent of η ∝ γ^s by seed, over the γ that are `inside`.

    Args:
        best: From `best_etas`.
        inside: Says of values of γ whether they are meant.
    """
    chosen = best.loc[inside(best.gamma)]
    seeds = sorted(chosen.seed.unique())
    each = [chosen.loc[chosen.seed == seed] for seed in seeds]
    fits = [np.polyfit(np.log(own.gamma), np.log(own.eta), 1) for own in each]
    return pd.Series([slope for slope, _ in fits], index=seeds)


def lazy_slopes(best: pd.DataFrame, most: float = LAZY) -> pd.Series:
    """Return the exponents where training is lazy, up to a γ, by seed."""
    return slopes(best, lambda gamma: gamma <= most)


def rich_slopes(best: pd.DataFrame, least: float = RICH) -> pd.Series:
    """Return the exponents where training is rich, from a γ on, by seed."""
    return slopes(best, lambda gamma: gamma >= least)


def on_the_plane(plane: pd.DataFrame, plain: pd.DataFrame, value: str) -> pd.DataFrame:
    """Set networks in their standard form beside the plane's at the same place.

    Args:
        plane: Of one width.
        plain: Of several widths N, each at γ = 1/√N.
        value: The reading.

    Returns:
        A row for each width and η with `found` and `predicted`, means over seeds, and
        `half` of the former's 95 % interval; the prediction is linear between the
        plane's points, in logarithms of γ and η.
    """
    grid = plane.pivot_table(index="gammas", columns="eta", values=value)
    look_up = RegularGridInterpolator(
        (np.log(grid.index), np.log(grid.columns)), grid.to_numpy()
    )
    values = plain.dropna(subset=value).groupby(["widths", "eta"])[value]
    found = values.agg(found="mean", half=half_bar).reset_index()
    places = np.column_stack([-np.log(found.widths) / 2, np.log(found.eta)])
    return found.assign(predicted=look_up(places))


def agreement(pairs: pd.DataFrame) -> float:
    """Return Spearman's rank correlation of what was found and predicted."""
    return pairs.found.corr(pairs.predicted, method="spearman")


def with_width(plain: pd.DataFrame, value: str, eta: float) -> pd.Series:
    """Return the widest networks' reading less the narrowest ones', by seed.

    Args:
        plain: Of several widths.
        value: The reading.
        eta: Their learning rate.
    """
    own = plain.loc[np.isclose(plain.eta, eta)]
    by_width = own.pivot(index="seed", columns="widths", values=value)
    return pd.Series(
        by_width[by_width.columns.max()] - by_width[by_width.columns.min()]
    )


def foretold_with_width(pairs: pd.DataFrame, eta: float) -> float:
    """Return what the plane says of that difference.

    Args:
        pairs: From `on_the_plane`.
        eta: The learning rate.
    """
    own = pairs.loc[np.isclose(pairs.eta, eta)].sort_values("widths").predicted
    return float(own.iloc[-1] - own.iloc[0])


def following(knobs: pd.DataFrame, reference: str = "movement") -> pd.DataFrame:
    """Return how each instrument follows another as a knob is turned.

    A row for each knob, a column for each instrument: Spearman's rank correlation of
    the knob's positions, means over seeds, with `reference`; NaN where one is constant.
    """
    means = knob_means(knobs)
    rows = {
        knob: means.loc[knob].corrwith(means.loc[knob, reference], method="spearman")
        for knob in knobs.knobs.unique()
    }
    return pd.DataFrame(rows).T.reindex(columns=list(INSTRUMENTS))


def knob_means(knobs: pd.DataFrame) -> pd.DataFrame:
    """Return every instrument's mean over seeds, by knob and level, as they came.

    Networks that did not come down to the loss are left out.
    """
    reached = knobs.loc[knobs.steps > 0]
    return reached.pivot_table(
        index=["knobs", "level"], values=list(INSTRUMENTS), sort=False
    )


def knob_halves(knobs: pd.DataFrame) -> pd.DataFrame:
    """Return half of the 95 % interval about each of `knob_means`."""
    reached = knobs.loc[knobs.steps > 0]
    grouped = reached.groupby(["knobs", "level"], sort=False)
    return pd.DataFrame(grouped[list(INSTRUMENTS)].agg(half_bar))
