"""What the studies of starts say: shares of variance, and steps at the best rate."""

import math

import pandas as pd

from lazyrich_helpers.analysis.tables.statistics import with_interval
from lazyrich_helpers.papers.init_variance.nets import NAMES
from lazyrich_helpers.papers.init_variance.theory import correlations


def with_share(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of variances with what they tell of each network and layer.

    New columns: `share`, the sample variance's of the total, and `rho`, the rest.
    """
    share = table["sample"] / table.total
    return table.assign(share=share, rho=1 - share)


def off_theory(table: pd.DataFrame, width: int) -> pd.DataFrame:
    """Return how much more sample variance is left than in a wide network, in percent.

    It is the share over the recursion's, less 1: a row for each seed, a column for each
    layer. ρ itself is close to 1 in high layers of any network, and says nothing there.
    """
    rows = table.loc[table.widths == width]
    shares = rows.pivot(index="seed", columns="layer", values="share")
    shares.columns = shares.columns.astype(int)
    expected = 1 - correlations(int(max(shares)))[shares.columns - 1]
    return 100 * (shares / expected - 1)


LEAST_SEEDS = 6
"""Fewer of them decide no count, be it of none: the median's interval has no bounds."""


def everyone_reached(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows at learning rates at which every seed reached the loss."""
    reached = rows.groupby("lr").steps.transform(lambda own: own.notna().all())
    reached = reached.astype(bool)  # not so by itself where there are none
    return pd.DataFrame(rows[reached])


def share_reached(table: pd.DataFrame, start: str, depth: int) -> float:
    """Return which part of the seeds reached the loss, at the rate with the most."""
    rows = table[(table.inits == start) & (table.depth == depth)]
    return float(rows.groupby("lr").steps.agg(lambda own: own.notna().mean()).max())


def told_reached(table: pd.DataFrame, start: str, depth: int) -> str:
    """Return that in words: `4 of 5 seeds from sample statistics`."""
    num = table.seed.nunique()
    reached = round(share_reached(table, start, depth) * num)
    return f"{reached} of {num} seeds from {NAMES[start]}"


def best_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows at each start's and depth's best learning rate.

    It is the one at which the loss is reached in the fewest steps, on average, by all
    seeds. A start and depth without such a rate has no rows.
    """
    kept = []
    for _, rows in table.groupby(["inits", "depth"], sort=False):
        reached = everyone_reached(rows)
        if not reached.empty:
            best = reached.groupby("lr").steps.mean().idxmin()
            kept.append(rows[rows.lr == best])
    return pd.concat(kept, ignore_index=True) if kept else table.iloc[:0]


def least_loss(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows at each start's and depth's rate with the least loss at the end.

    The mean is over seeds; a rate at which one diverged is none unless all are so.
    """
    last = [name for name in table if str(name).startswith("loss_")][-1]
    ends = table.assign(end=table[last].fillna(math.inf))
    kept = []
    for _, rows in ends.groupby(["inits", "depth"], sort=False):
        kept.append(rows[rows.lr == rows.groupby("lr").end.mean().idxmin()])
    return pd.concat(kept, ignore_index=True).drop(columns="end")


def same_rates(table: pd.DataFrame, start: str, other: str, depth: int) -> pd.DataFrame:
    """Return what two starts come to at the rates at which all seeds reach the loss.

    A row for each rate and seed: `loss` and `other_loss`, of training at the end, and
    `ahead`, the first start's test accuracy less the other's, in points.
    """
    last = [name for name in table if str(name).startswith("loss_")][-1]
    deep = table.loc[table.depth == depth]
    one, two = (
        everyone_reached(deep.loc[deep.inits == name])
        .set_index(["lr", "seed"])
        .rename(columns={last: "loss"})
        for name in (start, other)
    )
    ahead = 100 * (one.accuracy - two.accuracy)
    found = pd.DataFrame({"loss": one.loss, "other_loss": two.loss, "ahead": ahead})
    return found.dropna().reset_index()


def reached_by_start(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row per start and depth: best rate, steps to the loss, test accuracy.

    Words stand for numbers with 95 % intervals; none where the loss is not reached.
    """
    rows = []
    for _, own in best_rates(table).groupby(["inits", "depth"], sort=False):
        start, depth, lr = own.inits.iloc[0], int(own.depth.iloc[0]), own.lr.iloc[0]
        steps = with_interval(own.steps, sign=False)
        accuracy = with_interval(100 * own.accuracy, sign=False)
        rows.append((NAMES[start], depth, lr, steps, accuracy))
    columns = ["start", "hidden layers", "learning rate", "steps", "test accuracy"]
    return pd.DataFrame(rows, columns=columns)


def steps_at_best(table: pd.DataFrame, start: str, depth: int) -> pd.Series | None:
    """Return steps to the loss by seed in `best_rates`; None if there is no such."""
    rows = table[(table.inits == start) & (table.depth == depth)]
    return None if rows.empty else rows.set_index("seed").steps


def speed_up(table: pd.DataFrame, depth: int) -> pd.Series | None:
    r"""Return by seed which part of batch norm's saving sample statistics save.

    It is $(s_\mathrm{layer} - s_\mathrm{sample}) / (s_\mathrm{layer} - s_\mathrm{bn})$,
    $s$ the steps to the loss at the best rate; None where one never reaches it.
    """
    found = [steps_at_best(table, s, depth) for s in ("layer", "sample", "batch_norm")]
    if any(steps is None for steps in found):
        return None
    layer, sample, norm = found
    return (layer - sample) / (layer - norm)  # type: ignore[operator]
