"""What the book says first: five findings, and how much of the paper's scale is run."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from lazyrich_helpers.analysis.claims.activity import frequencies
from lazyrich_helpers.analysis.claims.amounts import Several
from lazyrich_helpers.analysis.claims.lws_cells import lost, of_cell
from lazyrich_helpers.analysis.claims.question import EITHER, PAPER, TUNED, Question
from lazyrich_helpers.analysis.claims.reinit import A1
from lazyrich_helpers.analysis.claims.verdicts import Verdict, widths_of
from lazyrich_helpers.analysis.tables import reinit_effects as effects
from lazyrich_helpers.analysis.tables.activity import activity_table
from lazyrich_helpers.analysis.tables.lws import lws_table
from lazyrich_helpers.analysis.tables.statistics import with_interval
from lazyrich_helpers.analysis.tables.status import Inventory
from lazyrich_helpers.analysis.tables.tidy import reinit_table, untrained_table
from lazyrich_helpers.experiments import untrained
from lazyrich_helpers.experiments.states import COMPLETE

RELU = "ReLU-Net d = {depth}, MNIST"


@dataclass(frozen=True)
class Headline:
    """A finding in one sentence, with the verdict on the claim that it is about."""

    verdict: Verdict
    sentence: str
    page: str
    """Of the book, where it is shown."""

    @property
    def html(self) -> str:
        """The sentence, and a link to its page beside this one."""
        return f'{escape(self.sentence)} <a href="{self.page}.html">Chapter</a>'

    @property
    def plain(self) -> str:
        """The sentence and its verdict, as text."""
        claim = self.verdict.claim
        return f"{self.sentence} *The paper's claim ({claim}): {self.verdict}.*"


def coverage(inventory: Inventory) -> str:
    """Return how many of the runs that recipes ask for are there, in a sentence."""
    runs = {run.config.run_id: run for _, own in inventory.recipes for run in own}
    done = sum(run.word in COMPLETE for run in runs.values())
    text = (
        f"{done:,} of the {len(runs):,} runs at the paper’s scale are recorded "
        f"({done / len(runs):.0%}), and {len(inventory.others):,} others."
    )
    return text.replace("%", " %")


def headlines(found: Sequence[Question]) -> tuple[Headline, ...]:
    """Return the five findings that the book begins with, from `questions`."""
    return (
        _large_steps(found, PAPER, "At the paper's learning rate"),
        _large_steps(found, TUNED, "At the rate best on held-out images over 3 widths"),
        _random_is_chance(found),
        _middle_is_idle(found),
        _lower_layers_now_and_then(found),
    )


def ask(found: Sequence[Question], claim: str, about: str, setting: str) -> Question:
    """Return the one question about a claim, some networks, and a setting."""
    (one,) = [
        each
        for each in found
        if (each.verdict.claim, each.about, each.setting) == (claim, about, setting)
    ]
    return one


def _large_steps(found: Sequence[Question], setting: str, when: str) -> Headline:
    question = ask(found, "A1", RELU.format(depth=1), setting)
    table = reinit_table(question.runs.records)
    share = A1.asks["share"]
    narrow, *_, wide = widths_of(table)
    drops = {width: effects.lost(table, width, share) for width in (narrow, 100, wide)}
    listed = Several(
        f"{with_interval(drop, sign=False)} points at width {width:,}"
        for width, drop in drops.items()
    )
    sentence = (
        f"{when}, {table.lr.iloc[0]:g}, resetting the {share} most active parameters "
        f"of a ReLU network costs {listed} (one hidden layer, MNIST, "
        f"n = {len(drops[wide])}; ± is a 95 % interval)."
    )
    return Headline(question.verdict, sentence, question.page)


def _random_is_chance(found: Sequence[Question]) -> Headline:
    question = ask(found, "A5", RELU.format(depth=1), EITHER)
    table = untrained_table(untrained.kept(1))
    means = (100 * table.accuracy).groupby(table.seed).mean()
    narrow, *_, wide = widths_of(table)
    sentence = (
        "Untrained networks are at chance at every width, by symmetry: they name "
        f"{with_interval(means, sign=False)} % of MNIST's test images (one hidden "
        f"layer, widths {narrow:,} to {wide:,}, n = {len(means)} each)."
    )
    return Headline(question.verdict, sentence, question.page)


def _middle_is_idle(found: Sequence[Question]) -> Headline:
    question = ask(found, "B2", RELU.format(depth=4), TUNED)
    table = activity_table(question.runs.records)
    width = widths_of(table)[-1]
    over_even = frequencies(table, width, 1)
    means, middle = over_even.mean(), over_even.iloc[:, 1:-1].max(axis=1).mean()
    sentence = (
        f"In a ReLU network of four hidden layers of {width:,} units, the 1 % largest "
        f"gradients are {means.iloc[-1]:.1f} times over-represented in the top layer, "
        f"{means.iloc[0]:.1f} times in the lowest one and at most {middle:.1f} times "
        f"in one between (MNIST, tuned learning rate, n = {table.seed.nunique()})."
    )
    return Headline(question.verdict, sentence, question.page)


CELL = "top 1 all bottoms, ρ 0.1"


def _lower_layers_now_and_then(found: Sequence[Question]) -> Headline:
    question = ask(found, "E1", "VGG-5 w = 16, MNIST", TUNED)
    hard = ask(found, "E2", "VGG-11 w = 16, CIFAR-10", PAPER)
    wide = ask(found, "E1", "VGG-5 w = 64, MNIST", TUNED)
    small, deep, full = (lws_table(q.runs.records) for q in (question, hard, wide))

    def points(table: pd.DataFrame) -> str:
        values = lost(table, CELL).dropna()
        cost = of_cell(table, CELL, "backward").mean()
        loss = with_interval(values, sign=False)
        return f"{loss} points at {cost:.2f} of its backward FLOPs (n = {len(values)})"

    sentence = (
        "Training the top layer always and all others in one epoch of ten loses "
        f"against full training {points(small)} with VGG-5 on MNIST at a quarter of "
        f"the paper's width; {points(full)} at the paper's width, where the claim is "
        f"{wide.verdict.word}; and {points(deep)} with VGG-11 on a fifth of CIFAR-10, "
        "at a quarter of the paper's width."
    )
    return Headline(question.verdict, sentence, question.page)
