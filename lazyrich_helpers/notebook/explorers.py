"""Explorers of a chapter's results: live on a reader's networks, or as recorded."""

import os

from IPython.display import HTML

from lazyrich_helpers.experiments.recipes import Results
from lazyrich_helpers.notebook.live import ReinitExplorer
from lazyrich_helpers.notebook.live_schedules import ScheduleExplorer
from lazyrich_helpers.notebook.pictures import first_layer_slider
from lazyrich_helpers.notebook.reinit_view import reinit_slider
from lazyrich_helpers.notebook.schedule_view import probability_slider
from lazyrich_helpers.notebook.widgets import Explorer
from lazyrich_helpers.runner.batch import store_for
from lazyrich_helpers.runner.kept import load_trained
from lazyrich_helpers.runner.progress import watched
from lazyrich_helpers.training.loop import Trained


def has_kernel() -> bool:
    """Return whether Python will answer; the book's build says where it will not."""
    return os.environ.get("LAZYRICH_PAGE") != "static"


def trained_networks(results: Results, *, device: str) -> list[Trained]:
    """Return the networks of `results` whose weights are still there."""
    store = store_for(results.recipe.budget)
    records = watched(results.records)
    loaded = (load_trained(record, store, device) for record in records)
    return [trained for trained in loaded if trained is not None]


def explore(results: Results, *, device: str) -> Explorer | HTML:
    """Return sliders for γ and ε over `results`.

    With a kernel they evaluate the networks themselves, at any share; without one, or
    where the weights are gone, they show what is recorded.
    """
    networks = trained_networks(results, device=device) if has_kernel() else []
    if networks:
        return ReinitExplorer(networks, results.records)
    return reinit_slider(results.records)


def explore_schedules(results: Results, *, device: str) -> Explorer | HTML:
    """Return sliders over schedules, of one network.

    With a kernel they train what `results` has not. Without one the recorded
    probabilities are shown.
    """
    if has_kernel():
        return ScheduleExplorer(results, device)
    return probability_slider(results)


def first_layer(results: Results) -> Explorer | HTML:
    """Return the γ slider over the first layer's weights, of the widest network.

    Weights are not part of a record: where they were not kept, it says so.
    """
    store = store_for(results.recipe.budget)
    records = sorted(results.records, key=lambda record: -record.columns()["width"])
    loaded = (load_trained(record, store, "cpu") for record in records)
    widest = next((trained for trained in loaded if trained is not None), None)
    if widest is None:
        return HTML("The weights of these networks are not kept here.")
    return first_layer_slider(widest)
