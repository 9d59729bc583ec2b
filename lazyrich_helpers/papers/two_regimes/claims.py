"""Leclerc & Madry (2020): two regimes of training, by the size of the steps."""

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
from lazyrich_helpers.analysis.claims.verdicts import (
    NOT_RUN,
    Claim,
    Finding,
    Verdict,
    Word,
)
from lazyrich_helpers.analysis.tables.statistics import (
    above,
    as_ratio,
    near,
    with_interval,
)
from lazyrich_helpers.experiments.study import StudyResult, read_study
from lazyrich_helpers.papers.two_regimes.momentum import FULL_BATCH, MOMENTUM
from lazyrich_helpers.papers.two_regimes.schedule_checks import (
    GENERALIZES,
    PLATEAU,
    SCHEDULE,
)
from lazyrich_helpers.papers.two_regimes.schedules import SCHEDULES
from lazyrich_helpers.papers.two_regimes.studies import (
    BOUNDARY,
    LINES,
    STEP_SIZES,
)
from lazyrich_helpers.papers.two_regimes.tables import (
    LARGE,
    SMALL,
    STRICT,
    best_with,
    regime_table,
    regimes,
    regimes_after,
)

PAPER = "Leclerc & Madry (2020)"
PAGE = "book/papers/two_regimes"
STUDIES = (STEP_SIZES, LINES, BOUNDARY, MOMENTUM, FULL_BATCH, SCHEDULES)
DIGITS_SCOPE = "digits · {train_size:,} images · ReLU-Nets · d = 2 · w = {width}"
FULL_SCOPE = (
    "digits · {train_size:,} images in full batch · ReLU-Nets · d = 2 · w = {width}"
)
CIFAR_SCOPE = (
    "CIFAR-10, 16×16 pixels · the same {train_size:,} images for all seeds · "
    "ReLU-Nets · d = 2 · w = {width}"
)


def _batches(chosen: list[int]) -> str:
    return f"for batches of {', '.join(f'{size:,}' for size in chosen)}"


def two_regimes(table: pd.DataFrame, large: float, small: float) -> Finding:
    """Ask, at each batch size, for step sizes at which the loss rises, and does not."""
    words, strict, told = {}, {}, []
    for batch, own in table.groupby("batch_sizes"):
        kinds = regimes(own)
        trains = pd.DataFrame(own[own.lr.map(kinds) != "fails"])
        means = trains.groupby("lr").rises.mean()
        most = means.idxmax()
        rises = pd.Series(trains.set_index("lr").rises.loc[[most]])
        least = means[means.index < most].min()  # NaN where no step size is smaller
        for found, line in ((words, large), (strict, STRICT)):
            answer = above(rises, line) if least <= small else False
            found[int(str(batch))] = word_of(answer)
        beside = "none is smaller"
        if not math.isnan(least):
            beside = f"{100 * least:.0f} % at the smallest"
        told.append(
            f"batches of {batch}: in {with_interval(100 * rises, sign=False)} % of "
            f"epochs at η = {most:.3g}, {beside}"
        )
    by_line = ", ".join(f"{word} {_batches([b])}" for b, word in strict.items())
    numbers = (
        f"Rises, at the step size of each with the most: {'; '.join(told)} (n = "
        f"{table.seed.nunique()} seeds). With the line at {Share(STRICT)}: {by_line}."
    )
    return over(words, _batches, numbers)


def matched_logs(table: pd.DataFrame, lr: float, momentum: float) -> pd.Series:
    """Return, by seed, the log of a loss over that without momentum at equal η/(1 − μ).

    `table` is of `MOMENTUM`, of one start; `lr` is η/(1 − μ).
    """
    rows = table[table.lr == lr].set_index("seed")
    losses = rows.groupby("momentum").loss
    return np.log(losses.get_group(momentum) / losses.get_group(0.0))


def matched(table: pd.DataFrame, lrs: list[float], factor: float) -> Finding:
    """Ask, at each η/(1 − μ), whether all momenta's losses are that without momentum.

    `table` is of `MOMENTUM`, with batches, from the large steps' state; `lrs` are in
    one regime, ascending.
    """
    if not lrs:
        return Finding(Word.NOT_RUN, "No step size is large.")
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

    Each is at its own best step size; `table` is of one start.
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


def verdicts() -> tuple[Verdict, ...]:
    """Return what is found of the paper's claims, from the recorded studies."""
    needed = (STEP_SIZES, BOUNDARY, MOMENTUM, FULL_BATCH, SCHEDULES)
    results = [read_study(study) for study in needed]
    if any(result.missing for result in results):
        return tuple(claim.given(NOT_RUN) for claim in CLAIMS)
    steps, boundary, momentum, full_batch, schedules = results
    table = regime_table(steps.table)
    kinds = regimes_after(boundary.table, momentum.settings.warm_epochs)
    large = [lr for lr, kind in kinds.items() if kind == "large"]
    with_batches = after_large_steps(momentum.table)
    both = after_large_steps(momentum.table, full_batch.table)
    small_lr = schedules.settings.small_lr
    digits, cifar = _scope(steps, DIGITS_SCOPE), _scope(schedules, CIFAR_SCOPE)
    asked = (
        (TWO_REGIMES, (table,), digits),
        (PLATEAU, (schedules.table,), cifar),
        (MATCHED, (with_batches, large), digits),
        (SPEED, (both,), _scope(full_batch, FULL_SCOPE)),
        (GENERALIZES, (schedules.table, small_lr), cifar),
        (SCHEDULE, (schedules.table, small_lr), cifar),
    )
    return tuple(
        claim.given(claim.check(*things, **claim.asks), scope)
        for claim, things, scope in asked
    )


def after_large_steps(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of momentum's studies that started where large steps had led."""
    rows = pd.concat(tables, ignore_index=True)
    return pd.DataFrame(rows[rows.warm_epochs > 0])


def _scope(result: StudyResult, text: str) -> str:
    """Return what a study's networks have been, in a line."""
    settings = result.settings
    words = text.format(train_size=settings.train_size, width=settings.width)
    return f"{words} · n = {len(settings.seeds)} seeds"
