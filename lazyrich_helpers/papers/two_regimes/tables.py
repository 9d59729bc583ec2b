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
    rows = []
    names = ["batch_sizes", "lr", "seed"]
    for place, own in curves.groupby(names):
        own = own.sort_values("epoch")
        loss = own.loss.to_numpy(float)
        rows.append(
            {
                **dict(zip(names, tuple(place), strict=True)),  # type: ignore[arg-type]
                "rises": 1 - float(np.mean(loss[1:] <= loss[:-1])),
                "plateau": float(np.mean(loss[-LAST:])),
                "test_accuracy": float(own.test_accuracy.iloc[-1]),
            }
        )
    return pd.DataFrame(rows)


def regimes(table: pd.DataFrame) -> dict[float, str]:
    """Return the regime of each step size: small, between, large, or fails.

    Args:
        table: From `regime_table`, of one batch size.

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
    """Return the regime of each step size from where large steps have led.

    Args:
        table: Of `BOUNDARY`.
        warm_epochs: Epochs of large steps before.
    """
    own = pd.DataFrame(table[table.warm_epochs == warm_epochs])
    return regimes(own.rename(columns={"loss": "plateau"}))


def rises_of(table: pd.DataFrame, lr: float) -> float:
    """Return the share of epochs in which the loss of a constant step size rises.

    Args:
        table: Of `SCHEDULES`.
        lr: The step size.
    """
    own = table[(table.schedules == "constant") & (table.lr == lr)]
    losses = own.pivot(index="epoch", columns="seed", values="loss")
    return float((losses.diff().iloc[1:] > 0).to_numpy().mean())


def largest_small(table: pd.DataFrame) -> float:
    """Return the largest step size up to which the loss hardly ever rises.

    Args:
        table: With lr and rises, of networks with one start and batch size.
    """
    rises = table.groupby("lr").rises.mean().sort_index()
    until = rises[(rises > SMALL).cumsum() == 0]
    return float(until.index[-1]) if len(until) else float("nan")


def tuned(table: pd.DataFrame, schedule: str, *, above: float = 0.0) -> pd.DataFrame:
    """Return the runs of a schedule at the step size that is best on held-out images.

    Args:
        table: Of `SCHEDULES`.
        schedule: One of them.
        above: Smaller step sizes, and this one, are left out.
    """
    rows = pd.DataFrame(table[(table.schedules == schedule) & (table.lr > above)])
    ends = pd.DataFrame(rows[rows.epoch == rows.epoch.max()])
    best = ends.groupby("lr").held_out_accuracy.mean().idxmax()
    return pd.DataFrame(rows[rows.lr == best])


def final(rows: pd.DataFrame, value: str = "test_accuracy") -> pd.Series:
    """Return a column at the last epoch, by seed."""
    ends = pd.DataFrame(rows[rows.epoch == rows.epoch.max()])
    return pd.Series(ends.set_index("seed")[value]).sort_index()


def plateau(rows: pd.DataFrame) -> pd.Series:
    """Return the mean training loss of the last epochs, by seed."""
    late = rows[rows.epoch > rows.epoch.max() - LAST]
    return late.groupby("seed").loss.mean()


def at_equal_loss(rows: pd.DataFrame, levels: pd.Series) -> pd.DataFrame:
    """Return each seed's test accuracy once its training loss is down to a level.

    Args:
        rows: Of one schedule and step size.
        levels: Training loss, by seed.

    Returns:
        By seed: `epoch`, the first one down there at which the accuracy was measured,
        the last one if none was; `test_accuracy` then; and whether it was `reached`.
    """
    found = {}
    looks = rows.dropna(subset="test_accuracy")
    for seed, own in looks.sort_values("epoch").groupby("seed"):
        down = own[own.loss <= levels[seed]]
        first = (down if len(down) else own.tail(1)).iloc[0]
        found[seed] = {
            "epoch": int(first.epoch),
            "test_accuracy": float(first.test_accuracy),
            "reached": bool(len(down)),
        }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("seed")


def best_with(table: pd.DataFrame) -> pd.DataFrame:
    """Return, for each momentum, the runs of the step size with the lowest mean loss.

    Args:
        table: Of `MOMENTUM`, of one batch size and start.
    """
    means = table.groupby(["momentum", "lr"]).loss.agg(lambda x: x.mean(skipna=False))
    best = means.groupby("momentum").idxmin().tolist()
    places = table.set_index(["momentum", "lr"]).index
    return pd.DataFrame(table[places.isin(best)])
