"""Sliders over results: live on a reader's networks, or pictures in a built page."""

import os

import ipywidgets

from lazyrich_helpers.analysis.tables import reinit_table
from lazyrich_helpers.experiments.recipes import Results
from lazyrich_helpers.notebook.live import ReinitExplorer
from lazyrich_helpers.notebook.live_schedules import ScheduleExplorer
from lazyrich_helpers.notebook.pictures import weight_frames
from lazyrich_helpers.notebook.schedule_view import probability_slider
from lazyrich_helpers.notebook.widgets import reinit_slider, slider
from lazyrich_helpers.runner.batch import (
    store_for,
)
from lazyrich_helpers.runner.kept import load_trained
from lazyrich_helpers.runner.progress import watched
from lazyrich_helpers.training.loop import Trained


def trained_networks(results: Results, *, device: str) -> list[Trained]:
    """Return the networks of `results` whose weights are still there."""
    store = store_for(results.recipe.budget)
    records = watched(results.records)
    loaded = (load_trained(record, store, device) for record in records)
    return [trained for trained in loaded if trained is not None]


def explore(results: Results, *, device: str) -> ipywidgets.Widget:
    """Return sliders for γ and ε over `results`: live, or frames in a built page.

    Live ones re-initialize and evaluate the networks themselves. Where no kernel will
    answer, or the weights are gone, the same figure is drawn beforehand from the
    records. The book's build says so by `LAZYRICH_PAGE=static`.
    """
    table = reinit_table(results.records)
    if os.environ.get("LAZYRICH_PAGE") == "static":
        return reinit_slider(table)
    networks = trained_networks(results, device=device)
    return ReinitExplorer(networks, table) if networks else reinit_slider(table)


def explore_schedules(results: Results, *, device: str) -> ipywidgets.Widget:
    """Return sliders over schedules: live, or a slider over ρ in a built page.

    Live ones train a network where `results` has none; without a kernel the recorded
    ones are shown.
    """
    if os.environ.get("LAZYRICH_PAGE") == "static":
        return probability_slider(results)
    return ScheduleExplorer(results, device)


def first_layer(results: Results) -> ipywidgets.Widget:
    """Return the γ slider over the first layer's weights, of the widest network.

    Weights are not part of a record: where they were not kept, it says so.
    """
    store = store_for(results.recipe.budget)
    widest_first = sorted(
        results.records, key=lambda record: record.columns()["width"], reverse=True
    )
    loaded = (load_trained(record, store, "cpu") for record in widest_first)
    widest = next((trained for trained in loaded if trained is not None), None)
    if widest is None:
        return ipywidgets.HTML("The weights of these networks are not kept here.")
    return slider("γ", {"": weight_frames(widest)})
