"""A claim is asked of a study's table, or said not to be run."""

import dataclasses

import pandas as pd

from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Word
from lazyrich_helpers.experiments.study import Study, StudyResult
from lazyrich_helpers.papers.asked import verdict_of

TABLE = pd.DataFrame({"widths": [8, 8, 16, 16], "seed": [0, 1] * 2, "loss": [1, 2] * 2})
STUDY = Study(
    name="made-up", says="", point=lambda *_: TABLE, over="widths", budgets={}
)


def result(missing, study=STUDY):
    return StudyResult(
        study=study, budget="paper", settings=None, table=TABLE, origins=[], seconds=0,
        missing=missing,
    )  # fmt: skip


def below(table, line):
    return Finding(Word.HOLDS if table.loss.max() < line else Word.FAILS, "Numbers.")


def test_a_claim_is_asked_of_what_is_seen_of_the_table():
    claim = Claim("Z1", "Losses are below {line}", below, {"line": 2})
    found = verdict_of(claim, result([]), "digits")
    assert (found.word, found.scope) == (Word.FAILS, "digits · n = 2 seeds")
    best = verdict_of(claim, result([]), "digits", lambda table: table.query("loss<2"))
    assert best.word is Word.HOLDS and best.says == "Losses are below 2"


def test_seeds_of_a_study_over_seeds_count_together():
    claim = Claim("Z1", "Losses are below {line}", below, {"line": 3})
    over_seeds = dataclasses.replace(STUDY, over="seeds")
    found = verdict_of(claim, result([], over_seeds), "digits")
    assert found.scope == "digits · n = 2 seeds"


def test_a_study_with_a_missing_point_is_not_asked():
    claim = Claim("Z1", "Losses are below {line}", below, {"line": 2})
    found = verdict_of(claim, result([32]), "digits")
    assert (found.word, found.numbers) == (Word.NOT_RUN, "Not run yet.")
