"""Recipes → records from a shell: `python -m lazyrich_helpers.run --help`."""

import argparse
import dataclasses
import importlib.util
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from lazyrich_helpers import origin
from lazyrich_helpers.backlog import expected_seconds, missing, planned
from lazyrich_helpers.batch import (
    complete,
    pick_device,
    pre_training,
    require_ready,
    store_for,
)
from lazyrich_helpers.config import require
from lazyrich_helpers.exhibits import RECIPES, make_recipe
from lazyrich_helpers.listing import in_a_line, standings, table
from lazyrich_helpers.lws_exhibits import LwsScale
from lazyrich_helpers.progress import Bar, Lines, duration, label
from lazyrich_helpers.recipes import BUDGETS, Recipe
from lazyrich_helpers.records import Store
from lazyrich_helpers.stopping import Stop, gently

GO_ON = "Stopped. What is finished and what is begun is kept; the same command goes on."


def parse_duration(text: str) -> float:
    """Return the seconds in `90s`, `30m` or `1.5h`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None:
        raise ValueError(
            f"time-budget must be a number with s, m or h, such as 30m; got {text!r}."
        )
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One sentence, not a page of usage.
        self.exit(2, f"error: {message}; --help explains.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m lazyrich_helpers.run",
        description="Train what is missing of the named recipes. In front of them, or "
        "alone for all, `list` shows how far they are, and `retry` does what failed.",
    )
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="or: list, retry")
    parser.add_argument("--budget", default="paper", help="smoke, laptop or paper")
    parser.add_argument("--dataset", help="digits, mnist, fashion_mnist or cifar10")
    parser.add_argument("--widths", type=int, nargs="+", help="units per layer")
    parser.add_argument("--seeds", type=int, nargs="+", help="one run each")
    parser.add_argument("--lrs", type=float, nargs="+", help="learning rates")
    parser.add_argument("--num-epochs", type=int, help="passes over the data")
    parser.add_argument("--rhos", type=float, nargs="+", help="probabilities")
    parser.add_argument("--ks", type=int, nargs="+", help="layers at top or bottom")
    parser.add_argument("--train-size", type=int, help="training images")
    parser.add_argument("--precision", help="highest, medium or bf16")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument(
        "--threads",
        type=int,
        help="most CPU threads a run may use; small networks use one",
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="processes to share the runs; as many as serve best unless told",
    )
    parser.add_argument(
        "--compile",
        action="store_true",
        help="have torch compile the steps of runs that are trained one by one",
    )
    parser.add_argument("--time-budget", help="start nothing that ends later: 30m")
    parser.add_argument("--records", help="folder of records; book/records unless told")
    parser.add_argument("--missing", action="store_true", help="list those that lack")
    parser.add_argument("--failed", action="store_true", help="list those that failed")
    parser.add_argument("--dry-run", action="store_true", help="say what it would do")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 (a run failed) or 2."""
    options = _parser().parse_args(arguments)
    try:
        return _main(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(GO_ON)
        return 130


def _main(options: argparse.Namespace) -> int:
    word, *named = options.recipes
    if word == "list":
        _list(options)
        return 0
    names = (named or list(RECIPES)) if word == "retry" else options.recipes
    choices = _choices(options)
    recipes = [make_recipe(name, options.budget, **choices) for name in names]
    if word == "retry":
        failed = (_failed(r, _store(r.budget, options)) for r in recipes)
        recipes = [recipe for recipe in failed if recipe.configs]
        if not recipes:
            print("Nothing failed.")
    device = pick_device(options.device)
    seconds = (
        parse_duration(options.time_budget)
        if options.time_budget is not None
        else math.inf
    )
    if options.threads is not None:
        if options.threads < 1:
            raise ValueError(f"threads must be at least 1; got {options.threads}.")
        torch.set_num_threads(options.threads)
    stop, status = Stop(seconds), 0
    with gently(stop):
        for recipe in recipes:
            store = _store(recipe.budget, options)
            try:
                if options.dry_run:
                    _dry_run(recipe, store, device, options.compile)
                elif not stop.asked:
                    done = _complete(recipe, device, stop, options)
                    status = max(status, done)
            except (ValueError, OSError) as error:  # the next may have what it needs
                print(f"error: {error}", file=sys.stderr)
                status = 2
    if stop.asked:
        print(GO_ON)
        return 130
    return status


def _choices(options: argparse.Namespace) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(LwsScale)]
    return {name: getattr(options, name) for name in names}


def _store(budget: str, options: argparse.Namespace) -> Store:
    if options.records is None:
        return store_for(budget)
    folder = Path(options.records)
    is_folder = folder.is_dir() or not folder.exists()
    require(is_folder, "records", "a folder", options.records)
    return Store(folder, store_for(budget).weights)


def _complete(
    recipe: Recipe, device: str, stop: Stop, options: argparse.Namespace
) -> int:
    """Complete a recipe, say how it ended, and return the exit status: 0 or 1."""
    progress = Bar() if sys.stderr.isatty() and has_tqdm() else Lines()
    store = _store(recipe.budget, options)
    summary = complete(
        recipe,
        store,
        device=device,
        progress=progress,
        stop=stop,
        compiled=options.compile,
        workers=options.workers,
    )
    for line in table(standings(recipe, store)):
        print(line)
    print(f"{recipe.name} at {recipe.budget}: {summary}")
    return 1 if summary.failed else 0


def has_tqdm() -> bool:
    """Return whether a bar can be drawn; a bare GPU machine may lack tqdm."""
    return importlib.util.find_spec("tqdm") is not None


def _dry_run(recipe: Recipe, store: Store, device: str, compiled: bool) -> None:
    """Print the runs that are missing, and how long they would take here."""
    todo = missing(recipe, store)
    require_ready(todo, device)
    first = pre_training(recipe, todo)
    if first is not None:
        _dry_run(first, store, device, compiled)
    there = len(recipe.configs) - len(todo)
    print(f"{recipe.name} at {recipe.budget}: {len(todo)} to do, {there} done before.")
    total = 0.0
    for group in planned(todo, store, device):
        expected = expected_seconds(group, recipe, device, compiled=compiled)
        total += expected
        for config in group:
            share = duration(expected / len(group))
            print(f"  {config.run_id} {label(config)}: about {share}")
    print(f"About {duration(total)} on {origin.device_name(torch.device(device))}.")


def _list(options: argparse.Namespace) -> None:
    """Print how far recipes are, all unless named; or the runs that lack or failed."""
    wanted = {"missing"} if options.missing else set()
    wanted |= {"failed", "unreadable"} if options.failed else set()
    budgets, choices = [options.budget] if wanted else BUDGETS, _choices(options)
    for name in options.recipes[1:] or RECIPES:
        recipes = [make_recipe(name, budget, **choices) for budget in budgets]
        summary = (RECIPES[name].__doc__ or "").strip().splitlines()[0]
        print(f"{name}: {summary}")
        for recipe in recipes:
            found = standings(recipe, _store(recipe.budget, options))
            print(f"  {recipe.budget}: {in_a_line(found)}")
            for standing in found:
                if standing.word in wanted:
                    print(f"    {standing}")


def _failed(recipe: Recipe, store: Store) -> Recipe:
    """Return the runs of `recipe` that failed."""
    found = standings(recipe, store)
    failed = tuple(each.config for each in found if each.word == "failed")
    return dataclasses.replace(recipe, configs=failed)


if __name__ == "__main__":
    sys.exit(main())
