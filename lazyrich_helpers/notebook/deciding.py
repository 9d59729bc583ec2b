"""Which run would decide a claim that is open, and what it would cost."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.claims.ledger import LedgerRow
from lazyrich_helpers.analysis.claims.question import TIMES, Question, Runs
from lazyrich_helpers.analysis.claims.verdicts import OPEN, Word
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.recipes import Recipe, Results
from lazyrich_helpers.measures.costs import operations
from lazyrich_helpers.training.run_config import RunConfig

PAPER_SEEDS = 5
"""How often the paper repeats."""
OF_A_CPU = ("precision", "train_size")
"""Choices that are left to the recipe where the paper's width is asked for."""

ANY = ""
"""Stands for all kinds of networks, where none of a kind was run."""
Rates = Mapping[tuple[str, str], float]
"""Kind of network, or `ANY`, and precision → core-seconds per operation."""


@dataclass(frozen=True)
class Decider:
    """Runs to start, in words."""

    command: str
    core_hours: float
    """About, on the cores of the records; NaN where none was run in that precision."""
    num: int
    """Runs."""


Deciders = tuple[Decider, ...]


def deciders(rows: Sequence[LedgerRow]) -> list[Deciders]:
    """Return, for each row, the runs that would decide what is open in it.

    What lacks is run first: the width that is claimed; then seeds, up to the paper's
    five, then as many again, which does not promise that an interval leaves its line.
    None of ours decides about times on a machine of the paper's.
    """
    speed = rates([question for row in rows for question in row.questions])
    known: dict[str, Decider] = {}
    found = []
    for row in rows:
        own = []
        for question in row.questions:
            if question.verdict.word in OPEN and question.verdict.claim not in TIMES:
                wanted = _wanted(question)
                text = command(wanted)
                if text not in known:
                    known[text] = _priced(text, wanted.results, speed)
                own.append(known[text])
        found.append(tuple(dict.fromkeys(own)))
    return found


def open_runs(rows: Sequence[LedgerRow], found: Sequence[Deciders]) -> pd.DataFrame:
    """Return the runs that would decide something, the cheapest first.

    Columns: `command`; `core_hours`; `num`, of runs; and `claims` that they decide.
    """
    claims: dict[Decider, dict[str, None]] = {}
    for row, own in zip(rows, found, strict=True):
        for each in own:
            claims.setdefault(each, {})[row.first.verdict.claim] = None
    decided = [", ".join(names) for names in claims.values()]
    table = pd.DataFrame([*claims], columns=list(Decider.__annotations__))
    table = table.assign(claims=decided)
    return table.sort_values("core_hours", kind="stable", ignore_index=True)


def _wanted(question: Question) -> Runs:
    recipe, choices = question.runs.recipe, dict(question.runs.choices)
    columns = [record.columns() for record in question.runs.records]
    widths = sorted({own["width"] for own in columns})
    if widths and question.verdict.word is Word.NOT_RUN:
        kept = {name: v for name, v in choices.items() if name not in OF_A_CPU}
        choices = kept | {"widths": _claimed_widths(question, kept)}
    elif widths:
        choices |= {"widths": widths}
        lacking = question.runs.results.missing
        if not any(config.columns()["width"] in widths for config in lacking):
            choices |= {"seeds": list(range(PAPER_SEEDS, 2 * PAPER_SEEDS))}
    return Runs(recipe=recipe, choices=choices)


def _claimed_widths(question: Question, choices: Mapping[str, Any]) -> list[int]:
    """Return the width that a claim is about; of any width, the recipe's two ends."""
    if question.least_width > 1:
        return [question.least_width]
    free = {name: value for name, value in choices.items() if name != "widths"}
    whole = make_recipe(question.runs.recipe, "paper", **free)
    widths = [config.columns()["width"] for config in whole.configs]
    return sorted({min(widths), max(widths)})


def _priced(text: str, results: Results, speed: Rates) -> Decider:
    hours = 0.0
    for config in results.missing:
        columns = config.columns()
        alike = speed.get((ANY, columns["precision"]), math.nan)
        rate = speed.get((columns["model"], columns["precision"]), alike)
        hours += _operations(config, results.recipe) * rate / 3600
    return Decider(text, hours, len(results.missing))


def command(runs: Runs) -> str:
    """Return the words that train what is missing of `runs`."""
    words = [f"python -m lazyrich_helpers.run train {runs.recipe}"]
    for name, value in runs.choices.items():
        values = value if isinstance(value, list) else [value]
        words.append(f"--{name.replace('_', '-')} {' '.join(map(str, values))}")
    return " ".join(words)


def rates(found: Iterable[Question]) -> Rates:
    """Return core-seconds per operation, of the longest run of each kind and of all.

    Runs on a GPU have no cores, and say nothing of them.
    """
    longest: dict[tuple[str, str], tuple[float, RunConfig, Recipe]] = {}
    for runs in {id(question.runs): question.runs for question in found}.values():
        for record in runs.records:
            columns, threads = record.columns(), record.origin.get("threads", 1)
            if threads is None:
                continue
            seconds = record.times["total"] * threads
            for kind in (columns["model"], ANY):
                key = (kind, columns["precision"])
                if key not in longest or seconds > longest[key][0]:
                    longest[key] = (seconds, record.config, runs.results.recipe)
    return {
        key: seconds / _operations(config, recipe)
        for key, (seconds, config, recipe) in longest.items()
    }


def _operations(config: RunConfig, recipe: Recipe) -> float:
    return operations(config, recipe.measures, eval_every=recipe.eval_every)
