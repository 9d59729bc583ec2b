"""Leclerc & Madry (2020): two regimes of training, by the size of the steps."""

import pandas as pd

from lazyrich_helpers.analysis.claims.verdicts import NOT_RUN, Verdict
from lazyrich_helpers.experiments.study import StudyResult, read_study
from lazyrich_helpers.papers.two_regimes import checks
from lazyrich_helpers.papers.two_regimes.momentum import FULL_BATCH, MOMENTUM
from lazyrich_helpers.papers.two_regimes.schedules import SCHEDULES
from lazyrich_helpers.papers.two_regimes.studies import (
    BOUNDARY,
    LINES,
    STEP_SIZES,
)
from lazyrich_helpers.papers.two_regimes.tables import regime_table, regimes_after

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


def verdicts() -> tuple[Verdict, ...]:
    """Return what is found of the paper's claims, from the recorded studies."""
    needed = (STEP_SIZES, BOUNDARY, MOMENTUM, FULL_BATCH, SCHEDULES)
    results = [read_study(study) for study in needed]
    if any(result.missing for result in results):
        return tuple(claim.given(NOT_RUN) for claim in checks.CLAIMS)
    steps, boundary, momentum, full_batch, schedules = results
    table = regime_table(steps.table)
    kinds = regimes_after(boundary.table, momentum.settings.warm_epochs)
    large = [lr for lr, kind in kinds.items() if kind == "large"]
    with_batches = after_large_steps(momentum.table)
    both = after_large_steps(momentum.table, full_batch.table)
    small_lr = schedules.settings.small_lr
    digits, cifar = _scope(steps, DIGITS_SCOPE), _scope(schedules, CIFAR_SCOPE)
    asked = (
        (checks.TWO_REGIMES, (table,), digits),
        (checks.PLATEAU, (schedules.table,), cifar),
        (checks.MATCHED, (with_batches, large), digits),
        (checks.SPEED, (both,), _scope(full_batch, FULL_SCOPE)),
        (checks.GENERALIZES, (schedules.table, small_lr), cifar),
        (checks.SCHEDULE, (schedules.table, small_lr), cifar),
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
