"""The claims of Leclerc & Madry (2020) on schedules of steps, asked of `SCHEDULES`."""

import math

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Points
from lazyrich_helpers.analysis.claims.everywhere import over, word_of
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding
from lazyrich_helpers.analysis.tables.statistics import (
    above,
    as_ratio,
    with_interval,
)
from lazyrich_helpers.papers.asked import at_equal_loss
from lazyrich_helpers.papers.two_regimes.tables import (
    final,
    plateau,
    rises_of,
    tuned,
)


def _with_rises(table: pd.DataFrame, lr: float) -> str:
    """Return a step size of `SCHEDULES` with how often a constant one's loss rises."""
    return f"{lr:g} (rises in {100 * rises_of(table, lr):.0f} % of epochs)"


def higher_plateau(table: pd.DataFrame, times: float) -> Finding:
    """Ask of every large step size: its loss at the end over that after a drop."""
    words, told = {}, []
    dropped = pd.DataFrame(table[table.schedules == "one drop"])
    for lr in sorted(dropped.lr.unique()):
        kept = table[(table.schedules == "constant") & (table.lr == lr)]
        ended = pd.DataFrame(dropped[dropped.lr == lr])
        ratios = plateau(pd.DataFrame(kept)) / plateau(ended)
        logs = ratios.map(math.log)
        words[float(lr)] = word_of(above(logs, math.log(times)))
        told.append(f"η = {_with_rises(table, lr)}: {as_ratio(logs)} times")
    numbers = (
        f"Training loss at the end without a drop, over that with one: "
        f"{'; '.join(told)} (n = {table.seed.nunique()} seeds, 95 % intervals)."
    )

    def named(good: list[float]) -> str:
        return f"for η = {', '.join(map('{:g}'.format, good))}"

    return over(words, named, numbers)


def at_equal(table: pd.DataFrame, drop: pd.DataFrame) -> pd.DataFrame:
    """Return small steps, trained longer, once their loss is one drop's at its end."""
    longer = pd.DataFrame(table[table.schedules == "small, longer"])
    return at_equal_loss(longer.rename(columns={"loss": "train_loss"}), plateau(drop))


def compared(table: pd.DataFrame, small_lr: float) -> pd.DataFrame:
    """Return, by seed, test accuracies (%) of the schedules, each at its best step.

    `small` is the small step size, trained longer, when its training loss was down to
    that of `one drop` at its end.
    """
    drop = tuned(table, "one drop")
    kept = (table.schedules == "constant") & (table.lr == small_lr)
    small = pd.DataFrame(table[kept])
    equal = at_equal(table, drop)
    return pd.DataFrame(
        {
            "one drop": 100 * final(drop),
            "cosine": 100 * final(tuned(table, "cosine")),
            "large": 100 * final(tuned(table, "constant", above=small_lr)),
            "small": 100 * equal.test_accuracy,
            "small, same epochs": 100 * final(small),
            "reached": equal.reached,
        }
    )


def generalizes(table: pd.DataFrame, small_lr: float, points: float) -> Finding:
    """Ask how far small steps alone are behind, at equal training loss."""
    found = compared(table, small_lr)
    lead = found["one drop"] - found.small
    down = f"{int(found.reached.sum())} of {len(found)}"
    late = "" if found.reached.all() else ", the others count with their last epoch"
    own = float(tuned(table, "one drop").lr.iloc[0])
    others = [
        f" From {_with_rises(table, lr)} by {with_interval(lead_from(table, lr))}."
        for lr in sorted(table.lr[table.schedules == "one drop"].unique())
        if lr != own
    ]
    numbers = (
        f"One drop from {_with_rises(table, own)}, best on held-out images, is ahead "
        f"of small steps, {_with_rises(table, small_lr)}, by {with_interval(lead)} "
        f"points at equal training loss (reached by {down} small-step networks{late}; "
        f"n = {len(found)} seeds).{''.join(others)}"
    )
    enough = found.reached.mean() >= 0.5
    return Finding(word_of(above(lead, points) if enough else None), numbers)


def lead_from(table: pd.DataFrame, lr: float) -> pd.Series:
    """Return, by seed, how far one drop from a step size is ahead at equal loss (%)."""
    drop = pd.DataFrame(table[(table.schedules == "one drop") & (table.lr == lr)])
    return 100 * (final(drop) - at_equal(table, drop).test_accuracy)


def stopped(rows: pd.DataFrame) -> pd.Series:
    """Return, by seed, the test accuracy (%) where held-out accuracy is first highest.

    That is early stopping, among the epochs after which accuracies were taken.
    """
    looks = rows.dropna(subset="held_out_accuracy").sort_values("epoch")
    best = looks.loc[looks.groupby("seed").held_out_accuracy.idxmax()]
    return 100 * best.set_index("seed").test_accuracy


def drop_suffices(table: pd.DataFrame, small_lr: float, points: float) -> Finding:
    """Ask whether one drop is as good as a cosine, each at its best step size."""
    found = compared(table, small_lr)
    lead = found["one drop"] - found.cosine
    numbers = (
        f"One drop less cosine, each from its best step size on held-out images: "
        f"{with_interval(lead)} points (n = {len(found)} seeds)."
    )
    return Finding(word_of(above(lead, -points)), numbers)


PLATEAU = Claim(
    name="TR2",
    says="After large steps alone the final loss is much higher than when training "
    "ends with small steps (we ask for {times:g} times)",
    check=higher_plateau,
    asks={"times": 2.0},
)

GENERALIZES = Claim(
    name="TR5",
    says="Large steps are what makes networks generalize, small steps alone generalize "
    "poorly (we ask for {points}, at equal training loss, from the best large step)",
    check=generalizes,
    asks={"points": Points(1)},
)


SCHEDULE = Claim(
    name="TR6",
    says="A schedule needs no more than the two regimes, one after the other (we ask "
    "for at most {points} below a cosine)",
    check=drop_suffices,
    asks={"points": Points(1)},
)
