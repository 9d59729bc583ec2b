"""A neighbouring paper's claims, asked of its recorded studies."""

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.claims.verdicts import NOT_RUN, Claim, Verdict
from lazyrich_helpers.analysis.tables.statistics import num_seeds
from lazyrich_helpers.experiments.study import Study, StudyResult, read_study


def verdict_of(
    claim: Claim,
    result: StudyResult,
    about: str,
    seen: Callable[[pd.DataFrame], Any] = lambda table: table,
) -> Verdict:
    """Return what a study says of a claim: not run while points of it are missing.

    Args:
        claim: Checks what `seen` returns.
        result: What there is of the study.
        about: Its networks and data, in a line; the number of seeds is added.
        seen: Makes of the study's table what the claim is about.
    """
    if result.missing:
        return claim.given(NOT_RUN, about)
    table = result.table
    found = claim.check(seen(table), **claim.asks)
    # A study over seeds has one in each group: they count together.
    over = 0 if result.study.over == "seeds" else table[result.study.over]
    seeds = num_seeds(table.assign(group=over), "group")
    return claim.given(found, f"{about} · {seeds}")


def verdicts_of(asked: Iterable[tuple[Claim, Study, str]]) -> tuple[Verdict, ...]:
    """Return verdicts on claims: each with its study, and what that is about."""
    return tuple(verdict_of(c, read_study(study), about) for c, study, about in asked)
