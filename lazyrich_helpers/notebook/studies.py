"""Studies of the neighbouring papers in a chapter: recorded, computed, their badge."""

import dataclasses
import os
from html import escape
from typing import Any

from IPython.display import HTML

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.study import (
    Study,
    StudyResult,
    complete_study,
    read_study,
)
from lazyrich_helpers.notebook.chapter import ChapterError
from lazyrich_helpers.notebook.page import house_style
from lazyrich_helpers.runner.batch import pick_device
from lazyrich_helpers.runner.progress import duration, watched
from lazyrich_helpers.runner.stopping import Stop, graceful_stop


def recorded_study(study: Study) -> StudyResult:
    """Return a study's committed points at paper scale; compute nothing."""
    return read_study(study, "paper")


def computed_study(
    study: Study, budget: str, *, device: str = "cpu", **changes: Any
) -> StudyResult:
    """Compute what is missing of a study, keep it, and return all of it.

    The environment variable `LAZYRICH_BUDGET`, where set, outranks `budget`.
    Interrupting the kernel ends it after the point in hand.

    Args:
        study: What is measured.
        budget: `smoke`, `laptop` or `paper`.
        device: As in `batch.pick_device`.
        changes: Settings of the study to choose otherwise; None leaves one as it is.

    Raises:
        ChapterError: If a value is unknown, or it was interrupted.
    """
    house_style()
    given = {name: value for name, value in changes.items() if value is not None}
    budget, stop = os.environ.get("LAZYRICH_BUDGET") or budget, Stop()
    try:
        settings = study.settings(budget)
        names = [field.name for field in dataclasses.fields(settings)]
        for name in given:
            require(name in names, "a choice", f"one of {', '.join(names)}", name)
        chosen = {budget: dataclasses.replace(settings, **given)} if given else {}
        study = dataclasses.replace(study, budgets={**study.budgets, **chosen})
        with graceful_stop(stop):
            result = complete_study(
                study,
                budget,
                device=pick_device(device),
                watch=watched,
                stop=lambda: stop.asked,
            )
    except (ValueError, TypeError) as error:
        raise ChapterError(str(error)) from None
    if stop.asked:
        raise ChapterError("Stopped; run the cell again to go on from there.")
    return result


def study_line(*results: StudyResult) -> HTML:
    """Return the badge under a figure: scale and n, and, unfolded, all else."""
    summary = " | ".join(dict.fromkeys(map(_badge, results)))
    told = "".join(f"<p>{escape(_describe(one))}</p>" for one in results)
    return HTML(
        f'<details class="origin"><summary>{escape(summary)}</summary>{told}</details>'
    )


def _badge(result: StudyResult) -> str:
    """Return `n = 5 seeds · fp64 · CPU`, and how many points are missing."""
    if result.table.empty:
        return "not computed yet"
    counts = []
    if "seed" in result.table:
        num = result.table.seed.nunique()
        counts = [f"n = {num} seeds" if num > 1 else "1 seed"]
    kinds = sorted({str(one["arithmetic"]) for one in result.origins})
    devices = sorted({one["device"].split(",")[0] for one in result.origins})
    lacking = [f"{len(result.missing)} points missing"] if result.missing else []
    return " · ".join([result.budget + " scale", *counts, *kinds, *devices, *lacking])


def _describe(result: StudyResult) -> str:
    """Return what was computed with which settings, where, and how to do it again."""
    study = result.study
    settings = dataclasses.asdict(result.settings)
    listed = ", ".join(f"{name} {_short(value)}" for name, value in settings.items())
    made = sorted(
        f"{one['device']}, torch {one['torch']}, commit {one['commit']}"
        for one in result.origins
    )
    again = f"python -m lazyrich_helpers.run study {study.name} --budget"
    return (
        f"{study.says}. {listed}. {'; '.join(made) or 'Not computed yet'}; "
        f"{duration(result.seconds)}. Again: {again} {result.budget}"
    )


def _short(value: Any) -> str:
    """Return a value, and of a long list its ends and length."""
    if isinstance(value, list | tuple):
        if len(value) > 6:
            return f"{value[0]} to {value[-1]} ({len(value)} values)"
        return ", ".join(map(str, value))
    return str(value)
