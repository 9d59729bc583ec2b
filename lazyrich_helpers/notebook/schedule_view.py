"""Explorers of schedules: what each updates when, what that costs, what it reached."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from lazyrich_helpers.analysis.claims.lws_cells import cell_name, cell_names
from lazyrich_helpers.analysis.figures.lws import look
from lazyrich_helpers.analysis.figures.style import on_grounds
from lazyrich_helpers.analysis.tables.lws import (
    dynamics_table,
    lws_table,
    paper_table_1,
)
from lazyrich_helpers.experiments.recipes import Results
from lazyrich_helpers.lws.plans import UpdateSchedule
from lazyrich_helpers.lws.schedules import (
    BottomQ,
    Full,
    TopBottom,
    TopK,
    TopKAllBottoms,
    TopKBottomQ,
    in_words,
)
from lazyrich_helpers.measures.costs import backward_cost
from lazyrich_helpers.measures.updates import updated_layers
from lazyrich_helpers.notebook.widgets import Explorer, choice, slider
from lazyrich_helpers.training.run_config import RunConfig

STATIC = {TopK: "top", BottomQ: "bottom", TopBottom: "top and bottom"}
DATA = {"mnist": "MNIST", "cifar10": "CIFAR-10"}
"""Data sets as buttons say them, where that is not their name."""
TABLE_1 = {"dataset": "cifar10", "model": "vgg11", "init": "xavier_normal"}
"""What the paper's Table 1 is of."""


class Schedules:
    """One network trained with several schedules, and what is recorded of each."""

    def __init__(self, *results: Results) -> None:
        """Take runs of one data set, of which the first network is shown."""
        configs = [config for each in results for config in each.recipe.configs]
        self.config = first = configs[0]
        alike = first.training, first.model, first.optimizer
        self.first_seeds = [
            c for c in configs if (c.training, c.model, c.optimizer) == alike
        ]
        own = first.columns()
        records = [
            record
            for each in results
            for record in each.records
            if all(record.columns()[name] == own[name] for name in ("width", "lr"))
        ]
        self.label = DATA.get(own["dataset"]) or str(own["dataset"])
        self.num_layers = len(first.blueprint().layers)
        self.runs = lws_table(records)
        self._curves = dynamics_table(records).dropna(subset="error")
        self._paper = paper_table_1().query("init == 'xavier'")
        if any(own[name] != value for name, value in TABLE_1.items()):
            self._paper = self._paper.iloc[:0]

    def overview(self) -> dict[str, Any]:
        """Return all schedules that were run; when networks were evaluated."""
        points = [
            {"name": name, "color": on_grounds(look(rows).color), **_measured(rows)}
            for name, rows in self.runs.groupby(cell_names(self.runs))
        ]
        epochs = sorted(set(self._curves.epoch)) if len(self._curves) else []
        return {"points": points, "epochs": epochs, "full": self._curve("full")}

    def cell(
        self, updates: UpdateSchedule, reached: float | None = None
    ) -> dict[str, Any]:
        """Return what a schedule updates, costs, and reached, in numbers and words.

        `reached` is its test accuracy, 0 to 1, if it was trained just now.
        """
        config = replace(self.config, updates=updates)
        rho = config.columns().get("rho", float("nan"))
        name = cell_name(in_words(updates), rho)
        runs, paper = _named(self.runs, name), _named(self._paper, name)
        if len(runs):
            cell = _measured(runs)
        else:
            cell = {"cost": backward_cost(config), "error": None, "n": 0}
            if reached is not None:
                cell |= {"error": _error(reached), "n": 1}
        words = [
            f"{name}: {100 * cell['cost']:.0f} % of full training's backward FLOPs"
        ]
        if cell["n"]:
            words += [f"test accuracy {100 - cell['error']:.1f} % (n = {cell['n']})"]
        else:
            words += ["not run yet"]
        for cost, accuracy in zip(paper.backward, paper.test_accuracy, strict=True):
            cell["paper"] = {"cost": cost, "error": _error(accuracy)}
            words += [f"in the paper {100 * accuracy:.1f} %"]
        plans = self._plans(config)
        return (
            cell | plans | {"words": f"{'; '.join(words)}.", "curve": self._curve(name)}
        )

    def _curve(self, name: str) -> list[float]:
        """Return mean test errors in percent, wherever the network was evaluated."""
        looks = _named(self._curves, name)
        if looks.empty:
            return []
        means = looks.groupby("epoch").accuracy.mean()
        return [float(f"{error:.3g}") for error in _error(means)]

    def _plans(self, config: RunConfig) -> dict[str, Any]:
        """Return the different plans, a 0 or 1 per layer, and a letter per epoch."""
        updated = updated_layers(
            updates=config.updates,
            num_layers=self.num_layers,
            num_epochs=config.training.num_epochs,
            seed=config.training.seed,
        )
        plans, epochs = np.unique(updated.astype(int), axis=1, return_inverse=True)
        codes = "".join(chr(ord("a") + place) for place in epochs.ravel())
        return {"plans": ["".join(map(str, plan)) for plan in plans.T], "epochs": codes}


def _named(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table.loc[[each == name for each in cell_names(table)]]


def _measured(runs: pd.DataFrame) -> dict[str, Any]:
    cost, error = float(runs.backward.mean()), _error(runs.test_accuracy.mean())
    return {"cost": round(cost, 4), "error": error, "n": len(runs)}


def _error(accuracy: Any) -> Any:
    """Return test errors in percent of accuracies from 0 to 1."""
    return np.round(100 * (1 - np.asarray(accuracy, float)), 2).tolist()


def limits(updates: UpdateSchedule) -> dict[float, UpdateSchedule]:
    """Return what a schedule is where its probability is 0, and where it is 1."""
    match updates:
        case TopKAllBottoms(k=k):
            return {0.0: TopK(k=k), 1.0: Full()}
        case TopKBottomQ(k=k, q=q):
            return {0.0: TopK(k=k), 1.0: TopBottom(k=k, q=q)}
    return {}


Places = dict[tuple[str, float], UpdateSchedule]
"""A button's label and a slider's position → the schedule that is shown there."""


def probability_slider(*results: Results, start: float = 0.1) -> Explorer | HTML:
    """Return a slider over ρ, with buttons for the schedule and the data set.

    At ρ = 0 and ρ = 1 stand the schedules without chance that these are, if recorded.

    Args:
        results: Of one network for each data set; several of one data set are shown
            together, such as those with static schedules.
        start: The ρ that is shown first.
    """

    def places(config: RunConfig, recorded: set[str]) -> Places:
        if "rho" not in config.columns():
            return {}
        row = in_words(config.updates)
        ends = limits(config.updates).items()
        found = {(row, rho): end for rho, end in ends if in_words(end) in recorded}
        return found | {(row, config.columns()["rho"]): config.updates}

    return _explorer(results, places, "ρ", "schedule", start)


def layers_slider(*results: Results, start: int = 1) -> Explorer | HTML:
    """Return a slider over the number of layers, with buttons for where they are."""

    def places(config: RunConfig, recorded: set[str]) -> Places:
        row, columns = STATIC.get(type(config.updates)), config.columns()
        number = columns.get("k") or columns.get("q")
        return {(row, number): config.updates} if row and number else {}

    return _explorer(results, places, "layers", "where", start)


def _explorer(
    results: Iterable[Results],
    places: Callable[[RunConfig, set[str]], Places],
    stop: str,
    row: str,
    start: float,
) -> Explorer | HTML:
    by_data: dict[str, list[Results]] = {}
    for each in results:
        by_data.setdefault(each.recipe.configs[0].columns()["dataset"], []).append(each)
    networks = [Schedules(*group) for group in by_data.values()]
    found: list[Places] = []
    for network in networks:
        recorded = set(network.runs.schedule)
        own = [places(config, recorded) for config in network.first_seeds]
        found.append(
            {place: updates for each in own for place, updates in each.items()}
        )
    rows = list(dict.fromkeys(name for own in found for name, _ in own))
    stops = sorted({number for own in found for _, number in own})
    for own in found:  # where another data set has more probabilities
        for (name, _), updates in list(own.items()):
            if isinstance(updates, TopKAllBottoms | TopKBottomQ):
                for rho in stops:
                    own.setdefault((name, rho), replace(updates, rho=rho))
    cells = {
        f"{i},{rows.index(name)},{stops.index(number)}": network.cell(updates)
        for i, (network, own) in enumerate(zip(networks, found, strict=True))
        for (name, number), updates in own.items()
    }
    if not cells:
        return HTML("Not run yet.")
    controls = [
        slider("stop", stop, [f"{number:g}" for number in stops]),
        choice("row", row, rows),
        choice("data", "data", [network.label for network in networks]),
    ]
    controls = [control for control in controls if len(control["labels"]) > 1]
    first = min(range(len(stops)), key=lambda i: abs(stops[i] - start))
    data = {"networks": [network.overview() for network in networks], "cells": cells}
    return Explorer("schedules", controls, data, {"stop": first})
