"""One schedule at a time: what it updates when, what that saves, what it reached."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import ipywidgets
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from lazyrich_helpers.analysis.figure_style import DPI
from lazyrich_helpers.analysis.lws_cells import cell_name, of_cell
from lazyrich_helpers.analysis.lws_plots import layer_picture, look
from lazyrich_helpers.analysis.lws_tables import lws_table
from lazyrich_helpers.experiments.recipes import Results
from lazyrich_helpers.lws.schedules import BottomQ, TopBottom, TopK, in_words
from lazyrich_helpers.measures.costs import backward_cost
from lazyrich_helpers.measures.updates import updated_layers
from lazyrich_helpers.notebook.widgets import Frame, slider
from lazyrich_helpers.training.run_config import RunConfig

MARK = "tab:red"
STATIC = {TopK: "top", BottomQ: "bottom", TopBottom: "top and bottom"}


@dataclass(frozen=True)
class Shown:
    """A schedule in a run of it, and what is known of such runs."""

    config: RunConfig
    accuracies: tuple[float, ...]
    """Of the test images, 0 to 1, one per seed; empty where it was not run."""
    costs: tuple[float, ...] = ()
    """Backward operations over full training's, one per seed; empty: as this run."""

    @property
    def name(self) -> str:
        """The schedule's name, as in `top 1 all bottoms, ρ 0.1`."""
        columns = self.config.columns()
        return cell_name(
            in_words(self.config.updates), columns.get("rho", float("nan"))
        )

    @property
    def cost(self) -> float:
        """Backward operations as a share of full training's, the seeds' mean."""
        return float(np.mean(self.costs or (backward_cost(self.config),)))

    def __str__(self) -> str:
        """The picture in words."""
        saved = f"{self.name}: {100 * self.cost:.0f} % of full training's backward pass"
        if not self.accuracies:
            return f"{saved}; not run yet."
        mean, num = np.mean(self.accuracies), len(self.accuracies)
        seeds = f"{num} seed" + ("s" if num > 1 else "")
        return f"{saved}; test accuracy {100 * mean:.1f} % (n = {seeds})."


class ScheduleView:
    """Pictures of schedules in front of all that were run with the same network."""

    def __init__(self, table: pd.DataFrame, config: RunConfig) -> None:
        """Take a `lws_table`, and any run of the network and learning rate to show.

        Source: Li & Banerjee (2021), Figures 9 and 12, for the lower panel.
        """
        self._num_layers = len(config.blueprint().layers)
        self._figure = Figure(figsize=(5.2, 4.4), dpi=DPI)
        self._canvas = FigureCanvasAgg(self._figure)
        self._plan = self._figure.add_axes((0.11, 0.64, 0.86, 0.28))
        self._costs = self._figure.add_axes((0.11, 0.11, 0.86, 0.36))
        layer_picture(self._updated(config), self._plan)
        alike = _alike(table, config)
        for _, cell in alike.groupby(["schedule", "rho"], dropna=False):
            own = look(cell)
            place = cell.backward.mean(), 100 * (1 - cell.test_accuracy.mean())
            style = {"color": own.color, "marker": own.marker, "alpha": 0.45}
            self._costs.scatter(*place, 22, **style)
        self._costs.set_xlim(0, 1.03)
        self._costs.set_ylim(0, 105 - 100 * min(alike.test_accuracy, default=0))
        self._costs.set_xlabel("backward operations / full training's")
        self._costs.set_ylabel("test error (%)")
        self._canvas.draw()
        self._background = self._canvas.copy_from_bbox(self._figure.bbox)

    def picture(self, shown: Shown) -> Image.Image:
        """Return the schedule's layers over its epochs, and its error over its cost."""
        self._canvas.restore_region(self._background)
        (image,) = self._plan.images
        image.set_data(self._updated(shown.config))
        self._plan.draw_artist(image)
        words = str(shown).split(": ", 1)[1]
        self._draw(self._plan, _title(self._plan, shown.name, "medium"))
        self._draw(self._costs, _title(self._costs, words, "small"))
        self._draw(self._costs, self._costs.axvline(shown.cost, color=MARK))
        if shown.accuracies:
            error = 100 * (1 - np.mean(shown.accuracies))
            dot = self._costs.plot(shown.cost, error, "o", color=MARK, markersize=9)
            self._draw(self._costs, *dot)
        return Image.fromarray(np.array(self._canvas.buffer_rgba())).convert("RGB")

    def _updated(self, config: RunConfig) -> np.ndarray:
        training = config.training
        return updated_layers(
            config.updates,
            num_layers=self._num_layers,
            num_epochs=training.num_epochs,
            seed=training.seed,
        )

    def _draw(self, ax: Axes, *artists: Artist) -> None:
        """Draw and forget: what stands in the axes is in the background."""
        for artist in artists:
            ax.draw_artist(artist)
            artist.remove()


def _title(ax: Axes, text: str, size: str) -> Artist:
    place = {"transform": ax.transAxes, "ha": "center", "va": "bottom"}
    return ax.text(0.5, 1.03, text, fontsize=size, **place)  # type: ignore[arg-type]


def probability_slider(results: Results) -> ipywidgets.VBox:
    """Return a slider over ρ, with buttons for what it is the probability of."""
    rows: dict[str, dict[str, RunConfig]] = {}
    for config in _first_seeds(results):
        columns = config.columns()
        if "rho" in columns:
            row = rows.setdefault(in_words(config.updates), {})
            row[f"{columns['rho']:g}"] = config
    return _slider(results, rows, "ρ", "always, sometimes")


def layers_slider(results: Results) -> ipywidgets.VBox:
    """Return a slider over the number of layers, with buttons for where they are."""
    rows: dict[str, dict[str, RunConfig]] = {}
    for config in _first_seeds(results):
        where = STATIC.get(type(config.updates))
        if where is not None:
            columns = config.columns()
            row = rows.setdefault(where, {})
            row[str(columns.get("k", columns.get("q")))] = config
    return _slider(results, rows, "layers", "where")


def _first_seeds(results: Results) -> list[RunConfig]:
    """Return the runs of the first seed, at the first width and learning rate."""
    configs = results.recipe.configs
    first = configs[0]
    return [
        config
        for config in configs
        if (config.training, config.model, config.optimizer)
        == (first.training, first.model, first.optimizer)
    ]


def _slider(
    results: Results,
    rows: Mapping[str, Mapping[str, RunConfig]],
    description: str,
    choice: str,
) -> ipywidgets.VBox:
    table = lws_table(results.records)
    view = ScheduleView(table, results.recipe.configs[0])
    frames = {
        name: [
            _frame(view, label, shown_of(table, config))
            for label, config in row.items()
        ]
        for name, row in rows.items()
    }
    return slider(description, frames, choice=choice)


def _frame(view: ScheduleView, label: str, shown: Shown) -> Frame:
    return Frame(label, str(shown), view.picture(shown))


def _alike(table: pd.DataFrame, config: RunConfig) -> pd.DataFrame:
    """Return the rows of a run's width and learning rate."""
    columns = config.columns()
    return table.loc[(table.width == columns["width"]) & (table.lr == columns["lr"])]


def shown_of(table: pd.DataFrame, config: RunConfig) -> Shown:
    """Return a run with what a `lws_table` has of its schedule, of all seeds."""
    shown = Shown(config, ())
    alike = _alike(table, config)
    accuracies, costs = (
        tuple(of_cell(alike, shown.name, column))
        for column in ("test_accuracy", "backward")
    )
    return replace(shown, accuracies=accuracies, costs=costs)
