"""The claims of Leclerc & Madry (2020), asked of the studies' tables."""

import math

import numpy as np
import pandas as pd

from lazyrich_helpers.analysis.amounts import Points, Share
from lazyrich_helpers.analysis.statistics import (
    above,
    geometric_interval,
    near,
    with_interval,
)
from lazyrich_helpers.analysis.verdicts import (
    Claim,
    Finding,
    everywhere,
    over,
    over_or_open,
    word_of,
)
from lazyrich_helpers.papers.two_regimes_tables import (
    LARGE,
    SMALL,
    STRICT,
    at_equal_loss,
    best_with,
    final,
    plateau,
    regimes,
    rises_of,
    tuned,
)


def ratio(logs: pd.Series) -> str:
    """Return `2.3 (1.9 to 2.8)`: a mean ratio of logarithms with its 95 % interval."""
    middle, low, high = geometric_interval(logs)
    return f"{middle:.2g} ({low:.2g} to {high:.2g})"


def _batches(chosen: list[int]) -> str:
    return f"for batches of {', '.join(f'{size:,}' for size in chosen)}"


def two_regimes(table: pd.DataFrame, large: float, small: float) -> Finding:
    """Ask, at each batch size, for step sizes at which the loss rises, and does not."""
    words, strict, told = {}, {}, []
    for batch, own in table.groupby("batch_sizes"):
        kinds = regimes(own)
        trains = pd.DataFrame(own[own.lr.map(kinds) != "fails"])
        most = trains.groupby("lr").rises.mean().idxmax()
        rises = pd.Series(trains.set_index("lr").rises.loc[[most]])
        least = trains.groupby("lr").rises.mean().min()
        for found, line in ((words, large), (strict, STRICT)):
            answer = above(rises, line) if least <= small else False
            found[int(str(batch))] = word_of(answer)
        told.append(
            f"batches of {batch}: in {with_interval(100 * rises, sign=False)} % of "
            f"epochs at η = {most:.3g}, {100 * least:.0f} % at the smallest"
        )
    by_line = ", ".join(f"{word} {_batches([b])}" for b, word in strict.items())
    numbers = (
        f"Rises, at the step size of each with the most: {'; '.join(told)} (n = "
        f"{table.seed.nunique()} seeds). With the line at {Share(STRICT)}: {by_line}."
    )
    return over(words, _batches, numbers)


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
        told.append(f"η = {_with_rises(table, lr)}: {ratio(logs)} times")
    numbers = (
        f"Training loss at the end without a drop, over that with one: "
        f"{'; '.join(told)} (n = {table.seed.nunique()} seeds, 95 % intervals)."
    )
    return over(words, lambda good: f"for η = {', '.join(map('{:g}'.format, good))}",
                numbers)  # fmt: skip


def matched_logs(table: pd.DataFrame, lr: float, momentum: float) -> pd.Series:
    """Return, by seed, the log of a loss over that without momentum at equal η/(1 − μ).

    Args:
        table: Of `MOMENTUM`, of one start.
        lr: The value of η/(1 − μ).
        momentum: μ of the first.
    """
    rows = table[table.lr == lr].set_index("seed")
    losses = rows.groupby("momentum").loss
    return np.log(losses.get_group(momentum) / losses.get_group(0.0))


def matched(table: pd.DataFrame, lrs: list[float], factor: float) -> Finding:
    """Ask, at each η/(1 − μ), whether all momenta's losses are that without momentum.

    Args:
        table: Of `MOMENTUM`, with batches, from the large steps' state.
        lrs: Values of η/(1 − μ) that are in one regime, ascending.
        factor: Within which they are to be.
    """
    words, told = {}, []
    momenta = sorted(set(table.momentum) - {0.0})
    for lr in lrs:
        logs = {m: matched_logs(table, lr, m) for m in momenta}
        answers = [near(own, 0.0, math.log(factor)) for own in logs.values()]
        words[lr] = word_of(everywhere(answers))
        found = ", ".join(f"μ = {m:g}: {ratio(own)}" for m, own in logs.items())
        told.append(f"at {lr:.2g}, {found}")
    numbers = (
        f"Loss over that without momentum, by η/(1 − μ): {'; '.join(told)} (n = "
        f"{table.seed.nunique()} seeds, 95 % intervals)."
    )

    def named(good: list[float]) -> str:
        if good == lrs[: len(good)]:
            return f"for η/(1 − μ) ≤ {good[-1]:.2g}"
        return f"for η/(1 − μ) = {', '.join(f'{lr:.2g}' for lr in good)}"

    return over_or_open(words, named, numbers)


def gains(table: pd.DataFrame, momentum: float) -> pd.Series:
    """Return, by seed, the log of the loss without momentum over that with it.

    Each is at its own best step size.

    Args:
        table: Of `MOMENTUM` or `FULL_BATCH`, of one start.
        momentum: To compare with none.
    """
    best = best_with(table)
    losses = {m: own.set_index("seed").loss for m, own in best.groupby("momentum")}
    return np.log(losses[0.0] / losses[momentum])


def momentum_gains(table: pd.DataFrame, momentum: float, times: float) -> Finding:
    """Ask, in full batch, how much lower the best loss with momentum is.

    That with batches, whose noise limits the step, is told beside it.
    """
    grouped = table.groupby("batch_sizes")
    logs = {int(str(batch)): gains(own, momentum) for batch, own in grouped}
    *batches, full = sorted(logs)  # the largest: all images
    beside = "".join(f"; beside it, {_batches([b])}: {ratio(logs[b])}" for b in batches)
    numbers = (
        "Lowest loss over step sizes without momentum, over that with it: full batch "
        f"{ratio(logs[full])} times{beside} (n = {table.seed.nunique()} seeds, 95 % "
        "intervals)."
    )
    return Finding(word_of(above(logs[full], math.log(times))), numbers)


def _with_rises(table: pd.DataFrame, lr: float) -> str:
    """Return a step size of `SCHEDULES` with how often a constant one's loss rises."""
    return f"{lr:g} (rises in {100 * rises_of(table, lr):.0f} % of epochs)"


def at_equal(table: pd.DataFrame, drop: pd.DataFrame) -> pd.DataFrame:
    """Return small steps, trained longer, once their loss is one drop's at its end."""
    longer = pd.DataFrame(table[table.schedules == "small, longer"])
    return at_equal_loss(longer, plateau(drop))


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
    own = float(tuned(table, "one drop").lr.iloc[0])
    others = [
        f" From {_with_rises(table, lr)} by {with_interval(lead_from(table, lr))}."
        for lr in sorted(table.lr[table.schedules == "one drop"].unique())
        if lr != own
    ]
    numbers = (
        f"One drop from {_with_rises(table, own)}, best on held-out images, is ahead "
        f"of small steps, {_with_rises(table, small_lr)}, by {with_interval(lead)} "
        f"points at equal training loss (reached by {down} small-step networks; "
        f"n = {len(found)} seeds).{''.join(others)}"
    )
    return Finding(word_of(above(lead, points)), numbers)


def lead_from(table: pd.DataFrame, lr: float) -> pd.Series:
    """Return, by seed, how far one drop from a step size is ahead at equal loss (%)."""
    drop = pd.DataFrame(table[(table.schedules == "one drop") & (table.lr == lr)])
    return 100 * (final(drop) - at_equal(table, drop).test_accuracy)


def drop_suffices(table: pd.DataFrame, small_lr: float, points: float) -> Finding:
    """Ask whether one drop is as good as a cosine, each at its best step size."""
    found = compared(table, small_lr)
    lead = found["one drop"] - found.cosine
    numbers = (
        f"One drop less cosine, each from its best step size on held-out images: "
        f"{with_interval(lead)} points (n = {len(found)} seeds)."
    )
    return Finding(word_of(above(lead, -points)), numbers)


TWO_REGIMES = Claim(
    name="TR1",
    says="At large steps the training loss does not fall consistently at each epoch, "
    "at small steps it does (we ask for rises in at least {large} of the epochs, and "
    "at most {small})",
    check=two_regimes,
    asks={"large": Share(LARGE), "small": Share(SMALL)},
)
PLATEAU = Claim(
    name="TR2",
    says="After large steps alone the final loss is much higher than when training "
    "ends with small steps (we ask for {times:g} times)",
    check=higher_plateau,
    asks={"times": 2.0},
)
MATCHED = Claim(
    name="TR3",
    says="At large steps a wide range of momentum gives similar losses if the step "
    "size is changed to match η/(1 − μ) (we ask for a factor of {factor:g})",
    check=matched,
    asks={"factor": 1.5},
)
SPEED = Claim(
    name="TR4",
    says="Where stability limits the step size, momentum is needed to get down fast; "
    "the text, as we remember it, says so of small steps (we ask for a loss {times:g} "
    "times lower with μ = {momentum:g} in full batch, each at its best step size)",
    check=momentum_gains,
    asks={"momentum": 0.9, "times": 2.0},
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
CLAIMS = (TWO_REGIMES, PLATEAU, MATCHED, SPEED, GENERALIZES, SCHEDULE)
