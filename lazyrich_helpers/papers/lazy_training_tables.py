"""What the lazy-training studies say, in numbers with intervals."""

import numpy as np
import pandas as pd

from lazyrich_helpers.analysis.statistics import confidence_interval

LAWS = {"from_start": -1, "from_linear": -2, "outputs_apart": -1}
"""A measured distance → its exponent in α, by Theorem 2.2."""
LAZY_FROM = 30.0
"""Scales α from which the exponents are fitted."""


def slope(x: pd.Series, y: pd.Series) -> float:
    """Return the slope of log y over log x, by least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def law_slopes(table: pd.DataFrame) -> pd.DataFrame:
    """Return each law's exponent in α, a row a seed."""
    lazy = table[table.alphas >= LAZY_FROM]
    rows = [
        {"seed": seed} | {law: slope(own.alphas, own[law]) for law in LAWS}
        for seed, own in lazy.groupby("seed")
    ]
    return pd.DataFrame(rows)


def at_ends(table: pd.DataFrame, by: str, value: str) -> pd.DataFrame:
    """Return a value at the smallest and the largest of a column, a row a seed."""
    wide = table.pivot(index="seed", columns=by, values=value)
    return wide[[min(wide), max(wide)]].set_axis(["smallest", "largest"], axis=1)


def width_slopes(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return a value's exponent in the width m, seeds by scaling of the output."""
    rows = {
        (scaling, seed): slope(own.widths, own[value])
        for (scaling, seed), own in table.groupby(["scaling", "seed"])
    }
    return pd.Series(rows).unstack(0)


def scalings_apart(table: pd.DataFrame) -> pd.Series:
    """Return the widest 1/√m nets' test losses over the 1/m nets', a seed each."""
    widest = table[table.widths == table.widths.max()]
    losses = widest.pivot(index="seed", columns="scaling", values="test_loss")
    return losses["1/√m"] / losses["1/m"]


def at_best_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Return, for each α, the rows of the learning rate best on held-out images."""
    grouped = table.groupby(["inverse_alphas", "lr"]).held_out_accuracy.mean()
    best = grouped.groupby(level=0).idxmax()
    pairs = pd.MultiIndex.from_frame(table[["inverse_alphas", "lr"]])
    return table[pairs.isin(list(best))]


def ratio(values: pd.Series, digits: int = 1) -> str:
    """Return `28 (23 to 34)`: of ratios their geometric mean with its 95 % interval."""
    mean, half = confidence_interval(np.log(values))
    middle, low, high = (np.exp(mean + part * half) for part in (0, -1, 1))
    ends = f" ({low:.{digits}f} to {high:.{digits}f})" if np.isfinite(half) else ""
    return f"{middle:.{digits}f}{ends}"


def exponent(values: pd.Series) -> str:
    """Return `−1.00 ± 0.01`: a mean of slopes with its 95 % interval."""
    mean, half = confidence_interval(values)
    text = f"{mean:.2f}" + (f" ± {half:.2f}" if np.isfinite(half) else "")
    return text.replace("-", "−")
