"""What the lazy-training studies say, in numbers with intervals."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lazyrich_helpers.analysis.tables.statistics import as_ratio, with_interval
from lazyrich_helpers.papers.asked import at_equal_loss

LAWS = {"from_start": -1, "from_linear": -2, "outputs_apart": -1}
"""A measured distance → its exponent in α, by Theorem 2.2."""
LAZY_FROM = 30.0
"""The scale α from which on the exponents are fitted."""


def slope(x: ArrayLike, y: ArrayLike) -> float:
    """Return the slope of log y over log x, by least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def law_slopes(table: pd.DataFrame, least: float = LAZY_FROM) -> pd.DataFrame:
    """Return each law's exponent in α, from a scale on, a row a seed."""
    lazy = table.loc[table.alphas >= least]
    rows = [
        {"seed": seed} | {law: slope(own.alphas, own[law]) for law in LAWS}
        for seed, own in lazy.groupby("seed")
    ]
    return pd.DataFrame(rows)


def at_ends(table: pd.DataFrame, by: str, value: str) -> pd.DataFrame:
    """Return a value at the smallest and the largest of a column, a row a seed."""
    wide = table.pivot(index="seed", columns=by, values=value)
    ends = {"smallest": wide[min(wide)], "largest": wide[max(wide)]}
    return pd.DataFrame(ends)


def width_slopes(table: pd.DataFrame, value: str) -> dict[str, pd.Series]:
    """Return a value's exponents in the width m, one a seed, by scaling."""
    return {
        str(scaling): pd.Series(
            [slope(own.widths, own[value]) for _, own in rows.groupby("seed")]
        )
        for scaling, rows in table.groupby("scaling")
    }


def scalings_apart(table: pd.DataFrame) -> pd.Series:
    """Return the widest 1/√m nets' test losses over the 1/m nets', a seed each."""
    widest = table.loc[table.widths == table.widths.max()]
    losses = widest.pivot(index="seed", columns="scaling", values="test_loss")
    return pd.Series(losses["1/√m"] / losses["1/m"])


def at_best_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Return, for each α, the rows of the learning rate best on held-out images."""
    grouped = table.groupby(["inverse_alphas", "lr"]).held_out_accuracy.mean()
    best = grouped.groupby(level=0).idxmax()
    pairs = pd.MultiIndex.from_arrays([table.inverse_alphas, table.lr])
    return table.loc[pairs.isin(list(best))]


def lost_at_equal_loss(flow: pd.DataFrame, rich: pd.DataFrame) -> pd.DataFrame:
    """Return linearized nets when their training loss is that of trained nets.

    As `asked.at_equal_loss`, of `FLOW` and rows of `IMAGES`, one a seed; and `lost`,
    how much lower (in points) the accuracy is than the trained net's.
    """
    own = rich.set_index("seed")
    found = at_equal_loss(flow, own.train_loss, "time")
    return found.assign(lost=100 * (own.test_accuracy - found.test_accuracy))


def ratio(values: pd.Series, digits: int = 1) -> str:
    """Return `28 (23 to 34)`: of ratios their geometric mean with its 95 % interval."""
    return as_ratio(pd.Series(np.log(values)), f".{digits}f")


def exponent(values: pd.Series) -> str:
    """Return `−1.00 ± 0.01`: a mean of slopes with its 95 % interval."""
    return with_interval(values, sign=False, digits=2)
