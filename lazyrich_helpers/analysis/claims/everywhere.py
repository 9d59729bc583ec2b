"""One finding for a question that was asked at several places, such as widths."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Several
from lazyrich_helpers.analysis.claims.verdicts import Finding, Word, widths_of
from lazyrich_helpers.analysis.tables.statistics import num_seeds

Place = TypeVar("Place")
Answer = tuple[bool | None, str]
"""Whether it is so, None: undecided; and the numbers."""
MOST_BRIEF = 120
"""Characters."""


def word_of(answer: bool | None) -> Word:
    """Return the word for a question that was asked of runs; None: undecided."""
    if answer is None:
        return Word.UNDECIDED
    return Word.HOLDS if answer else Word.FAILS


def over(
    words: Mapping[Place, Word],
    named: Callable[[list[Place]], str],
    numbers: str = "",
) -> Finding:
    """Return what is found for all places together, and the part that it is for.

    Where it fails at one place it does not hold, but partly if it holds at another.
    Else a place that was not run leaves it not run, and then one undecided undecided.
    `named` returns some of the places in words, as in `for w ≥ 1,000`.
    """
    found = set(words.values())
    good = [place for place, word in words.items() if word is Word.HOLDS]
    if Word.FAILS in found and good:
        return Finding(Word.PARTLY, numbers, named(good))
    order = (Word.FAILS, Word.NOT_RUN, Word.UNDECIDED, Word.HOLDS)
    return Finding(next(word for word in order if word in found), numbers)


def over_or_open(
    words: Mapping[Place, Word],
    named: Callable[[list[Place]], str],
    numbers: str = "",
) -> Finding:
    """Return what `over` does; if undecided, also where, if it holds elsewhere."""
    found = over(words, named, numbers)
    if found.word is not Word.UNDECIDED or Word.HOLDS not in words.values():
        return found
    open_ = [place for place, word in words.items() if word is Word.UNDECIDED]
    return replace(found, part=named(open_))


def everywhere(answers: Iterable[bool | None]) -> bool | None:
    """Return whether all hold: one False decides, else one None leaves it open."""
    answers = list(answers)
    if False in answers:
        return False
    return None if None in answers else True


def for_widths(chosen: Sequence[int], widths: Sequence[int]) -> str:
    """Return some of the ascending `widths` in words, as in `for w ≥ 1,000`."""
    chosen = list(chosen)
    if 1 < len(chosen) and chosen == list(widths[-len(chosen) :]):
        return f"for w ≥ {chosen[0]:,}"
    if 1 < len(chosen) and chosen == list(widths[: len(chosen)]):
        return f"for w ≤ {chosen[-1]:,}"
    return f"for w = {Several(f'{w:,}' for w in chosen)}"


def at_places(
    answers: Mapping[Place, Answer],
    place: str,
    unit: str,
    named: Callable[[list[Place]], str],
    seeds: str,
    joined: Callable[..., Finding] = over,
) -> Finding:
    """Return what is found of a question that was asked at several places.

    A place is printed as `place` has it, such as `w = {:,}`; `unit` says what the
    numbers are, `named` is as in `over`, `seeds` from `num_seeds`; `joined` is `over`
    or `over_or_open`.
    """
    words = {key: word_of(found) for key, (found, _) in answers.items()}
    listed = "; ".join(f"{place.format(k)}: {text}" for k, (_, text) in answers.items())
    return joined(words, named, f"{unit}: {listed} ({seeds}).")


def at_each_width(
    table: pd.DataFrame, answer: Callable[[int], Answer], unit: str
) -> Finding:
    """Ask a question of every width; `unit` says what the numbers are."""
    widths = widths_of(table)
    answers = {width: answer(width) for width in widths}
    named = functools.partial(for_widths, widths=widths)
    found = at_places(answers, "w = {:,}", unit, named, num_seeds(table))
    ends = dict.fromkeys(
        f"{answers[w][1]} at w = {w:,}" for w in (widths[0], widths[-1])
    )
    brief = f"{unit[0].upper()}{unit[1:]}: {', '.join(ends)}."
    return replace(found, brief=brief if len(brief) <= MOST_BRIEF else "")
