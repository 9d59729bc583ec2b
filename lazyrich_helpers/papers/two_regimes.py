"""Leclerc & Madry (2020): two regimes of training, by the size of the steps."""

from lazyrich_helpers.analysis.verdicts import Verdict
from lazyrich_helpers.papers.two_regimes_schedules import SCHEDULES
from lazyrich_helpers.papers.two_regimes_studies import (
    BOUNDARY,
    LINES,
    MOMENTUM,
    STEP_SIZES,
)

PAPER = "Leclerc & Madry (2020)"
PAGE = "book/papers/two_regimes"
STUDIES = (STEP_SIZES, LINES, BOUNDARY, MOMENTUM, SCHEDULES)


def verdicts() -> tuple[Verdict, ...]:
    """Return what is found of the paper's claims."""
    return ()
