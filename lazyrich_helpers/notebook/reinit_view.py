"""Both re-initializations with a share picked out in each: the figure under sliders.

The curves are drawn once; picking a share redraws only what moves, in milliseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from lazyrich_helpers.analysis.figure_style import DPI, width_color
from lazyrich_helpers.analysis.plots import SYMBOLS, reinit_curves
from lazyrich_helpers.reinit.reinitialization import SCENARIOS, percent_label

KEPT, RESET = "0.82", "tab:orange"


@dataclass(frozen=True)
class Pick:
    """A share, and what is left of the networks when it is reset or kept."""

    fraction: float
    """γ or ε, 0 to 1."""
    accuracies: Mapping[int, float]
    """Width → mean test accuracy in percent; widths not listed show no number."""
    note: str
    """What was evaluated, such as "10,000 test images, n = 5"."""


def recorded_pick(table: pd.DataFrame, scenario: str, fraction: float) -> Pick:
    """Return the pick of a fraction that `table` holds, from `tables.reinit_table`."""
    rows = table.loc[(table.scenario == scenario) & (table.fraction == fraction)]
    groups = rows.groupby("width")
    accuracies = {int(w): mean_percent(g.accuracy) for w, g in groups}  # type: ignore[call-overload]
    note = evaluation_note(int(rows.num_test.max()), groups.seed.nunique().tolist())
    return Pick(fraction, accuracies, note)


def mean_percent(accuracies: pd.Series) -> float:
    """Return the mean of accuracies, 0 to 1, in percent."""
    return 100 * float(np.mean(sorted(accuracies)))


def evaluation_note(num_test: int, num_seeds: list[int]) -> str:
    """Return on how many images and networks a number rests."""
    low, high = min(num_seeds), max(num_seeds)
    seeds = f"{low}" if low == high else f"{low} to {high}"
    return f"{num_test:,} test images, n = {seeds}"


class ReinitView:
    """One drawing of both scenarios; `picture` shows it at any pair of picks."""

    def __init__(self, table: pd.DataFrame) -> None:
        """Draw the curves of `table`: one learning rate, from `tables.reinit_table`."""
        self.figure = Figure(figsize=(5.2, 6.6))
        self._canvas = FigureCanvasAgg(self.figure)
        self.figure.set_dpi(DPI)
        self._panels = {
            scenario: _Panel(
                table,
                scenario,
                self.figure.add_axes((0.12, bottom + 0.36, 0.84, 0.012)),
                self.figure.add_axes((0.12, bottom, 0.84, 0.35)),
            )
            for scenario, bottom in zip(SCENARIOS, (0.58, 0.08), strict=True)
        }
        self._canvas.draw()
        self._background = self._canvas.copy_from_bbox(self.figure.bbox)

    def picture(self, picks: Mapping[str, Pick]) -> Image.Image:
        """Return the figure as an image, with a pick for each scenario."""
        self._canvas.restore_region(self._background)
        for scenario, pick in picks.items():
            self._panels[scenario].show(pick)
        return Image.fromarray(np.array(self._canvas.buffer_rgba())).convert("RGB")


class _Panel:
    """A strip, which is the whole network, above the curves of one scenario."""

    def __init__(
        self, table: pd.DataFrame, scenario: str, strip: Axes, ax: Axes
    ) -> None:
        self.scenario, self.strip, self.ax = scenario, strip, ax
        strip.set_xlim(0, 100)
        strip.set_axis_off()
        reinit_curves(table, ax, scenario=scenario, scale="log")
        for line in ax.lines:
            line.set_alpha(0.5)
        ax.set_title("")
        ax.set_ylabel("test accuracy (%)")
        self.widths = sorted(int(w) for w in table.width.unique())
        self.colors = {w: width_color(w) for w in self.widths}
        at_bottom = scenario == "active"  # where its curves leave room
        self.rows = {
            w: 0.10 + 0.09 * (len(self.widths) - i) if at_bottom else 0.95 - 0.09 * i
            for i, w in enumerate(self.widths)
        }
        self.note_row = 0.1 if at_bottom else 0.95 - 0.09 * len(self.widths)
        for width, row in self.rows.items():
            color = self.colors[width]
            ax.plot(0.03, row - 0.02, "o", color=color, transform=ax.transAxes)

    def show(self, pick: Pick) -> None:
        """Draw what the pick moves on top of what stands."""
        symbol = SYMBOLS[self.scenario]
        share = percent_label(pick.fraction)
        reset = pick.fraction if self.scenario == "active" else 1 - pick.fraction
        verb = "reset" if self.scenario == "active" else "kept, the rest reset"
        title = f"{symbol} = {share} of the parameters {verb}"
        percent = 100 * pick.fraction
        start = 0.0 if self.scenario == "active" else percent
        self._draw(
            self.strip,
            *self.strip.barh(0, 100, color=KEPT),
            *self.strip.barh(0, 100 * reset, left=start, color=RESET),
            self.strip.text(50, 0.8, title, ha="center", va="bottom"),
        )
        self._draw(self.ax, self.ax.axvline(percent, color=RESET, linewidth=1))
        for width, row in self.rows.items():
            value = pick.accuracies.get(width)
            number = "" if value is None else f": {value:.1f} %"
            self._write(row, f"w = {width:,}{number}")
            if value is not None:
                color = self.colors[width]
                dot = self.ax.plot(percent, value, "o", color=color, clip_on=False)
                self._draw(self.ax, *dot)
        self._write(self.note_row, pick.note, size="small")

    def _write(self, row: float, text: str, size: str = "medium") -> None:
        left = 0.06 if size == "medium" else 0.025
        place = {"transform": self.ax.transAxes, "fontsize": size, "va": "top"}
        self._draw(self.ax, self.ax.text(left, row, text, **place))  # type: ignore[arg-type]

    def _draw(self, ax: Axes, *artists: Artist) -> None:
        """Draw and forget: what stands in the axes is in the background."""
        for artist in artists:
            ax.draw_artist(artist)
            artist.remove()
