"""A neighbouring paper's claims, asked of its recorded studies."""

from collections.abc import Iterable

import pandas as pd

from lazyrich_helpers.analysis.claims.verdicts import NOT_RUN, Claim, Verdict
from lazyrich_helpers.analysis.tables.statistics import num_seeds
from lazyrich_helpers.experiments.study import Study, StudyResult, read_study


def verdict_of(claim: Claim, result: StudyResult, about: str) -> Verdict:
    """Return what a study says of a claim: not run while points of it are missing.

    `about` says its networks and data, in a line; the number of seeds is added.
    """
    if result.missing:
        return claim.given(NOT_RUN, about)
    table = result.table
    # A study over seeds has one in each group: they count together.
    over = 0 if result.study.over == "seeds" else table[result.study.over]
    seeds = num_seeds(table.assign(group=over), "group")
    return claim.given(claim.check(table, **claim.asks), f"{about} · {seeds}")


def at_equal_loss(
    rows: pd.DataFrame, levels: pd.Series, time: str = "epoch"
) -> pd.DataFrame:
    """Return each seed's test accuracy once its training loss is down to a level.

    By seed: the `time` of the first row down there with an accuracy, of the last one if
    there is none; `test_accuracy` then; and whether the level was `reached`.
    """
    found = {}
    looks = rows.dropna(subset="test_accuracy").sort_values(time)
    for seed, own in looks.groupby("seed"):
        down = own[own.train_loss <= levels[seed]]
        then = (own.tail(1) if down.empty else down).iloc[0]
        found[seed] = (then[time], then.test_accuracy, not down.empty)
    names = [time, "test_accuracy", "reached"]
    return pd.DataFrame.from_dict(found, orient="index", columns=names)


def verdicts_of(asked: Iterable[tuple[Claim, Study, str]]) -> tuple[Verdict, ...]:
    """Return verdicts on claims: each with its study, and what that is about."""
    return tuple(verdict_of(c, read_study(study), about) for c, study, about in asked)
