"""What re-initialization does to a network, in points of accuracy by seed.

Functions of a `tidy.reinit_table` and a width; claims ask about them.
"""

import numpy as np
import pandas as pd

CHANCE = 10.0
"""Accuracy of untrained networks in percent, on average: ten classes, all alike."""


def by_seed(
    table: pd.DataFrame, width: int, scenario: str, fraction: float
) -> pd.Series:
    """Return accuracy in percent, indexed by seed, at the nearest recorded fraction.

    None and all parameters, 0 and 1, are near no other fraction. Empty where neither
    they nor others were recorded.
    """
    rows = table.loc[(table.width == width) & (table.scenario == scenario)]
    ends = rows.fraction.isin([0.0, 1.0])
    rows = rows.loc[rows.fraction == fraction if fraction in (0.0, 1.0) else ~ends]
    if rows.empty:
        return pd.Series(dtype=float)
    available = rows.fraction.unique()
    nearest = available[np.argmin(np.abs(available - fraction))]
    at_fraction = rows.loc[rows.fraction == nearest]
    return pd.Series(100 * at_fraction.accuracy.to_numpy(), at_fraction.seed.to_numpy())


def at_extreme(
    table: pd.DataFrame, width: int, low: float, high: float, *, best: bool
) -> tuple[float, pd.Series]:
    """Return the best or worst γ in [low, high], and accuracy there by seed.

    Each seed's γ is chosen by the mean of the other seeds, so that picking an extreme
    of noisy values does not itself look like an effect. The γ returned is that of all
    seeds together.
    """
    rows = table.loc[(table.width == width) & (table.scenario == "active")]
    rows = rows.loc[rows.fraction.between(low * 0.999, high * 1.001)]
    curves = 100 * rows.pivot_table("accuracy", index="fraction", columns="seed")
    extreme = np.argmax if best else np.argmin
    values = {}
    for seed in curves.columns:
        others = curves.drop(columns=seed) if len(curves.columns) > 1 else curves
        values[seed] = curves[seed].iloc[int(extreme(others.mean(axis=1).to_numpy()))]
    together = curves.index.to_numpy()[extreme(curves.mean(axis=1).to_numpy())]
    return float(together), pd.Series(values)


def lost(table: pd.DataFrame, width: int, share: float) -> pd.Series:
    """Return points lost by resetting the `share` most active parameters."""
    trained = by_seed(table, width, "active", 0.0)
    return trained - by_seed(table, width, "active", share)


def fall(table: pd.DataFrame, width: int, low: float, high: float) -> pd.Series:
    """Return points lost at the worst γ in [low, high]."""
    _, at_worst = at_extreme(table, width, low, high, best=False)
    return by_seed(table, width, "active", 0.0) - at_worst


def rise(table: pd.DataFrame, width: int, low: float, high: float) -> pd.Series:
    """Return points gained from the worst γ in [low, high] to a random network.

    Its accuracy is `CHANCE`: what a seed's own happens to name right is only noise.
    """
    _, at_worst = at_extreme(table, width, low, high, best=False)
    return CHANCE - at_worst


def gained(table: pd.DataFrame, width: int) -> pd.Series:
    """Return points gained by training."""
    return lost(table, width, 1.0)


def short_of_trained(table: pd.DataFrame, width: int, share: float) -> pd.Series:
    """Return points lost by keeping only the `share` most active parameters."""
    everything = by_seed(table, width, "lazy", 1.0)
    return everything - by_seed(table, width, "lazy", share)


def above_random(table: pd.DataFrame, width: int, share: float) -> pd.Series:
    """Return points above the random network, with only the `share` most active."""
    random = by_seed(table, width, "lazy", 0.0)
    return by_seed(table, width, "lazy", share) - random
