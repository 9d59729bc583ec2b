"""One named function per exhibit of the paper: its runs and what they measure.

A recipe is the same code at three budgets: `smoke` (seconds), `laptop` (a chapter in
10 to 25 s) and `paper` (the paper's own scale).
"""

import importlib
import sys
from pathlib import Path

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.activity_exhibits import ACTIVITY_RECIPES
from lazyrich_helpers.experiments.lazy_exhibits import LAZY_RECIPES
from lazyrich_helpers.experiments.recipes import BUDGETS, Recipe, RecipeFunction
from lazyrich_helpers.experiments.reinit_exhibits import REINIT_RECIPES
from lazyrich_helpers.experiments.vgg5_exhibits import VGG5_RECIPES
from lazyrich_helpers.experiments.vgg11_exhibits import VGG11_RECIPES

RECIPES: dict[str, RecipeFunction] = {
    make.__name__.replace("_", "-"): make
    for make in (
        *ACTIVITY_RECIPES,
        *REINIT_RECIPES,
        *VGG5_RECIPES,
        *VGG11_RECIPES,
        *LAZY_RECIPES,
    )
}
"""Every recipe there is, by name."""


def is_own(name: str) -> bool:
    """Return whether `name` is of a reader's own file: `path/file.py:function`."""
    return ".py:" in name


def recipe_function(name: str) -> RecipeFunction:
    """Return what makes the recipe `name`: of the book, or of a reader's own file.

    The models, schedules and other parts that the file defines are then known, too.

    Raises:
        ValueError: If there is no such recipe, file or function.
    """
    if not is_own(name):
        known = f"one of {', '.join(RECIPES)}, or of your own, `file.py:function`"
        require(name in RECIPES, "recipe", known, name)
        return RECIPES[name]
    path, _, function = name.rpartition(":")
    require(Path(path).is_file(), "recipe", "in a file that is there", name)
    # On the path, by its name, so that other processes, which are sent its parts, find
    # it too; at the end, so that it hides no module.
    folder = str(Path(path).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module = importlib.import_module(Path(path).stem)
    same = Path(module.__file__ or "").resolve() == Path(path).resolve()
    require(same, "recipe", "in a file named as no other module is", name)
    made = getattr(module, function, None)
    require(callable(made), "recipe", f"a function that {path} defines", name)
    return made  # type: ignore[return-value]


def make_recipe(name: str, budget: str, **choices: object) -> Recipe:
    """Return the recipe `name` at `budget`; choices that are None take its defaults.

    Args:
        name: One of `RECIPES`, or `file.py:function`, a recipe of the reader's own.
        budget: One of `BUDGETS`.
        choices: Fields of the recipe's `Scale`.

    Raises:
        ValueError: If the name, the budget or a choice is not one there is.
    """
    make = recipe_function(name)
    require(budget in BUDGETS, "budget", f"one of {', '.join(BUDGETS)}", budget)
    given = {key: value for key, value in choices.items() if value is not None}
    return make(budget, **given)
