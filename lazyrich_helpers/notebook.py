"""A chapter's first and last lines: settings, results, origin, environment."""

import ast
import inspect
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from importlib import metadata
from typing import Any, TypeVar

from IPython.core.getipython import get_ipython
from IPython.display import HTML, Code

from lazyrich_helpers.batch import complete, pick_device, store_for
from lazyrich_helpers.config import require
from lazyrich_helpers.progress import Bar
from lazyrich_helpers.recipes import BUDGETS, Recipe, Results, collect, make_recipe
from lazyrich_helpers.records import recorded_store

T = TypeVar("T")


class ChapterError(ValueError):
    """A parameter or a run went wrong; shown as one sentence, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"Stopped: {self}"]


@dataclass(frozen=True)
class Settings:
    """A chapter's validated parameters."""

    budget: str
    device: str
    choices: dict[str, Any]

    def recipe(self, name: str) -> Recipe:
        """Return the recipe `name` at this budget, with this chapter's choices."""
        return _sentence(lambda: make_recipe(name, self.budget, **self.choices))

    def __repr__(self) -> str:
        chosen = [f"{k} = {v}" for k, v in self.choices.items() if v is not None]
        return ", ".join([f"budget {self.budget}", f"device {self.device}", *chosen])


def settings(*, budget: str, device: str = "auto", **choices: Any) -> Settings:
    """Check a chapter's parameters; None leaves a choice to the budget.

    The environment variable `LAZYRICH_BUDGET`, where set, outranks `budget`.

    Raises:
        ChapterError: If a value is unknown or of the wrong type, or papermill was given
            a parameter that the chapter does not have.
    """
    known = {"budget", "device", *choices}
    for name in _injected_names():
        if name not in known:
            raise ChapterError(
                f"this chapter has no parameter {name!r}; it has "
                f"{', '.join(sorted(known))}."
            )
    budget = os.environ.get("LAZYRICH_BUDGET") or budget
    _sentence(
        lambda: require(budget in BUDGETS, "budget", " or ".join(BUDGETS), budget)
    )
    return Settings(budget, _sentence(lambda: pick_device(device)), choices)


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

    Raises:
        ChapterError: If a run failed; finished runs are kept.
    """
    store = store_for(recipe.budget)
    summary = _sentence(lambda: complete(recipe, store, device=device, progress=Bar()))
    if summary.failed:
        run, why = next(iter(summary.failed.items()))
        raise ChapterError(f"{len(summary.failed)} runs failed, first {run}: {why}")
    return _sentence(lambda: collect(recipe, store))


def origin_line(results: Results) -> HTML:
    """Return the line under a figure: what was run, n, device, and what is missing."""
    return HTML(f'<p class="origin">{escape(describe(results))}</p>')


def describe(results: Results) -> str:
    """Return where `results` come from, in one line."""
    records = results.records
    if not records:
        return f"{results.recipe.name} at {results.recipe.budget} scale: not run yet."
    columns = [record.columns() for record in records]

    def listed(name: str) -> str:
        return ", ".join(f"{value:,}" for value in sorted({c[name] for c in columns}))

    def words(values: set[str]) -> str:
        return ", ".join(sorted(values))

    parts = [
        f"{words({c['dataset'] for c in columns})}, {listed('train_size')} training "
        f"and {records[0].origin['num_test']:,} test images",
        f"widths {listed('width')}, {len({c['seed'] for c in columns})} seeds",
        f"{listed('num_epochs')} epochs at learning rate {listed('lr')}",
        "band: one standard error",
        f"precision {words({c['precision'] for c in columns})}",
        words({r.origin["device"] for r in records})
        + ", torch "
        + words({r.origin["torch"] for r in records}),
    ]
    stale = sum(record.stale for record in records)
    if stale:
        parts.append(f"{stale} of {len(records)} records are STALE: made by older code")
    diverged = sum(record.status == "diverged" for record in records)
    if diverged:
        parts.append(f"{diverged} runs diverged")
    if results.missing:
        lacking = sorted({c.columns()["width"] for c in results.missing})
        parts.append(f"not run yet: width {', '.join(f'{w:,}' for w in lacking)}")
    return "; ".join(parts) + "."


def show_source(thing: Callable[..., Any]) -> Code:
    """Return the source of a library function, highlighted."""
    return Code(inspect.getsource(thing), language="python")


def environment() -> str:
    """Return what this chapter ran on."""
    names = ("torch", "numpy", "matplotlib")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return f"Python {platform.python_version()} on {sys.platform}, {versions}"
