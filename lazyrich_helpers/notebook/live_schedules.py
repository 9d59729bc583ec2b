"""Layer-Wise Sparse training of a small network, tried out as sliders move."""

import dataclasses

import ipywidgets

from lazyrich_helpers.analysis.lws_tables import lws_table
from lazyrich_helpers.experiments.recipes import Results
from lazyrich_helpers.lws.plans import UpdateSchedule
from lazyrich_helpers.lws.schedules import TopK, TopKAllBottoms, TopKBottomQ
from lazyrich_helpers.notebook.live import Rest
from lazyrich_helpers.notebook.schedule_view import ScheduleView, Shown, shown_of
from lazyrich_helpers.notebook.widgets import CONTROL, picture
from lazyrich_helpers.training.loop import new_network, train
from lazyrich_helpers.training.run_config import RunConfig


class ScheduleExplorer(ipywidgets.VBox):
    """Sliders for the layers at the top, those at the bottom, and their probability.

    What is updated and what it saves is shown at once. When the sliders rest, a network
    is trained so, where it has not been yet.
    """

    def __init__(self, results: Results, device: str) -> None:
        """Take runs of one network and seed; its full training among them."""
        self._table = lws_table(results.records)
        self._config = results.recipe.configs[0]
        self._device = device
        self._view = ScheduleView(self._table, self._config)
        self._num_layers = len(self._config.blueprint().layers)
        self._trained: dict[UpdateSchedule, float] = {}
        self.k = _layers("top layers, always", self._num_layers, low=1)
        self.q = _layers("bottom layers, at ρ", self._num_layers, low=0)
        self.q.value = self._num_layers
        self.rho = ipywidgets.FloatSlider(
            value=0.1, min=0, max=1, step=0.05, description="ρ", layout=CONTROL
        )
        self.shown = ipywidgets.HTML()
        self.note = ipywidgets.HTML()
        self._rest = Rest(self.settle)
        super().__init__([self.k, self.q, self.rho, self.note, self.shown])
        for control in (self.k, self.q, self.rho):
            control.observe(lambda _: self.preview(), names="value")
        self._show()

    @property
    def config(self) -> RunConfig:
        """The run that the sliders describe."""
        return dataclasses.replace(self._config, updates=self._schedule())

    def preview(self) -> None:
        """Show the schedule and what it saves; train when the sliders rest."""
        self._show()
        if not self._shown().accuracies:
            self.note.value = "Will be trained when the sliders rest."
        self._rest.begin()

    def settle(self) -> None:
        """Train what the sliders describe, once, and show what it reached."""
        if not self._shown().accuracies:
            config = self.config
            data = config.data.load(self._device)
            network = new_network(config, data)
            num_epochs = config.training.num_epochs
            correct = None
            for epoch in train(network, data, config, eval_every=num_epochs):
                self.note.value = f"Training: epoch {epoch.number} of {num_epochs}."
                correct = epoch.num_correct
            self._trained[config.updates] = (correct or 0) / len(data.test)
        self._show()

    def _schedule(self) -> UpdateSchedule:
        k, q, rho = self.k.value, self.q.value, round(self.rho.value, 2)
        if q == 0:
            return TopK(k=k)
        if q == self._num_layers:
            return TopKAllBottoms(k=k, rho=rho)
        return TopKBottomQ(k=k, q=q, rho=rho)

    def _shown(self) -> Shown:
        """Return the run with what such runs reached, recorded or just now."""
        now = self._trained.get(self._schedule())
        if now is not None:
            return Shown(self.config, (now,))
        return shown_of(self._table, self.config)

    def _show(self) -> None:
        shown = self._shown()
        self.note.value = ""
        self.shown.value = picture(self._view.picture(shown), str(shown))


def _layers(description: str, num_layers: int, *, low: int) -> ipywidgets.IntSlider:
    return ipywidgets.IntSlider(
        value=1,
        min=low,
        max=num_layers,
        description=description,
        style={"description_width": "initial"},
        layout=CONTROL,
    )
