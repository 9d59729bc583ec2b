"""Tests of Layer-Wise Sparse training that the claims of `lws_claims` are made of.

They judge a `lws_tables.lws_table` of one width, cell by cell: a schedule and its ρ.
Each takes a function from what its claim asks for to the cells that it is about. Losses
are in points of test accuracy against full training from the same start with the same
seed.
"""

import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.claims import above, interval, signed
from lazyrich_helpers.analysis.lws_tables import cell_name
from lazyrich_helpers.analysis.verdicts import (
    Finding,
    Judge,
    Several,
    Word,
    over,
    widths_of,
    word_of,
)

Cell = tuple[str, float | None]
"""A schedule's name, and its probability where it has one."""


def of_cell(table: pd.DataFrame, cell: Cell, column: str) -> pd.Series:
    """Return a column by seed, of one schedule; empty where it was not run."""
    schedule, rho = cell
    rows = table.loc[table.schedule == schedule]
    rows = rows.loc[rows.rho.isna() if rho is None else rows.rho == rho]
    return pd.Series(rows[column].to_numpy(), rows.seed.to_numpy(), dtype=float)


def lost(table: pd.DataFrame, cell: Cell) -> pd.Series:
    """Return points of test accuracy lost against full training, by seed."""
    return 100 * of_cell(table, cell, "lost")


def name(cell: Cell) -> str:
    """Return a cell's name, as in `top 1 all bottoms, ρ 0.1`."""
    schedule, rho = cell
    return cell_name(schedule, math.nan if rho is None else rho)


def said(values: pd.Series) -> str:
    """Return `2.3 ± 0.4`, the mean with its 95 % interval, or the mean alone."""
    mean, half = interval(values)
    text = signed(mean).lstrip("+")
    return text + (f" ± {half:.1f}" if half < float("inf") else "")


Cells = Callable[..., list[Cell]]
"""What a claim asks for → the schedules that it is about."""


def _chosen(cells: Cells, asks: Mapping[str, Any]) -> list[Cell]:
    """Return the cells for those of the numbers asked for that they take."""
    names = inspect.signature(cells).parameters
    return cells(**{each: asks[each] for each in names})


def named(cells: Sequence[Cell], among: Sequence[Cell]) -> str:
    """Return some cells in words: by ρ, where all schedules agree, or by name."""
    rhos = {rho for _, rho in cells if all(rho is not None for _, rho in among)}
    if rhos and {cell for cell in among if cell[1] in rhos} == {*cells}:
        return f"at ρ = {Several(sorted(rhos))}"
    return f"for {Several(name(cell) for cell in cells)}"


def _judged(
    table: pd.DataFrame,
    cells: Sequence[Cell],
    answer: Callable[[pd.Series], bool | None],
) -> Finding:
    """Ask a question of what each cell lost."""
    words, numbers = _words(table, cells, answer)
    word, part = over(words, lambda good: named(good, cells))
    return Finding(word, numbers, part)


def _words(
    table: pd.DataFrame,
    cells: Sequence[Cell],
    answer: Callable[[pd.Series], bool | None],
) -> tuple[dict[Cell, Word], str]:
    chosen = {cell: lost(table, cell).dropna() for cell in cells}
    words = {
        cell: word_of(answer(values)) if len(values) else Word.NOT_RUN
        for cell, values in chosen.items()
    }
    texts = {cell: said(values) for cell, values in chosen.items() if len(values)}
    return words, numbers_of("Points lost", texts, len(chosen), table)


def numbers_of(
    what: str, texts: Mapping[Cell, str], num_cells: int, table: pd.DataFrame
) -> str:
    """Return what was found of each cell, and how many were not run."""
    if not texts:
        return "Not run yet."
    listed = "; ".join(f"{name(cell)}: {text}" for cell, text in texts.items())
    if left := num_cells - len(texts):
        listed += f"; {left} of {num_cells} schedules not run yet"
    return f"{what}: {listed} ({settings_of(table, texts)})."


def settings_of(table: pd.DataFrame, cells: Iterable[Cell]) -> str:
    """Return the width, and how many seeds these cells have; each has one."""
    seeds = [of_cell(table, cell, "seed").nunique() for cell in cells]
    low, high = min(seeds), max(seeds)
    num = f"n = {low}" if low == high else f"n = {low} to {high}"
    return f"w = {widths_of(table)[-1]:,}, {num} seed" + ("s" if high > 1 else "")


def loses_less(cells: Cells) -> Judge:
    """Return the test that each of the cells loses less than `line` points."""

    def judge(table: pd.DataFrame, *, line: float = 0.0, **asks: Any) -> Finding:
        return _judged(table, _chosen(cells, asks), lambda v: above(-v, -line))

    return judge


def loses_more(cells: Cells) -> Judge:
    """Return the test that each of the cells loses more than `line` points."""

    def judge(table: pd.DataFrame, *, line: float, **asks: Any) -> Finding:
        return _judged(table, _chosen(cells, asks), lambda v: above(v, line))

    return judge


def some_loses_less(cells: Cells) -> Judge:
    """Return the test that at least one of the cells loses less than `line` points."""

    def judge(table: pd.DataFrame, *, line: float, **asks: Any) -> Finding:
        chosen = _chosen(cells, asks)
        words, numbers = _words(table, chosen, lambda v: above(-v, -line))
        found = set(words.values())
        order = (Word.HOLDS, Word.UNDECIDED, Word.NOT_RUN, Word.FAILS)
        return Finding(next(word for word in order if word in found), numbers)

    return judge


def gain(table: pd.DataFrame, first: Cell, last: Cell) -> Word:
    """Return whether the last loses less than the first, seed by seed."""
    gained = (lost(table, first) - lost(table, last)).dropna()
    return word_of(above(gained, 0.0)) if len(gained) else Word.NOT_RUN


def improves(cells: Cells) -> Judge:
    """Return the test that the last of the cells loses less than the first."""

    def judge(table: pd.DataFrame, **asks: Any) -> Finding:
        chosen = _chosen(cells, asks)
        _, numbers = _words(table, chosen, lambda _: None)
        return Finding(gain(table, chosen[0], chosen[-1]), numbers)

    return judge


def in_order(families: Mapping[str, Cells]) -> Judge:
    """Return the test that in each family every cell loses less than the one before.

    Args:
        families: In words → cells, each meant to be better than the one before.
    """

    def judge(table: pd.DataFrame, **asks: Any) -> Finding:
        words, numbers = {}, []
        for family, cells in families.items():
            chosen = _chosen(cells, asks)
            numbers.append(_words(table, chosen, lambda _: None)[1])
            steps = itertools.pairwise(chosen)
            each = {pair: gain(table, *pair) for pair in steps}
            words[family.format(**asks)] = _all(each)
        word, part = over(words, lambda good: f"for {Several(good)}")
        return Finding(word, " ".join(dict.fromkeys(numbers)), part)

    return judge


def _all(words: Mapping[Any, Word]) -> Word:
    """Return the word for places of which each is needed."""
    word, _ = over(words, lambda _: "")
    return Word.FAILS if word is Word.PARTLY else word


COSTS = {
    "backward": "Backward operations over full training's",
    "clock_backward": "Backward time over full training's",
}
"""Columns of what going backward costs, and what to call them. The time is from
`timing_tables.with_clock`."""


def costs_between(cells: Cells) -> Judge:
    """Return the test that each cell's backward pass costs a share in [low, high].

    In operations, and in time where steps were timed. Both follow from the network and
    the draws, so that one run decides.
    """

    def judge(table: pd.DataFrame, *, low: float, high: float, **asks: Any) -> Finding:
        chosen = _chosen(cells, asks)
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
                words[cell] = _all({0: words[cell], 1: own})
        word, part = over(words, lambda good: named(good, chosen))
        return Finding(word, " ".join(dict.fromkeys(said)), part)

    return judge


def takes_on_average(cells: Cells) -> Judge:
    """Return the test that the cells' `clock_total`, on average, is in [low, high].

    That is a column of the time of all steps over full training's, from
    `timing_tables.with_clock`; as with operations one run of each decides.
    """
    what = "Time of all steps over full training's"

    def judge(table: pd.DataFrame, *, low: float, high: float, **asks: Any) -> Finding:
        if "clock_total" not in table:
            return Finding(Word.NOT_RUN, "Not timed yet.")
        chosen = _chosen(cells, asks)
        times, numbers = _means(table, chosen, "clock_total", what)
        if len(times) < len(chosen):
            return Finding(Word.NOT_RUN, numbers)
        mean = sum(times.values()) / len(times)
        numbers = f"{numbers[:-1]}, {mean:.2f} on average."
        return Finding(word_of(low <= mean <= high), numbers)

    return judge


def _means(
    table: pd.DataFrame, cells: list[Cell], column: str, what: str
) -> tuple[dict[Cell, float], str]:
    """Return a column's mean for each of the cells that were run, and the numbers."""
    values = {cell: of_cell(table, cell, column).dropna() for cell in cells}
    means = {cell: float(each.mean()) for cell, each in values.items() if len(each)}
    texts = {cell: f"{mean:.2f}" for cell, mean in means.items()}
    return means, numbers_of(what, texts, len(cells), table)


def each_loses_more(lines: Mapping[str, Cell]) -> Judge:
    """Return the test that cells lose more than their own lines.

    Args:
        lines: The name of the line among what is asked → the cell.
    """

    def judge(table: pd.DataFrame, **asks: float) -> Finding:
        chosen = list(lines.values())
        _, numbers = _words(table, chosen, lambda _: None)
        words = {}
        for line, cell in lines.items():
            values = lost(table, cell).dropna()
            own = word_of(above(values, asks[line]))
            words[cell] = own if len(values) else Word.NOT_RUN
        word, part = over(words, lambda good: named(good, chosen))
        return Finding(word, numbers, part)

    return judge


ENDS = Several((1, 2, 3, 4))
"""The paper's numbers of layers at an end."""
MIDDLE: Cell = ("middle", None)


def tops(ks: Iterable[int]) -> list[Cell]:
    """Return top k for each k."""
    return [(f"top {k}", None) for k in ks]


def bottoms(qs: Iterable[int]) -> list[Cell]:
    """Return bottom q for each q."""
    return [(f"bottom {q}", None) for q in qs]


def both(ends: Iterable[int]) -> list[Cell]:
    """Return as many layers at the top as at the bottom."""
    return [(f"top {k} bottom {k}", None) for k in ends]


def all_bottoms(ks: Iterable[int], rhos: Iterable[float]) -> list[Cell]:
    """Return top k all bottoms for each k, at each ρ."""
    rhos = tuple(rhos)
    return [(f"top {k} all bottoms", rho) for k in ks for rho in rhos]


def top_bottom(k: int, q: int, rhos: Iterable[float]) -> list[Cell]:
    """Return top k bottom q at each ρ."""
    return [(f"top {k} bottom {q}", rho) for rho in rhos]
