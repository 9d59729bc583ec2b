"""When networks generalize, and what they lose: numbers from the studies' tables."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

LEVEL = 0.85
"""Test accuracy at which a network counts as generalizing; the paper's."""
BASELINE = "weight decay"
COSTS = ("step", "seconds")
"""What a training may save."""


def first_reach(table: pd.DataFrame, column: str, level: float, of: str) -> float:
    """Return `of` where `column` first reaches `level`; NaN where it never does.

    `table` is of one network, in the order of its steps; between two measurements it
    is interpolated.
    """
    reached = (table[column] >= level).to_numpy()
    if not reached.any():
        return float("nan")
    place = int(reached.argmax())
    ends = table[[column, of]].to_numpy(dtype=float)[max(0, place - 1) : place + 1]
    return float(np.interp(level, ends[:, 0], ends[:, 1]))


def reach_or_last(table: pd.DataFrame, column: str, level: float, of: str) -> float:
    """Return what `first_reach` does; where it is never reached, `of` at the end."""
    found = first_reach(table, column, level, of)
    return float(table[of].iloc[-1]) if np.isnan(found) else found


def networks(table: pd.DataFrame, by: str) -> Iterator[tuple[Any, int, pd.DataFrame]]:
    """Yield a column's value, the seed and the rows of each network, as they lie."""
    for value in dict.fromkeys(table[by]):
        rows = table.loc[table[by] == value]
        for seed in dict.fromkeys(rows.seed):
            yield value, int(seed), rows.loc[rows.seed == seed]


def reaches(table: pd.DataFrame) -> pd.DataFrame:
    """Return steps, and CPU seconds since the first, until test accuracy is `LEVEL`.

    Beside them stand the baseline's over them, for the same seed: `step_ratio` and
    `seconds_ratio`, above 1 where a method is faster. One that does not get there
    counts with its last step, so with less than it needs; `reached` is False.
    """
    rows = []
    for method, seed, own in networks(table, "methods"):
        # What was spent before step 0, such as starting up, is not training.
        own = own.assign(seconds=own.seconds - own.seconds.iloc[0])
        reached = bool((own.test >= LEVEL).any())
        costs = [reach_or_last(own, "test", LEVEL, of) for of in COSTS]
        rows.append((method, seed, reached, *costs))
    found = pd.DataFrame(rows, columns=["methods", "seed", "reached", *COSTS])
    base = found.loc[found.methods == BASELINE].set_index("seed")
    for name in COSTS:
        found[f"{name}_ratio"] = found.seed.map(base[name]) / found[name]
    return found


def lateness(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return how many times as many steps a column takes as test accuracy does.

    Each to `LEVEL` of what it ends with. Columns: `methods`, `seed`, `ratio`.
    """
    rows = []
    for method, seed, own in networks(table, "methods"):
        steps = [
            first_reach(own, name, LEVEL * own[name].iloc[-1], "step")
            for name in (column, "test")
        ]
        rows.append((method, seed, steps[0] / steps[1]))
    return pd.DataFrame(rows, columns=["methods", "seed", "ratio"])


def at_level(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return, by method and seed, a column where test accuracy reaches `LEVEL`.

    Columns: `methods`, `seed`, `value`.
    """
    rows = [
        (method, seed, first_reach(own, "test", LEVEL, column))
        for method, seed, own in networks(table, "methods")
    ]
    return pd.DataFrame(rows, columns=["methods", "seed", "value"])


def at_end(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the last step."""
    return table.loc[table.step == table.step.max()]


def of_method(table: pd.DataFrame, method: str, column: str) -> pd.Series:
    """Return a method's values by seed, of a table with a row for each seed."""
    return table.loc[table.methods == method].set_index("seed").loc[:, column]


def gammas_lost(table: pd.DataFrame, share: float = 0.5) -> pd.DataFrame:
    """Return, by width and seed, γ at which a share of each measure is lost.

    Of accuracy and of alignment; of what training gave them: the way from the trained
    network's value to that of the initial one, which is at γ = 1. Interpolated in
    log γ; `ratio` is accuracy's γ over alignment's, above 1 where alignment goes first.
    """
    rows = []
    for width, seed, own in networks(table, "widths"):
        gammas = [_gamma(own, of, share) for of in ("accuracy", "alignment")]
        rows.append((width, seed, *gammas, gammas[0] / gammas[1]))
    names = ["widths", "seed", "accuracy", "alignment", "ratio"]
    return pd.DataFrame(rows, columns=names)


def _gamma(table: pd.DataFrame, column: str, share: float) -> float:
    """Return γ at which a column has first come so much of its way."""
    values = table[column].to_numpy()
    lost = pd.DataFrame({
        "lost": (values[0] - values[1:]) / (values[0] - values[-1]),
        "gamma": np.log10(table.gamma.to_numpy()[1:]),
    })  # fmt: skip
    return 10 ** first_reach(lost, "lost", share, "gamma")
