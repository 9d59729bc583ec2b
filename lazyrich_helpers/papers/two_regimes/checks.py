"""The claims of Leclerc & Madry (2020), asked of the studies' tables."""

import math

import numpy as np
import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Share
from lazyrich_helpers.analysis.claims.everywhere import (
    everywhere,
    over,
    over_or_open,
    word_of,
)
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding
from lazyrich_helpers.analysis.tables.statistics import (
    above,
    as_ratio,
    near,
    with_interval,
)
from lazyrich_helpers.papers.two_regimes.schedule_checks import (
    GENERALIZES,
    PLATEAU,
    SCHEDULE,
)
from lazyrich_helpers.papers.two_regimes.tables import (
    LARGE,
    SMALL,
    STRICT,
    best_with,
    regimes,
)


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
        found = ", ".join(f"μ = {m:g}: {as_ratio(own)}" for m, own in logs.items())
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
    beside = "".join(
        f"; beside it, {_batches([b])}: {as_ratio(logs[b])}" for b in batches
    )
    numbers = (
        "Lowest loss over step sizes without momentum, over that with it: full batch "
        f"{as_ratio(logs[full])} times{beside} (n = {table.seed.nunique()} seeds, 95 % "
        "intervals)."
    )
    return Finding(word_of(above(logs[full], math.log(times))), numbers)


TWO_REGIMES = Claim(
    name="TR1",
    says="At large steps the training loss does not fall consistently at each epoch, "
    "at small steps it does (we ask for rises in at least {large} of the epochs, and "
    "at most {small})",
    check=two_regimes,
    asks={"large": Share(LARGE), "small": Share(SMALL)},
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
CLAIMS = (TWO_REGIMES, PLATEAU, MATCHED, SPEED, GENERALIZES, SCHEDULE)
