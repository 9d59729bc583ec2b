"""What a verdict on a claim of the paper is: a word, what it is for, and the numbers.

The words are `Word`, and there are no others. The numbers that a claim asks for stand
in its `asks` alone: they complete its sentence, and its check is given them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from html import escape
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.tables.tidy import one_setting, scope_of


class Word(StrEnum):
    """Everything that a verdict can be."""

    HOLDS = "holds"
    PARTLY = "partly"
    """It holds at some places that it is about, and at others it does not."""
    FAILS = "does not hold"
    UNDECIDED = "undecided"
    """It was run, but the interval spans the line."""
    NOT_RUN = "not run"


OPEN = (Word.UNDECIDED, Word.NOT_RUN)
"""Words that leave a claim open."""


@dataclass(frozen=True)
class Finding:
    """What a check has found."""

    word: Word
    numbers: str
    """What decided it, with n and spread."""
    part: str = ""
    """What the word is for, such as `for w ≥ 1,000`; may be empty but for `PARTLY`."""
    brief: str = ""
    """The numbers at both ends, where there are many and a line has room for them."""

    def __str__(self) -> str:
        return f"{self.word} {self.part}".strip()


NOT_RUN = Finding(Word.NOT_RUN, "Not run yet.")
Check = Callable[..., Finding]
"""Tables, and the numbers asked for by name → what is found."""


ASKED = re.compile(r" \(([^()]*\bwe ask\b[^()]*)\)")
"""What a claim's sentence says of our line, which a reader unfolds."""


MOST_WORDS = 40
"""Of a box, before a reader unfolds it."""


def num_words(text: str) -> int:
    """Return how many words a text has: what has a letter or a digit."""
    return len(re.findall(r"\S*\w\S*", text))


@dataclass(frozen=True)
class Verdict(Finding):
    """Whether a claim holds in the records at hand."""

    claim: str = field(kw_only=True)
    """Its name here, such as A1."""
    says: str = field(kw_only=True)
    """What the paper says, in our words."""
    scope: str = field(default="", kw_only=True)
    """What it rests on, from `scope_of`."""
    proved: bool = field(default=False, kw_only=True)
    """Whether an argument decides it, and the numbers only show it."""

    @property
    def in_short(self) -> str:
        """What the paper says, without the line that we ask for."""
        return ASKED.sub("", self.says)

    def __repr__(self) -> str:
        found = f"{self.word.upper()} {self.part}".strip()
        return f"{self.claim}: {self.says}. {found}: {self.numbers}"

    def _repr_html_(self) -> str:
        asked = ASKED.search(self.says)
        line = asked[1][0].upper() + asked[1][1:] + ". " if asked else ""
        found = str(self)[0].upper() + str(self)[1:]
        lead = f"{found}, proved" if self.proved else found
        words = num_words(f"{lead} {self.in_short} {self.claim} {self.scope}")
        room = words + num_words(self.brief) <= MOST_WORDS
        brief = f"<p>{escape(self.brief)}</p>" if self.brief and room else ""
        return (
            f'<div class="verdict {css_class(self.word)}">'
            f"<p><strong>{escape(lead)}.</strong> {escape(self.in_short)}. "
            f'<span class="claim">{self.claim}</span></p>{brief}'
            f"<details><summary>{escape(self.scope) or 'Numbers'}</summary>"
            f"<p>{escape(line + self.numbers)}</p></details></div>"
        )

    def beside(self, larger: "Verdict", width: int) -> "Verdict":
        """Return this with what networks of a larger `width` say, if they were run."""
        if larger.word is Word.NOT_RUN:
            return self
        numbers = f"{self.numbers} At w = {width:,}: {larger}: {larger.numbers}"
        return replace(self, numbers=numbers)


def css_class(word: Word) -> str:
    """Return the class that gives a word its mark and colour: `verdict-not-run`."""
    return f"verdict-{word.replace(' ', '-')}"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper with the test that decides it."""

    name: str
    says: str
    """With a `{field}` for each of `asks`, and for `least_width` where it has one."""
    check: Check
    asks: Mapping[str, Any] = field(default_factory=dict)
    """Every number that the sentence and its check share, by name."""
    least_width: int = 1
    """Narrower networks are not what the sentence is about."""
    compares: tuple[str, ...] = ()
    """Columns, as in `tidy.one_setting`, in which its runs differ; beside width."""
    proof: str = ""
    """Why it does not hold, whatever was run."""

    @property
    def sentence(self) -> str:
        """What the paper says, with the numbers that are asked for."""
        return self.says.format(least_width=self.least_width, **self.asks)

    def verdict(self, *tables: pd.DataFrame) -> Verdict:
        """Check tables of runs, each of one setting but for what the claim compares."""
        for table in tables:
            one_setting(table, "width", *self.compares)
        if all(table.empty for table in tables):
            return self.given(NOT_RUN)
        found = self.check(*tables, **self.asks)
        if self.least_width > 1:
            width = min(widths_of(table)[-1] for table in tables)
            if width < self.least_width:
                found = self._too_narrow(found, width)
        return self.given(found, scope_of(*tables))

    def verdict_on(self, *things: Any) -> Verdict:
        """Check what is no table of runs, such as times of steps."""
        return self.given(self.check(*things, **self.asks))

    def _too_narrow(self, found: Finding, width: int) -> Finding:
        there = "" if found.word is Word.NOT_RUN else f"; at {width:,}: {found}"
        part = f"at w = {self.least_width:,}{there}"
        return replace(found, word=Word.NOT_RUN, part=part)

    def given(self, found: Finding, scope: str = "") -> Verdict:
        """Return the verdict for what a check has found."""
        word, numbers, part = found.word, found.numbers, found.part
        if self.proof:
            word, numbers, part = Word.FAILS, f"{self.proof} {numbers}", ""
        own = {"claim": self.name, "says": self.sentence, "proved": bool(self.proof)}
        return Verdict(word, numbers, part, found.brief, scope=scope, **own)


def widths_of(table: pd.DataFrame) -> list[int]:
    """Return the widths in the table, ascending."""
    return sorted(int(width) for width in table.width.unique())
