"""What it is to ask a claim of the paper: of which runs, at which settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lazyrich_helpers.analysis.claims.verdicts import Verdict
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.recipes import Results, collect
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.records import recorded_store

SECTIONS = {
    "1": "Gradients",
    "3": "Set-up",
    "4": "Re-initialization",
    "5": "Layers",
    "6.1": "Static layers",
    "6.2": "Probabilistic layers",
}
"""Section of the paper → what its claims are about."""
PAPER, TUNED, EITHER = "the paper's", "tuned", "either"
"""Settings: the paper's learning rate; one best on held-out images; it is no matter."""
PAPER_LRS = {"adam": 0.1, "sgd": 0.01}
"""Optimizer → the paper's learning rate (Section 3)."""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What is recorded of a recipe at the paper's scale, but for some choices."""

    recipe: str
    choices: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def results(self) -> Results:
        """What there is of it; nothing is trained."""
        recipe = make_recipe(self.recipe, "paper", **self.choices)
        return collect(recipe, recorded_store())

    @property
    def records(self) -> tuple[Record, ...]:
        """The runs that are recorded."""
        return self.results.records


@dataclass(frozen=True, kw_only=True)
class Question:
    """A claim, asked of records."""

    verdict: Verdict
    section: str
    about: str
    """Networks and data, such as `ReLU-Net d = 1, MNIST`."""
    page: str
    """Of the book, where it is discussed."""
    runs: Runs
    """What it is asked of, and what would have to be run for it."""
    least_width: int
    """Of the networks that the claim is about."""
    beside: Runs | None = None
    """What `runs` are compared with, where the claim compares two tables."""

    @property
    def setting(self) -> str:
        """`PAPER` or `TUNED`, by the learning rate; `EITHER` where nothing is trained.

        What is not run yet goes by what is asked for.
        """
        if self.verdict.proved or self.verdict.claim in TRAINLESS:
            return EITHER
        asked = (self.runs, self.beside) if self.beside else (self.runs,)
        configs = [one for runs in asked for one in runs.results.recipe.configs]
        columns = [config.columns() for config in configs]
        used = {(one["optimizer"], one["lr"]) for one in columns}
        return PAPER if used <= set(PAPER_LRS.items()) else TUNED


UNLEARNED = "of networks that hardly learn"
"""What verdicts on trained networks are for, where these are near chance."""
TIMES = ("D7", "E5", "E14")
"""Claims about times of steps."""
TRAINLESS = ("S5", *TIMES)
"""Claims that no learning rate changes."""
