"""Which regime a step size is in, and what schedules reach: tables of the studies."""

import numpy as np
import pandas as pd

SMALL, LARGE, STRICT = 0.02, 0.1, 0.3
"""Share of epochs in which the training loss rises: at most, at least, and at least by
the line that we set first.

Ours, the first two chosen with the curves on digits in view."""
FAILED = 1.0
"""Training loss of a network that has not learned digits; at chance it is log 10."""
LAST = 5
"""Epochs over whose loss is averaged at the end."""


def regime_table(curves: pd.DataFrame) -> pd.DataFrame:
    """Return of each network how often its loss rose, and where it ended.

    Args:
        curves: With `batch_sizes`, lr, seed, epoch, loss and test_accuracy; a loss that
            is not finite is missing.

    Returns:
        A row per batch size, lr and seed: `rises`, the share of epochs after which the
        loss was higher than before; `plateau`, the mean loss of the last epochs;
        `test_accuracy` at the end.
    """

    def summed(own: pd.DataFrame) -> pd.Series:
        loss = own.loss.to_numpy(float)
        rises = 1 - np.mean(loss[1:] <= loss[:-1])
        ends = {
            "plateau": loss[-LAST:].mean(),
            "test_accuracy": own.test_accuracy.iloc[-1],
        }
        return pd.Series({"rises": rises} | ends)

    grouped = curves.sort_values("epoch").groupby(["batch_sizes", "lr", "seed"])
    return grouped[["loss", "test_accuracy"]].apply(summed).reset_index()


def regimes(table: pd.DataFrame) -> dict[float, str]:
    """Return the regime of each step size: small, between, large, or fails.

    A step size fails if it is larger than that of the lowest plateau and a network of
    it has learned nothing. Else the mean share of rises decides: `SMALL` and `LARGE`.
    """
    best = float(table.groupby("lr").plateau.mean().idxmin())
    found = {}
    for lr in sorted(map(float, table.lr.unique())):
        own = table[table.lr == lr]
        rises = own.rises.mean()
        if lr > best and not (own.plateau < FAILED).all():
            found[lr] = "fails"
        elif rises <= SMALL:
            found[lr] = "small"
        else:
            found[lr] = "large" if rises >= LARGE else "between"
    return found


def regimes_after(table: pd.DataFrame, warm_epochs: int) -> dict[float, str]:
    """Return the regime of each step size of `BOUNDARY` from where large steps led."""
    own = pd.DataFrame(table[table.warm_epochs == warm_epochs])
    return regimes(own.rename(columns={"loss": "plateau"}))


def rises_of(table: pd.DataFrame, lr: float) -> float:
    """Return the share of epochs in which a constant step size's loss rises."""
    own = table[(table.schedules == "constant") & (table.lr == lr)]
    losses = own.pivot(index="epoch", columns="seed", values="loss")
    return float((losses.diff().iloc[1:] > 0).to_numpy().mean())


def largest_small(table: pd.DataFrame) -> float:
    """Return the largest step size, of one batch size, that hardly ever rises."""
    rises = table.groupby("lr").rises.mean().sort_index()
    until = rises[(rises > SMALL).cumsum() == 0]
    return float(until.index[-1]) if len(until) else float("nan")


def tuned(table: pd.DataFrame, schedule: str, *, above: float = 0.0) -> pd.DataFrame:
    """Return the runs of a schedule at the step size that is best on held-out images.

    Step sizes that are not `above` a bound are left out.
    """
    rows = pd.DataFrame(table[(table.schedules == schedule) & (table.lr > above)])
    ends = pd.DataFrame(rows[rows.epoch == rows.epoch.max()])
    best = ends.groupby("lr").held_out_accuracy.mean().idxmax()
    return pd.DataFrame(rows[rows.lr == best])


def final(rows: pd.DataFrame) -> pd.Series:
    """Return the test accuracy at the last epoch, by seed."""
    ends = rows.loc[rows.epoch == rows.epoch.max()]
    return ends.set_index("seed").test_accuracy.sort_index()


def plateau(rows: pd.DataFrame) -> pd.Series:
    """Return the mean training loss of the last epochs, by seed."""
    late = rows[rows.epoch > rows.epoch.max() - LAST]
    return late.groupby("seed").loss.mean()


def best_with(table: pd.DataFrame) -> pd.DataFrame:
    """Return each momentum's runs at the step size with the lowest mean loss."""
    means = table.groupby(["momentum", "lr"]).loss.agg(lambda x: x.mean(skipna=False))
    best = means.groupby("momentum").idxmin().tolist()
    places = table.set_index(["momentum", "lr"]).index
    return pd.DataFrame(table[places.isin(best)])
