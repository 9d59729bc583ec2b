"""The ledger: every claim of the paper, what is found, and what is left to run."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Several
from lazyrich_helpers.analysis.claims.lws_checks import FULL_WIDTH
from lazyrich_helpers.analysis.claims.question import (
    EITHER,
    PAPER,
    TUNED,
    UNLEARNED,
    Question,
)
from lazyrich_helpers.analysis.claims.verdicts import OPEN, Verdict, Word


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """A claim about some networks and data, at both settings."""

    questions: tuple[Question, ...]
    """One for each setting, the paper's first."""

    def at(self, setting: str) -> Verdict | None:
        """Return the verdict at `PAPER` or `TUNED`; None where it is not asked."""
        for question in self.questions:
            if question.setting in (setting, EITHER):
                return question.verdict
        return None

    @property
    def first(self) -> Question:
        """At the paper's settings, where there is one."""
        return self.questions[0]

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Those that there are, the paper's settings first."""
        return tuple(question.verdict for question in self.questions)

    @property
    def words(self) -> tuple[Word, ...]:
        """The verdicts' words, each once."""
        return tuple(dict.fromkeys(verdict.word for verdict in self.verdicts))


def ledger(found: Iterable[Question]) -> list[LedgerRow]:
    """Return a row for each claim and what it is about, in the order of `found`."""
    grouped: dict[tuple[str, str], list[Question]] = {}
    for question in found:
        key = (question.verdict.says, question.about)
        grouped.setdefault(key, []).append(question)
    order = (PAPER, EITHER, TUNED)
    return [
        LedgerRow(questions=tuple(sorted(own, key=lambda q: order.index(q.setting))))
        for own in grouped.values()
    ]


COLUMNS = (
    "section claim about paper_says setting verdict part found scope proved recipe page"
).split()


def ledger_table(found: Iterable[Question]) -> pd.DataFrame:
    """Return one row per question, all in words, for a file that others read."""
    rows = [
        {
            "section": question.section,
            "about": question.about,
            "setting": question.setting,
            "recipe": question.runs.recipe,
            "page": question.page,
        }
        | _said(question.verdict)
        for question in found
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _said(verdict: Verdict) -> dict[str, Any]:
    return {
        "claim": verdict.claim,
        "paper_says": verdict.says,
        "verdict": str(verdict.word),
        "part": verdict.part,
        "found": verdict.numbers,
        "scope": verdict.scope,
        "proved": verdict.proved,
    }


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A neighbouring paper's headline claims, and what is found."""

    paper: str
    """Its authors and year."""
    page: str
    """Of the book, from its top folder, without an ending."""
    verdicts: tuple[Verdict, ...]


def neighbours_table(found: Iterable[Neighbour]) -> pd.DataFrame:
    """Return one row per neighbour's claim, as far as `ledger_table` has columns."""
    rows = [
        {"section": neighbour.paper, "page": neighbour.page} | _said(verdict)
        for neighbour in found
        for verdict in neighbour.verdicts
    ]
    return pd.DataFrame(rows)


NO_TEST = ("S5", "E5", "A6", "D8", "E12")
"""Claims that are not counted, since they could hardly fail.

S5 chose our networks, E5's formula is ours, A6 follows from A5 wherever training works,
and D8 and E12 are nearly all FLOPs, which the schedules fix.
"""


def in_one_sentence(rows: Sequence[LedgerRow]) -> str:
    """Return how many claims hold, each counted once, whatever it was tested on."""
    by_claim: dict[str, list[Verdict]] = {}
    for row in rows:
        decided = [each for each in row.verdicts if each.word not in OPEN]
        by_claim.setdefault(row.first.verdict.claim, []).extend(decided)
    found = [by_claim[claim] for claim in by_claim if claim not in NO_TEST]
    words = [{verdict.word for verdict in own} for own in found]
    hold, fail = words.count({Word.HOLDS}), words.count({Word.FAILS})
    left = words.count(set())
    mixed = len(found) - hold - fail - left
    elsewhere = {
        row.first.verdict.claim
        for row in rows
        for verdict in row.verdicts
        if re.match(rf"at w = {FULL_WIDTH}; at \d+: (does not|partly)", verdict.part)
    }
    narrow_too = sum(not by_claim[claim] for claim in elsewhere)
    narrow = sum(
        own == {Word.HOLDS} and all(_is_narrow(verdict) for verdict in each)
        for own, each in zip(words, found, strict=True)
    )
    return (
        f"Of the paper’s {len(found)} claims, {hold} hold in every test that is "
        f"decided ({narrow} of them tested at a quarter of the paper’s width alone), "
        f"{mixed} in some tests or in part, and {fail} in none; for {left} no test is "
        f"decided yet, of which {narrow_too} do not hold, or in part, in networks of a "
        f"quarter of the width. {Several(NO_TEST)} are not counted: our networks, "
        "formulas and schedules, or another claim, settle them."
    )


def _is_narrow(verdict: Verdict) -> bool:
    return re.search(r"\bat w = ", verdict.part) is not None


KINDS: dict[str, Callable[[LedgerRow], bool]] = {
    "holds at whichever rate it is asked": lambda row: row.words == (Word.HOLDS,),
    "better at the paper's rate than at a tuned one": lambda row: _rank(row) > 0,
    "better at a tuned rate than at the paper's": lambda row: _rank(row) < 0,
    "depends on width": lambda row: any(_of_width(v) for v in row.verdicts),
    "holds partly, and not by width": lambda row: any(
        verdict.word is Word.PARTLY and not _of_width(verdict)
        for verdict in row.verdicts
    ),
    "does not hold at whichever rate it is asked": lambda row: (
        row.words == (Word.FAILS,)
    ),
    "undecided, or not run where it is claimed": lambda row: (
        not {*row.words}.isdisjoint(OPEN)
    ),
}
"""What a reader asks for → whether a row is of that kind; it may be of several."""


def _rank(row: LedgerRow) -> int:
    """Return how much better a claim does at the paper's settings; 0 where unknown."""
    order = (Word.FAILS, Word.PARTLY, Word.HOLDS)
    if any(verdict.part.endswith(UNLEARNED) for verdict in row.verdicts):
        return 0
    words = [verdict.word for verdict in row.verdicts]
    if len(words) < 2 or not {*words} <= {*order}:
        return 0
    return order.index(words[0]) - order.index(words[1])


def _of_width(verdict: Verdict) -> bool:
    return verdict.word is Word.PARTLY and verdict.part.startswith("for w ")


def word_counts(table: pd.DataFrame, setting: str) -> pd.DataFrame:
    """Return how often each word is found: a row per section, a column per word.

    In a `ledger_table`, at `PAPER` or `TUNED`; what no learning rate changes counts for
    both.
    """
    rows = table.loc[table.setting.isin([setting, EITHER])]
    counts = pd.crosstab(rows.section, rows.verdict)
    return counts.reindex(columns=[str(word) for word in Word], fill_value=0)
