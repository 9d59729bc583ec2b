"""Checks that the claims about Layer-Wise Sparse training are made of.

They are about a `tables.lws.lws_table` of one width, cell by cell. Each takes templates
of the cells that its claim is about, as `lws_cells.cells_for` does. Losses are in
points of test accuracy against full training from the same start with the same seed.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Several
from lazyrich_helpers.analysis.claims.everywhere import over, word_of
from lazyrich_helpers.analysis.claims.lws_cells import (
    cells_for,
    in_part,
    listed,
    lost,
    of_cell,
)
from lazyrich_helpers.analysis.claims.verdicts import (
    Check,
    Claim,
    Finding,
    Word,
    widths_of,
)
from lazyrich_helpers.analysis.tables.statistics import above, with_interval
from lazyrich_helpers.analysis.tables.tidy import one_setting

XAVIER, PRETRAINED = "xavier_normal", "imagenet_vgg11"
"""Kinds of `init`."""
FULL_WIDTH = 64
"""Channels of the first block of the paper's VGG-5 and VGG-11."""
ENDS = Several((1, 2, 3, 4))
"""The paper's numbers of layers at an end."""


def starting_from(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the runs of one kind of start; ValueError if they are of several."""
    rows = table.loc[table.init == kind]
    one_setting(rows, "width", "updates")
    return rows


def of_their_width(found: Finding, table: pd.DataFrame) -> Finding:
    """Return the finding; of narrower networks than the paper's their width is said."""
    if found.word is Word.NOT_RUN:
        return found
    width = widths_of(table)[-1]
    if width >= FULL_WIDTH:
        return found
    return replace(found, part=f"{found.part} at w = {width}".strip())


def lws_claim(
    number: str,
    says: str,
    check: Check,
    asks: Mapping[str, Any],
    start: str = XAVIER,
    least_width: int = 1,
) -> Claim:
    """Return a claim about networks of one start, whatever others are there.

    What narrower networks than the paper's answer is said to be for their width.
    """

    def of_them(table: pd.DataFrame, **asks: Any) -> Finding:
        rows = starting_from(table, start)
        if rows.empty:
            return Finding(Word.NOT_RUN, f"Not run yet from {start}.")
        found = check(rows, **asks)
        return found if least_width > 1 else of_their_width(found, rows)

    compares = ("updates", "init")
    return Claim(number, says, of_them, asks, least_width, compares)


def loses_less(*cells: str) -> Check:
    """Return the check that each of the cells loses less than `line` points."""
    return _each(cells, lambda lost, line: above(-lost, -line))


def loses_more(*cells: str) -> Check:
    """Return the check that each of the cells loses more than `line` points."""
    return _each(cells, lambda lost, line: above(lost, line))


def _each(
    cells: Sequence[str], answer: Callable[[pd.Series, float], bool | None]
) -> Check:
    def check(table: pd.DataFrame, *, line: float = 0.0, **asks: Any) -> Finding:
        chosen = cells_for(cells, asks)
        return _in_all(*_losses(table, chosen, lambda lost, _: answer(lost, line)))

    return check


def each_loses_more(lines: Mapping[str, str]) -> Check:
    """Return the check that cells lose more than their lines, named as in `asks`."""

    def check(table: pd.DataFrame, **asks: float) -> Finding:
        def answer(lost: pd.Series, cell: str) -> bool | None:
            return above(lost, asks[lines[cell]])

        return _in_all(*_losses(table, list(lines), answer))

    return check


def some_loses_less(*cells: str) -> Check:
    """Return the check that at least one of the cells loses less than `line` points."""

    def check(table: pd.DataFrame, *, line: float, **asks: Any) -> Finding:
        chosen = cells_for(cells, asks)
        words, numbers = _losses(table, chosen, lambda lost, _: above(-lost, -line))
        order = (Word.HOLDS, Word.UNDECIDED, Word.NOT_RUN, Word.FAILS)
        return Finding(next(w for w in order if w in words.values()), numbers)

    return check


def improves(*cells: str) -> Check:
    """Return the check that the last of the cells loses less than the first."""

    def check(table: pd.DataFrame, **asks: Any) -> Finding:
        chosen = cells_for(cells, asks)
        _, numbers = _losses(table, chosen)
        return Finding(_gain(table, chosen[0], chosen[-1]), numbers)

    return check


def in_order(families: Mapping[str, Sequence[str]]) -> Check:
    """Return the check that in each family a cell loses less than the one before."""

    def check(table: pd.DataFrame, **asks: Any) -> Finding:
        words, numbers = {}, []
        for family, cells in families.items():
            chosen = cells_for(cells, asks)
            numbers.append(_losses(table, chosen)[1])
            pairs = itertools.pairwise(chosen)
            words[family.format(**asks)] = _all([_gain(table, *p) for p in pairs])
        numbers = " ".join(dict.fromkeys(numbers))
        return over(words, lambda good: f"for {Several(good)}", numbers)

    return check


COSTS = {
    "backward": "Backward FLOPs over full training's",
    "clock_backward": "Backward time (steps at full width) over full training's",
}
"""Columns of what going backward costs, and what to call them. The time is from
`tables.timing.with_clock`."""


def costs_between(*cells: str) -> Check:
    """Return the check that each cell's backward pass costs a share in [low, high].

    In FLOPs, and in time where steps were timed. Both follow from the network and
    the draws, so that one run decides.
    """

    def check(table: pd.DataFrame, *, low: float, high: float, **asks: Any) -> Finding:
        chosen = cells_for(cells, asks)
        words = dict.fromkeys(chosen, Word.HOLDS)
        said = []
        for column, what in COSTS.items():
            if column not in table or table[column].dropna().empty:
                continue
            costs, numbers = _means(table, chosen, column, what)
            said.append(numbers)
            for cell in chosen:
                within = low <= costs[cell] <= high if cell in costs else None
                own = Word.NOT_RUN if within is None else word_of(within)
                words[cell] = _all([words[cell], own])
        return _in_all(words, " ".join(dict.fromkeys(said)))

    return check


def takes_on_average(*cells: str) -> Check:
    """Return the check that the cells' `clock_total`, on average, is in [low, high].

    That is a column of the time of all steps over full training's, from
    `tables.timing.with_clock`; as with FLOPs one run of each decides.
    """
    what = "Time of all steps over full training's"

    def check(table: pd.DataFrame, *, low: float, high: float, **asks: Any) -> Finding:
        if "clock_total" not in table:
            return Finding(Word.NOT_RUN, "Not timed yet.")
        chosen = cells_for(cells, asks)
        times, numbers = _means(table, chosen, "clock_total", what)
        if len(times) < len(chosen):
            return Finding(Word.NOT_RUN, numbers)
        mean = sum(times.values()) / len(times)
        numbers = f"{numbers[:-1]}, {mean:.2f} on average."
        return Finding(word_of(low <= mean <= high), numbers)

    return check


def _losses(
    table: pd.DataFrame,
    cells: Sequence[str],
    answer: Callable[[pd.Series, str], bool | None] = lambda lost, cell: None,
) -> tuple[dict[str, Word], str]:
    """Ask a question of what each cell lost; return the words, and the numbers."""
    words, texts = dict.fromkeys(cells, Word.NOT_RUN), {}
    for cell in cells:
        values = lost(table, cell).dropna()
        if len(values):
            words[cell] = word_of(answer(values, cell))
            texts[cell] = with_interval(values, sign=False)
    return words, listed("Points lost", texts, len(cells), table)


def _in_all(words: Mapping[str, Word], numbers: str) -> Finding:
    """Return what is found where each of the cells is asked."""
    return over(words, lambda good: in_part(good, list(words)), numbers)


def _all(words: Sequence[Word]) -> Word:
    """Return the word for places of which each is needed."""
    word = over(dict(enumerate(words)), lambda _: "").word
    return Word.FAILS if word is Word.PARTLY else word


def _gain(table: pd.DataFrame, first: str, last: str) -> Word:
    """Return whether the last loses less than the first, seed by seed."""
    gained = (lost(table, first) - lost(table, last)).dropna()
    return word_of(above(gained, 0.0)) if len(gained) else Word.NOT_RUN


def _means(
    table: pd.DataFrame, cells: Sequence[str], column: str, what: str
) -> tuple[dict[str, float], str]:
    """Return a column's mean for each of the cells that were run, and the numbers."""
    values = {cell: of_cell(table, cell, column).dropna() for cell in cells}
    means = {cell: float(each.mean()) for cell, each in values.items() if len(each)}
    texts = {cell: f"{mean:.2f}" for cell, mean in means.items()}
    return means, listed(what, texts, len(cells), table)
