"""What the words of the command line ask for: training, listing, handing over."""

import argparse
import dataclasses
import importlib.util
import math
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import torch

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.exhibits import RECIPES, make_recipe
from lazyrich_helpers.experiments.lws_exhibits import LwsScale
from lazyrich_helpers.experiments.recipes import BUDGETS, Recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.places import expanded
from lazyrich_helpers.runner.backlog import missing
from lazyrich_helpers.runner.batch import (
    complete,
    pick_device,
    require_ready,
    store_for,
)
from lazyrich_helpers.runner.chapter_file import find_chapter, parameters_of
from lazyrich_helpers.runner.command_line import parse_duration
from lazyrich_helpers.runner.dry_run import dry_run, lines
from lazyrich_helpers.runner.grid_points import parse_grid
from lazyrich_helpers.runner.listing import in_a_line, standings, table
from lazyrich_helpers.runner.notebook_grid import reports_folder, run_grid
from lazyrich_helpers.runner.progress import Bar, Lines
from lazyrich_helpers.runner.slurm import SlurmOptions, submit
from lazyrich_helpers.runner.slurm_status import cancel, status
from lazyrich_helpers.runner.stopping import Stop, forced_stop, graceful_stop

GO_ON = "Stopped. What is finished and what is begun is kept; the same command goes on."
FAILED = {"failed", "unreadable"}
"""Standings that `list --failed` shows and `retry` does again."""


def perform(options: argparse.Namespace) -> int:
    """Do what the words ask for; return the exit status: 0, 1 (a run failed) or 2."""
    try:
        return _task(options)(options)
    except BrokenPipeError:  # whoever reads has read enough: `list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (ValueError, OSError) as error:
        print(f"error: {_sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(GO_ON)
        return 130


def _sentence(error: Exception) -> str:
    """Return an error in words; one of the system's is of a folder."""
    if not isinstance(error, OSError) or error.filename is None:
        return str(error)
    return (
        f"{error.filename} could not be read or written ({error.strerror}); see that "
        "its folder is there, has room and may be written to, then run again."
    )


def _task(options: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    """Return what the words ask for.

    Raises:
        ValueError: If words were said that do not belong to it.
    """
    if options.notebook is not None:
        strays = [
            name for name, value in _choices(options).items() if value is not None
        ]
        require(not strays, "choices", "part of --grid, with --notebook", strays)
        require(not options.dry_run, "dry-run", "left out, with --notebook", True)
        return _run_grid
    require(not options.grid, "grid", "used with --notebook", options.grid)
    if options.status or options.cancel is not None:
        return _look_after
    verbs = [word for word in options.recipes if word in ("list", "retry")]
    alone = verbs in ([], options.recipes[:1])
    require(alone, "list and retry", "one of them, and said first", options.recipes)
    if verbs == ["list"]:
        return _list
    if not options.recipes:
        raise ValueError(
            f"RECIPE must be one of {', '.join(RECIPES)}, or list, or retry; none is "
            "named."
        )
    asks = options.missing or options.failed
    require(not asks, "missing and failed", "used after list", options.recipes)
    hands_over = options.executor == "slurm" and not options.dry_run
    return _submit if hands_over else _train


def _train(options: argparse.Namespace) -> int:
    """Complete recipes on this machine, or say what that would take."""
    recipes = _recipes(options)
    device = pick_device(options.device)
    seconds = math.inf
    if options.time_budget is not None:
        seconds = parse_duration(options.time_budget)
    if options.threads is not None:
        require(options.threads >= 1, "threads", "at least 1", options.threads)
        torch.set_num_threads(options.threads)
    stop, code = Stop(seconds), 0
    with graceful_stop(stop), forced_stop():
        for recipe in recipes:
            store = _store(recipe.budget, options)
            try:
                if options.dry_run:
                    _dry_run(recipe, store, device)
                elif not stop.asked:
                    done = _complete(recipe, store, device, stop, options)
                    code = max(code, done)
            except (ValueError, OSError) as error:  # the next may have what it needs
                print(f"error: {_sentence(error)}", file=sys.stderr)
                code = 2
    if stop.asked:
        print(GO_ON)
        return 130
    return code


def _recipes(options: argparse.Namespace) -> list[Recipe]:
    """Return what is asked for; of `retry`, what failed."""
    budget, choices = options.budget or "paper", _choices(options)
    if options.recipes[0] != "retry":
        return [make_recipe(name, budget, **choices) for name in options.recipes]
    names = options.recipes[1:] or list(RECIPES)
    recipes = [make_recipe(name, budget, **choices) for name in names]
    failed = [_failed(recipe, _store(budget, options)) for recipe in recipes]
    if not any(recipe.configs for recipe in failed):
        print(
            f"Nothing that failed is recorded in {_store(budget, options).folder}; a "
            "run that ended without a record is missing, and its recipe does it."
        )
    return [recipe for recipe in failed if recipe.configs]


def _submit(options: argparse.Namespace) -> int:
    """Hand recipes over to Slurm."""
    minutes = math.ceil(parse_duration(options.slurm_time, "slurm-time") / 60)
    slurm = SlurmOptions(
        partition=options.slurm_partition,
        minutes=minutes,
        gpus_per_task=options.slurm_gpus_per_task,
        cpus_per_task=options.slurm_cpus_per_task,
        setup=tuple(options.slurm_setup),
        array_parallelism=options.slurm_array_parallelism,
        runs_per_job=options.slurm_runs_per_job,
    )
    recipes = _recipes(options)
    store = _store(options.budget or "paper", options)
    submission = submit(recipes, store, slurm, device=options.device)
    print(submission)
    return 0


def _look_after(options: argparse.Namespace) -> int:
    """Say how submitted runs stand, or take them back."""
    store = _store(options.budget or "paper", options)
    if options.cancel is not None:
        print(f"{cancel(store, options.cancel)} jobs taken back.")
    if options.status:
        print(status(store))
    return 0


def _run_grid(options: argparse.Namespace) -> int:
    """Execute a chapter at every point of a grid."""
    require(not options.recipes, "RECIPE", "left out with --notebook", options.recipes)
    workers = 1 if options.workers is None else options.workers
    notebook = find_chapter(options.notebook)
    points = parse_grid(options.grid, parameters_of(notebook))
    folder = reports_folder(notebook)
    if options.folder:
        folder = expanded("folder", options.folder)
    # What stops a grid is an exception; its children are then stopped as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    summary = run_grid(
        notebook,
        points,
        folder,
        workers=workers,
        budget=options.budget,
    )
    print(summary)
    return 1 if summary.failed else 0


def _choices(options: argparse.Namespace) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(LwsScale)]
    return {name: getattr(options, name) for name in names}


def _store(budget: str, options: argparse.Namespace) -> Store:
    if options.records is None:
        return store_for(budget)
    return Store(expanded("records", options.records), store_for(budget).weights)


def _complete(
    recipe: Recipe,
    store: Store,
    device: str,
    stop: Stop,
    options: argparse.Namespace,
) -> int:
    """Complete a recipe, say how it ended, and return the exit status: 0 or 1."""
    progress = Bar() if sys.stderr.isatty() and has_tqdm() else Lines()
    summary = complete(
        recipe,
        store,
        device=device,
        progress=progress,
        stop=stop,
        workers=options.workers,
    )
    for line in table(standings(recipe, store)):
        print(line)
    print(f"{recipe.name} at {recipe.budget}: {summary}")
    return 1 if summary.failed else 0


def has_tqdm() -> bool:
    """Return whether a bar can be drawn; a bare GPU machine may lack tqdm."""
    return importlib.util.find_spec("tqdm") is not None


def _dry_run(recipe: Recipe, store: Store, device: str) -> None:
    """Print the runs that are missing, and what they would take here."""
    todo = missing(recipe, store)
    require_ready(todo, "cpu")
    there = len(recipe.configs) - len(todo)
    print(f"{recipe.name} at {recipe.budget}: {len(todo)} to do, {there} done before.")
    for line in lines(dry_run(recipe, store, device, _say), device):
        print(line)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _list(options: argparse.Namespace) -> int:
    """Print how far recipes are, all unless named; or the runs that lack or failed."""
    wanted = {"missing", "stale", "partial"} if options.missing else set()
    wanted |= FAILED if options.failed else set()
    budgets = [options.budget or "paper"] if wanted or options.budget else BUDGETS
    choices = _choices(options)
    for name in options.recipes[1:] or RECIPES:
        recipes = [make_recipe(name, budget, **choices) for budget in budgets]
        summary = (RECIPES[name].__doc__ or "").strip().splitlines()[0]
        print(f"{name}: {summary}")
        for recipe in recipes:
            found = standings(recipe, _store(recipe.budget, options))
            print(f"  {recipe.budget}: {in_a_line(found)}")
            for standing in found:
                if standing.word in wanted:
                    word = "" if standing.word == "missing" else f" ({standing.word})"
                    print(f"    {standing}{word}")
    return 0


def _failed(recipe: Recipe, store: Store) -> Recipe:
    """Return the runs of `recipe` that failed, as `list --failed` shows them."""
    found = standings(recipe, store)
    failed = tuple(each.config for each in found if each.word in FAILED)
    return dataclasses.replace(recipe, configs=failed)
