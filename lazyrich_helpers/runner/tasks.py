"""What the words of the command line ask for: training, listing, handing over."""

import argparse
import dataclasses
import functools
import importlib.util
import math
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.exhibits import (
    RECIPES,
    is_own,
    make_recipe,
    recipe_function,
)
from lazyrich_helpers.experiments.recipes import BUDGETS, Recipe, states
from lazyrich_helpers.experiments.records import Store, computed_store
from lazyrich_helpers.experiments.scale import LwsScale
from lazyrich_helpers.places import expanded
from lazyrich_helpers.runner.backlog import missing
from lazyrich_helpers.runner.batch import (
    complete,
    pick_device,
    require_ready,
    store_for,
)
from lazyrich_helpers.runner.dry_run import dry_run, lines
from lazyrich_helpers.runner.grid_points import find_chapter, parse_grid
from lazyrich_helpers.runner.notebook_grid import run_grid
from lazyrich_helpers.runner.options import SlurmOptions, parse_duration
from lazyrich_helpers.runner.progress import Bar, Lines, counted, table
from lazyrich_helpers.runner.sharded import complete_sharded
from lazyrich_helpers.runner.slurm import submit
from lazyrich_helpers.runner.slurm_queue import cancel, status
from lazyrich_helpers.runner.stopping import Stop, graceful_stop

GO_ON = "Stopped. What is finished and what is begun is kept; the same command goes on."
UNUSED_ON_SLURM = {
    "threads": "--slurm-cpus-per-task says how many",
    "workers": "a job takes as many as serve best",
    "time-budget": "--slurm-time is the time of each job",
}
"""Options that Slurm's jobs do not take → why."""
UNUSED_BY_SHARDS = {"workers": "torchrun says how many processes share a network"}
"""Options that processes which share a network do not take → why."""


def perform(
    options: argparse.Namespace, study: Callable[[list[str], str, str], int]
) -> int:
    """Do what the words ask for; return the exit status: 0, 1 (a run failed) or 2.

    Args:
        options: From `command_line.parse`.
        study: Computes studies: their names, a budget and a device → exit status.
    """
    do: dict[str, Callable[[argparse.Namespace], int | None]] = {
        "list": _list,
        "status": lambda options: print(status(_store(options))),
        "cancel": lambda options: print(f"{cancel(_store(options))} jobs taken back."),
        "notebook": _notebook,
        "study": lambda options: study(
            options.studies, options.budget, pick_device(options.device)
        ),
    }
    try:
        return do.get(options.command, _train)(options) or 0
    except BrokenPipeError:  # whoever reads has read enough: `list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (ValueError, OSError) as error:
        return _complain(error)
    except KeyboardInterrupt:
        print(GO_ON)
        return 130


def _complain(error: Exception) -> int:
    """Say in a sentence what cannot be done; one of the system's is of a folder."""
    said = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        said = (
            f"{error.filename} could not be read or written ({error.strerror}); see "
            "that its folder is there, has room and may be written to, then run again."
        )
    print(f"error: {said}", file=sys.stderr)
    return 2


def _train(options: argparse.Namespace) -> int:
    """Complete recipes here or by Slurm, or say what that would take."""
    recipes, slurm, seconds = _recipes(options), *_means(options)
    if options.executor == "slurm" and not options.dry_run:
        means = {"device": options.device, "shard": options.shard}
        print(submit(recipes, _store(options), slurm, **means))
        return 0
    device = pick_device(options.device)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    stop, code = Stop(seconds), 0
    if options.shard is not None and not options.dry_run:
        store, layout = _store(options), options.shard
        return complete_sharded(recipes, store, layout, device, stop)
    with graceful_stop(stop):
        for recipe in recipes:
            try:
                if options.dry_run:
                    _dry_run(recipe, _store(options), device)
                elif not stop.asked:
                    code = max(code, _complete(recipe, device, stop, options))
            except (ValueError, OSError) as error:  # the next may have what it needs
                code = _complain(error)
    if stop.asked:
        print(GO_ON)
        return 130
    return code


def _means(options: argparse.Namespace) -> tuple[SlurmOptions, float]:
    """Return what is asked of Slurm, and the seconds in which runs may begin.

    Raises:
        ValueError: If a value cannot be, or is not used in the way that is asked for.
    """
    for name in ("threads", "workers"):
        value = getattr(options, name)
        require(value is None or value >= 1, name, "at least 1", value)
    seconds = math.inf
    if options.time_budget is not None:
        seconds = parse_duration(options.time_budget)
    given = _given(options, SlurmOptions, "slurm_")
    on_slurm = options.executor == "slurm"
    names = " and ".join(f"--slurm-{name.replace('_', '-')}" for name in given)
    require(on_slurm or not given, "executor", f"slurm for {names}", options.executor)
    unused = UNUSED_ON_SLURM if on_slurm else UNUSED_BY_SHARDS if options.shard else {}
    for name, why in unused.items():
        value = getattr(options, name.replace("-", "_"))
        require(value is None, name, f"left out here, where {why}", value)
    given["setup"] = tuple(given.get("setup", ()))
    return SlurmOptions(**given), seconds


def _recipes(options: argparse.Namespace) -> list[Recipe]:
    """Return what is asked for; of `retry`, what failed."""
    budget, choices = options.budget or "paper", _given(options, LwsScale)
    names = options.recipes or list(RECIPES)
    recipes = [make_recipe(name, budget, **choices) for name in names]
    if options.command == "train":
        return recipes
    store, found = _store(options), []
    for recipe in recipes:
        failed = [r.config for r in states(recipe, store) if r.word == "failed"]
        if failed:
            found.append(dataclasses.replace(recipe, configs=tuple(failed)))
    if not found:
        print(
            f"Nothing that failed is recorded in {store.folder}; a run that ended "
            "without a record is missing, and its recipe does it."
        )
    return found


def _given(options: argparse.Namespace, kind: type, prefix: str = "") -> dict[str, Any]:
    """Return the fields of a dataclass that the words choose."""
    names = [field.name for field in dataclasses.fields(kind)]
    values = {name: getattr(options, prefix + name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _store(options: argparse.Namespace, budget: str | None = None) -> Store:
    own = any(map(is_own, getattr(options, "recipes", ())))  # they are no chapter's
    store = computed_store() if own else store_for(budget or options.budget or "paper")
    if options.records is None:
        return store
    return Store(expanded("records", options.records), store.weights)


def _complete(
    recipe: Recipe, device: str, stop: Stop, options: argparse.Namespace
) -> int:
    """Complete a recipe, say how it ended, and return the exit status: 0 or 1."""
    # A bare GPU machine may lack tqdm.
    has_bar = sys.stderr.isatty() and importlib.util.find_spec("tqdm") is not None
    progress, store = Bar() if has_bar else Lines(), _store(options)
    means = {"device": device, "stop": stop, "workers": options.workers}
    summary = complete(recipe, store, progress=progress, **means)
    print(*table(states(recipe, store)), sep="\n")
    print(f"{recipe.name} at {recipe.budget}: {summary}")
    return 1 if summary.failed else 0


def _dry_run(recipe: Recipe, store: Store, device: str) -> None:
    """Print the runs that are missing, and what they would take here."""
    todo = missing(recipe, store)
    require_ready(todo, "cpu")
    there = len(recipe.configs) - len(todo)
    print(f"{recipe.name} at {recipe.budget}: {len(todo)} to do, {there} done before.")
    say = functools.partial(print, file=sys.stderr, flush=True)
    print(*lines(dry_run(recipe, store, device, say), device), sep="\n")


def _list(options: argparse.Namespace) -> None:
    """Say how far recipes are; where asked, which runs are missing or failed."""
    wanted = {"missing", "stale", "partial", "running"} if options.missing else set()
    wanted |= {"failed"} if options.failed else set()
    budgets = [options.budget or "paper"] if wanted or options.budget else BUDGETS
    choices = _given(options, LwsScale)
    for name in options.recipes or RECIPES:
        recipes = _at(budgets, name, choices)
        says = (recipe_function(name).__doc__ or "").strip()
        print(": ".join([name, *says.splitlines()[:1]]))
        for recipe in recipes:
            found = states(recipe, _store(options, recipe.budget))
            counts = counted(run.word for run in found)
            print(f"  {recipe.budget}: {len(found)} runs: {counts}")
            for run in found:
                if run.word in wanted:
                    word = "" if run.word == "missing" else f" ({run.word})"
                    print(f"    {run}{word}")


def _at(budgets: Sequence[str], name: str, choices: dict[str, Any]) -> list[Recipe]:
    """Return the recipe at these budgets; a reader's own may lack some of several."""
    recipes = []
    for budget in budgets:
        try:
            recipes.append(make_recipe(name, budget, **choices))
        except ValueError:
            if not is_own(name) or (budget == budgets[-1] and not recipes):
                raise
    return recipes


def _notebook(options: argparse.Namespace) -> int:
    """Execute a chapter at every point of a grid."""
    chapter = find_chapter(options.chapter)
    folder = computed_store().folder.parent / "reports" / chapter.stem
    # What stops a grid is an exception; its children are then stopped as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    points = parse_grid(chapter, options.grid)
    failed = run_grid(chapter, points, folder, workers=options.workers)
    return 1 if failed else 0
