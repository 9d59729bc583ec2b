"""A chapter's first and last lines: settings, results, origin, environment."""

import ast
import inspect
import itertools
import os
import platform
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from importlib import metadata
from typing import Any, TypeVar

import ipywidgets
from IPython.core.getipython import get_ipython
from IPython.display import HTML, Code

from lazyrich_helpers.analysis.tables import reinit_table
from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.recipes import Recipe, Results, collect
from lazyrich_helpers.experiments.records import Record, recorded_store
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.notebook.live import ReinitExplorer
from lazyrich_helpers.notebook.live_schedules import ScheduleExplorer
from lazyrich_helpers.notebook.pictures import weight_frames
from lazyrich_helpers.notebook.schedule_view import probability_slider
from lazyrich_helpers.notebook.widgets import reinit_slider, slider
from lazyrich_helpers.runner.backlog import missing
from lazyrich_helpers.runner.batch import (
    complete,
    pick_device,
    require_precisions,
    require_ready,
    store_for,
)
from lazyrich_helpers.runner.kept import load_trained
from lazyrich_helpers.runner.memory import require_room
from lazyrich_helpers.runner.progress import Bar, watched
from lazyrich_helpers.runner.stopping import Stop, graceful_stop
from lazyrich_helpers.training.loop import Trained
from lazyrich_helpers.training.run_config import label_without_seed

T = TypeVar("T")


class ChapterError(ValueError):
    """A parameter or a run went wrong; shown as one sentence, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"Stopped: {self}"]


@dataclass(frozen=True)
class Settings:
    """A chapter's validated parameters: its recipes at one budget, on one device."""

    budget: str
    device: str
    recipes: dict[str, Recipe]
    choices: dict[str, Any]
    """What the recipes let a caller choose; None leaves it to the budget."""

    def varied(self, name: str, *, budget: str | None = None, **changes: Any) -> Recipe:
        """Return the recipe `name` at the chapter's parameters, but for `changes`."""
        choices = self.choices | changes
        return _sentence(lambda: _checked(name, budget or self.budget, choices))

    def __repr__(self) -> str:
        return "\n".join(_runs(recipe) for recipe in self.recipes.values())


def recipe_for(parameter: str, value: object, **recipes: str) -> str:
    """Return the recipe that a chapter's parameter stands for.

    Args:
        parameter: Its name.
        value: What the reader chose.
        recipes: Value → recipe.

    Raises:
        ChapterError: If there is no such value.
    """
    _sentence(
        lambda: require(
            value in list(recipes), parameter, f"one of {', '.join(recipes)}", value
        )
    )
    return recipes[str(value)]


def settings(
    *recipes: str,
    budget: str,
    device: str = "auto",
    known: Sequence[str] = (),
    **choices: Any,
) -> Settings:
    """Check a chapter's parameters; None leaves a choice to the budget.

    The environment variable `LAZYRICH_BUDGET`, where set, outranks `budget`.

    Args:
        recipes: Names.
        budget: One of `recipes.BUDGETS`.
        device: As in `batch.pick_device`.
        known: Further parameters that the chapter has and checks itself.
        choices: What the recipes let a caller choose.

    Raises:
        ChapterError: If a value is unknown or of the wrong type, if data or memory for
            what is to be trained are missing, or papermill was given a parameter that
            the chapter does not have.
    """
    names = {"budget", "device", *known, *choices}
    for name in _injected_names():
        if name not in names:
            raise ChapterError(
                f"this chapter has no parameter {name!r}; it has "
                f"{', '.join(sorted(names))}."
            )
    budget = os.environ.get("LAZYRICH_BUDGET") or budget
    made = _sentence(lambda: {r: _checked(r, budget, choices) for r in recipes})
    # whatever came: torch has no sentence for a list
    found = _sentence(lambda: pick_device(str(device)))
    for recipe in made.values():
        _sentence(lambda recipe=recipe: _require_startable(recipe, found))
    return Settings(budget, found, made, choices)


def _checked(name: str, budget: str, choices: dict[str, Any]) -> Recipe:
    """Return a recipe whose schedules ask for no more layers than there are."""
    recipe = make_recipe(name, budget, **choices)
    for config in recipe.configs:
        if not isinstance(config.updates, Full):  # which fits any network
            num_layers = len(config.blueprint().layers)
            config.updates.plan(0, 0, num_layers, config.training.seed)
    return recipe


def _require_startable(recipe: Recipe, device: str) -> None:
    """Stop where what is missing of a recipe could not be trained by `computed`."""
    todo = missing(recipe, store_for(recipe.budget))
    require_precisions(todo, device)
    require_ready(todo, device)
    require_room(todo, device)


def _runs(recipe: Recipe) -> str:
    """Return what a recipe trains, a line for each choice that a caller has."""
    columns = [config.columns() for config in recipe.configs]

    def listed(name: str) -> str:
        values = sorted({c[name] for c in columns if name in c})
        return f"{name} {', '.join(map(str, values))}" if values else ""

    data = ("dataset", "train_size")
    network = ("width", "depth", "k", "rho", "lr")
    training = ("seed", "num_epochs", "precision")
    lines = map(listed, (*data, *network, *training))
    return "\n  ".join([f"{recipe.name} at {recipe.budget}", *filter(None, lines)])


def _injected_names() -> list[str]:
    """Return the names papermill assigned in the cell it puts in."""
    shell = get_ipython()
    cells: list[str] = shell.user_ns.get("In", []) if shell else []
    injected = [cell for cell in cells if cell.startswith("# Parameters\n")]
    return [
        target.id
        for cell in injected
        for statement in ast.parse(cell).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    ]


def _sentence(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except ValueError as error:
        raise ChapterError(str(error)) from None


def recorded(name: str, **choices: Any) -> Results:
    """Return the committed records of the recipe `name` at paper scale; never train."""
    recipe = _sentence(lambda: make_recipe(name, "paper", **choices))
    return _sentence(lambda: collect(recipe, recorded_store()))


def computed(recipe: Recipe, *, device: str) -> Results:
    """Train what is missing of `recipe`, keep it, and return all of it.

    Interrupting the kernel ends it after the epoch in hand.

    Raises:
        ChapterError: If a run failed, or it was interrupted; finished runs are kept.
    """
    store, stop = store_for(recipe.budget), Stop()
    with graceful_stop(stop):
        summary = _sentence(
            lambda: complete(recipe, store, device=device, progress=Bar(), stop=stop)
        )
    if stop.asked:
        raise ChapterError(f"{summary} Run the cell again to go on from there.")
    if summary.failed:
        run, why = next(iter(summary.failed.items()))
        raise ChapterError(f"{len(summary.failed)} runs failed, first {run}: {why}")
    return _sentence(lambda: collect(recipe, store))


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


def origin_line(*results: Results | str) -> HTML:
    """Return the line under a figure: what was run, n, device, and what is missing.

    What is no record's, such as `untrained.kept_origin`, comes in words.
    """
    texts = [one if isinstance(one, str) else describe(one) for one in results]
    lines = "<br>".join(map(escape, texts))
    return HTML(f'<p class="origin">{lines}</p>')


def describe(results: Results) -> str:
    """Return where `results` come from, in one line."""
    records = results.records
    if not records:
        return f"{results.recipe.name} at {results.recipe.budget} scale: not run yet."
    columns = [record.columns() for record in records]

    def listed(name: str, prefix: str = "") -> list[str]:
        values = sorted({c[name] for c in columns if name in c})
        shown = ", ".join(v if isinstance(v, str) else f"{v:,}" for v in values)
        return [f"{prefix}{shown}"] if values else []

    origins = [record.origin for record in records]
    tests = sorted({f"{origin['num_test']:,}" for origin in origins})
    made = sorted({_machine(origin) for origin in origins})
    together = sum("together" in origin for origin in origins)
    parts = [
        *listed("dataset"),
        *listed("train_size", "training images "),
        f"test images {', '.join(tests)}",
        *listed("depth", "hidden layers "),
        *listed("width", "width "),
        *listed("lr", "learning rate "),
        *listed("num_epochs", "epochs "),
        f"n = {_seeds_per_setting(records)}",
        *listed("arithmetic"),
        *made,
    ]
    if together:
        parts.append(f"{together} of {len(records)} trained as one with other seeds")
    stale = results.num_stale
    if stale:
        parts.append(f"{stale} of {len(records)} records are STALE: made by older code")
    diverged = sum(record.status == "diverged" for record in records)
    if diverged:
        parts.append(f"{diverged} runs diverged")
    if results.missing:
        lacking = {label_without_seed(config) for config in results.missing}
        parts.append(f"not or not wholly run yet: {in_short(sorted(lacking))}")
    return "; ".join(parts) + "."


def _machine(origin: dict[str, Any]) -> str:
    """Return a device, its instruction set where it is known, torch's version."""
    instructions = origin.get("instruction_set", "not known")
    own = [] if instructions == "not known" else [instructions]
    return ", ".join([origin["device"], *own, f"torch {origin['torch']}"])


def in_short(labels: Sequence[str]) -> str:
    """Return labels in a row, the words that all begin with said but once.

    What is nothing but those is a schedule that leaves nothing out: `full`.
    """
    split = [text.split() for text in labels]
    places = zip(*split, strict=False) if len(split) > 1 else ()
    alike = itertools.takewhile(lambda words: len(set(words)) == 1, places)
    shared = [words[0] for words in alike]
    rests = ", ".join(" ".join(words[len(shared) :]) or "full" for words in split)
    return f"{' '.join(shared)}: {rests}" if shared else rests


def _seeds_per_setting(records: Sequence[Record]) -> str:
    counts = Counter(label_without_seed(record.config) for record in records)
    low, high = min(counts.values()), max(counts.values())
    if low == high == 1:
        return "1 seed"
    return f"{low} seeds" if low == high else f"{low} to {high} seeds"


def show_source(thing: Callable[..., Any]) -> Code:
    """Return the source of a library function, highlighted."""
    return Code(inspect.getsource(thing), language="python")


def environment() -> str:
    """Return what this chapter ran on."""
    names = ("torch", "numpy", "matplotlib")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return f"Python {platform.python_version()} on {sys.platform}, {versions}"
