"""A chapter's first and last lines: settings, results, environment."""

import ast
import inspect
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, TypeVar

from IPython.core.getipython import get_ipython
from IPython.display import Code

from lazyrich_helpers.config import require_one_of
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.recipes import Recipe, Results, collect
from lazyrich_helpers.experiments.records import recorded_store
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.notebook.page import house_style
from lazyrich_helpers.runner.backlog import missing
from lazyrich_helpers.runner.batch import (
    complete,
    pick_device,
    require_precisions,
    require_ready,
    store_for,
)
from lazyrich_helpers.runner.memory import require_room
from lazyrich_helpers.runner.progress import Bar
from lazyrich_helpers.runner.stopping import Stop, graceful_stop
from lazyrich_helpers.training.run_config import FP32

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
    """Return the recipe that a chapter's parameter stands for, by its value.

    Raises:
        ChapterError: If there is no such value.
    """
    _sentence(lambda: require_one_of(recipes, parameter, value))
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
    house_style()
    require_known({"budget", "device", *known, *choices})
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
    for own in columns:  # in a reader's words
        own["precision"] = "fp32" if own["precision"] in FP32 else own["precision"]

    def listed(name: str) -> str:
        values = sorted({c[name] for c in columns if name in c})
        return f"{name} {', '.join(map(str, values))}" if values else ""

    data = ("dataset", "train_size")
    network = ("width", "depth", "k", "rho", "lr")
    training = ("seed", "num_epochs", "precision")
    lines = map(listed, (*data, *network, *training))
    return "\n  ".join([f"{recipe.name} at {recipe.budget}", *filter(None, lines)])


def require_known(names: set[str]) -> None:
    """Raise ChapterError if papermill was given a parameter that is none of `names`."""
    for name in _injected_names():
        if name not in names:
            raise ChapterError(
                f"this chapter has no parameter {name!r}; it has "
                f"{', '.join(sorted(names))}."
            )


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


def show_source(thing: Callable[..., Any]) -> Code:
    """Return the source of a library function, highlighted."""
    return Code(inspect.getsource(thing), language="python")


def environment() -> str:
    """Return what this chapter ran on."""
    names = ("torch", "numpy", "matplotlib")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return f"Python {platform.python_version()} on {sys.platform}, {versions}"
