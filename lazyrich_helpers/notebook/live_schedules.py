"""Layer-Wise Sparse training of a small network, tried out as sliders move."""

import dataclasses
from typing import Any

from lazyrich_helpers.experiments.recipes import Results
from lazyrich_helpers.lws.plans import UpdateSchedule
from lazyrich_helpers.lws.schedules import TopK, TopKAllBottoms, TopKBottomQ
from lazyrich_helpers.notebook.live import Rest
from lazyrich_helpers.notebook.schedule_view import Schedules
from lazyrich_helpers.notebook.widgets import Explorer, slider
from lazyrich_helpers.training.loop import new_network, train
from lazyrich_helpers.training.run_config import RunConfig

PROBABILITIES = [place / 20 for place in range(21)]


class ScheduleExplorer(Explorer):
    """Sliders for the layers at the top, those at the bottom, and their probability.

    What is updated and what it saves is shown at once. When the sliders rest, a network
    is trained so, where it has not been yet.
    """

    def __init__(self, results: Results, device: str) -> None:
        """Take runs of one network and seed; its full training among them."""
        self._network = Schedules(results)
        self._device = device
        self._trained: dict[UpdateSchedule, float] = {}
        num_layers = self._network.num_layers
        controls = [
            slider("k", "top layers, always", map(str, range(1, num_layers + 1))),
            slider("q", "bottom layers, at ρ", map(str, range(num_layers + 1))),
            slider("rho", "ρ", [f"{rho:g}" for rho in PROBABILITIES]),
        ]
        data = {"networks": [self._network.overview()], "cells": {}}
        start = {"q": num_layers, "rho": PROBABILITIES.index(0.1)}
        super().__init__("schedules", controls, data, start)
        self._rest = Rest(self.settle)
        self.observe(self._moved, names="state")
        self._show()

    @property
    def config(self) -> RunConfig:
        """The run that the sliders describe."""
        k, q = int(self.chosen("k")), int(self.chosen("q"))
        rho = float(self.chosen("rho"))
        schedule: UpdateSchedule = TopKBottomQ(k=k, q=q, rho=rho) if q else TopK(k=k)
        if q == self._network.num_layers:
            schedule = TopKAllBottoms(k=k, rho=rho)
        return dataclasses.replace(self._network.config, updates=schedule)

    def _moved(self, change: Any) -> None:
        self._show("It will be trained when the sliders rest.")
        self._rest.begin()

    def settle(self) -> None:
        """Train what the sliders describe, once, and show what it reached."""
        if not self.live["cell"]["n"]:
            config = self.config
            data = config.data.load(self._device)
            network = new_network(config, data)
            num_epochs = config.training.num_epochs
            correct = None
            for epoch in train(network, data, config, eval_every=num_epochs):
                self._show(f"Training: epoch {epoch.number} of {num_epochs}.")
                correct = epoch.num_correct
            self._trained[config.updates] = (correct or 0) / len(data.test)
        self._show()

    def _show(self, note: str = "") -> None:
        schedule = self.config.updates
        cell = self._network.cell(schedule, self._trained.get(schedule))
        if note and not cell["n"]:
            cell["words"] += f" {note}"
        self.live = {"state": dict(self.state), "cell": cell}
