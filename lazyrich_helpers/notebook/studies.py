"""Studies of the neighbouring papers in a chapter: computed, and their badge."""

import dataclasses
import os
from dataclasses import dataclass
from typing import Any, get_type_hints

from IPython.display import HTML

from lazyrich_helpers.config import require, typed
from lazyrich_helpers.experiments.study import Study, StudyResult, complete_study
from lazyrich_helpers.notebook.chapter import ChapterError, require_known
from lazyrich_helpers.notebook.page import house_style
from lazyrich_helpers.notebook.provenance import folded
from lazyrich_helpers.runner.batch import pick_device
from lazyrich_helpers.runner.progress import duration, watched
from lazyrich_helpers.runner.stopping import Stop, graceful_stop

POSITIVE = (
    *("width", "widths", "depths", "train_size", "num_epochs", "num_steps"),
    *("lrs", "taus"),
)
"""Parameters of chapters whose values must be above 0."""


@dataclass(frozen=True)
class ChosenStudies:
    """A chapter's validated parameters: its studies at one budget, on one device."""

    budget: str
    device: str
    studies: dict[str, Study]

    def computed(self, name: str) -> StudyResult:
        """Compute what is missing of a study, keep it, and return all of it.

        Interrupting the kernel ends it after the point in hand.

        Raises:
            ChapterError: If a value cannot be, or it was interrupted.
        """
        stop = Stop()
        try:
            with graceful_stop(stop):
                result = complete_study(
                    self.studies[name],
                    self.budget,
                    device=self.device,
                    watch=watched,
                    stop=lambda: stop.asked,
                )
        except (ValueError, TypeError) as error:
            raise ChapterError(str(error)) from None
        if stop.asked:
            raise ChapterError("Stopped; run the cell again to go on from there.")
        return result


def study_settings(
    *studies: Study, budget: str, device: str = "auto", **choices: Any
) -> ChosenStudies:
    """Check a chapter's parameters; None leaves a choice to the budget.

    The environment variable `LAZYRICH_BUDGET`, where set, outranks `budget`.

    Args:
        studies: What the chapter computes.
        budget: `smoke`, `laptop` or `paper`.
        device: As in `batch.pick_device`.
        choices: Fields of the studies' settings to choose otherwise, each for every
            study that has it.

    Raises:
        ChapterError: If a value is unknown or of the wrong type, or papermill was given
            a parameter that the chapter does not have.
    """
    house_style()
    require_known({"budget", "device", *choices})
    budget = os.environ.get("LAZYRICH_BUDGET") or budget
    given = {name: value for name, value in choices.items() if value is not None}
    try:
        chosen = {study.name: _chosen(study, budget, given) for study in studies}
        return ChosenStudies(budget, pick_device(str(device)), chosen)
    except ValueError as error:
        raise ChapterError(str(error)) from None


def _chosen(study: Study, budget: str, given: dict[str, Any]) -> Study:
    """Return a study whose settings at `budget` are those that a reader chose."""
    settings = study.settings(budget)
    hints = get_type_hints(type(settings))
    own = {
        name: typed(name, value, hints[name])
        for name, value in given.items()
        if name in hints
    }
    for name, value in own.items():
        values = value if isinstance(value, tuple) else (value,)
        distinct = len(values) == len(set(values)) > 0
        require(distinct, name, "a list of different values, at least one", given[name])
        positive = name not in POSITIVE or all(each > 0 for each in values)
        require(positive, name, "above 0", given[name])
    chosen = dataclasses.replace(settings, **own)
    budgets = {**study.budgets, budget: chosen}
    return dataclasses.replace(study, budgets=budgets, varied=chosen != settings)


def study_line(*results: StudyResult) -> HTML:
    """Return the badge under a figure: scale and n, and, unfolded, all else."""
    return folded([*map(_badge, results)], [*map(_describe, results)])


def _badge(result: StudyResult) -> str:
    """Return `recorded · n = 5 seeds · fp64 · CPU`, and how many points are missing."""
    if result.table.empty:
        return "not computed yet"
    counts = []
    if "seed" in result.table:
        num = result.table.seed.nunique()
        counts = [f"n = {num} seeds" if num > 1 else "1 seed"]
    kinds = sorted({str(one["arithmetic"]) for one in result.origins})
    devices = sorted({one["device"].split(",")[0] for one in result.origins})
    lacking = [f"{len(result.missing)} points missing"] if result.missing else []
    where = "recorded" if result.budget == "paper" else "computed here"
    return " · ".join([where, *counts, *kinds, *devices, *lacking])


def _describe(result: StudyResult) -> str:
    """Return what was computed with which settings, where, and how to do it again."""
    study = result.study
    settings = dataclasses.asdict(result.settings)
    listed = ", ".join(f"{name} {_short(value)}" for name, value in settings.items())
    made = sorted(
        {
            f"{one['device']}, torch {one['torch']}, commit {one['commit']}"
            for one in result.origins
        }
    )
    again = f" Again: python -m lazyrich_helpers.run study {study.name} --budget "
    again = "" if study.varied else again + result.budget
    return (
        f"{study.says}. {listed}. {'; '.join(made) or 'Not computed yet'}; "
        f"{duration(result.seconds)}.{again}"
    )


def _short(value: Any) -> str:
    """Return a value, and of a long list its ends and length."""
    if isinstance(value, list | tuple):
        if len(value) > 6:
            return f"{value[0]} to {value[-1]} ({len(value)} values)"
        return ", ".join(map(str, value))
    return str(value)
