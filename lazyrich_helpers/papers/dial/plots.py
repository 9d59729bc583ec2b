"""Figures of the dial: the plane, widths as a path on it, five knobs."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from lazyrich_helpers.analysis.figures.style import (
    DASHES,
    MARKERS,
    ORANGE,
    legend_above,
    log_axis,
    pairs,
    shade,
)
from lazyrich_helpers.analysis.tables.statistics import half_bar
from lazyrich_helpers.papers.dial.plane import NUM_LAYERS
from lazyrich_helpers.papers.dial.tables import (
    INSTRUMENTS,
    LAZY,
    RICH,
    best_etas,
    knob_means,
)

LOGARITHMIC = {"kernel": 0.01, "turned": 0.001, "needed": 0.01}
"""Instrument → the least that is drawn."""
GAMMA, ETA = "feature-learning strength γ", "learning rate η"


def draw_plane(ax: Axes, table: pd.DataFrame, value: str, label: str) -> None:
    """Draw a reading's means over seeds at each γ and η; white where none is finite.

    Bright is good, of losses as of accuracies.
    """
    grid = table.pivot_table(index="eta", columns="gammas", values=value)
    style: dict[str, Any] = {"cmap": "cividis"}
    if value == "train_loss":  # above 1: no better
        style = {"cmap": "cividis_r", "norm": LogNorm(vmax=1)}
    mesh = ax.pcolormesh(grid.columns, grid.index, grid.to_numpy(), **style)
    ax.set(xscale="log", yscale="log", xlabel=GAMMA, ylabel=ETA)
    bar = ax.figure.colorbar(mesh, ax=ax, location="top", aspect=30)
    bar.set_label(label)


def theory_figure(theory: pd.DataFrame, accuracy: pd.DataFrame) -> Figure:
    """Draw two losses' planes with the best step sizes; at the left the predicted."""
    fig, (left, right) = pairs(2, 3.4)
    draw_plane(left, theory, "train_loss", "training loss (squared error)")
    draw_plane(right, accuracy, "accuracy", "test accuracy (%; cross-entropy)")
    for ax, table in ((left, theory), (right, accuracy)):
        best = np.log10(best_etas(table).groupby("gamma").eta.mean())
        ax.plot(best.index, 10**best, "o", color="w", mec="k", ms=5, label="best η")
    best = best_etas(theory).groupby("gamma").eta.mean()
    for own, power, name in (
        (best[best.index <= LAZY], 2, "∝ γ²"),
        (best[best.index >= RICH], 2 / NUM_LAYERS, "∝ γ^(2/3)"),
    ):
        middle = np.exp((np.log(own) - power * np.log(own.index)).mean())
        line = middle * own.index.to_numpy() ** power
        style = {"color": ORANGE, "linewidth": 2, "linestyle": DASHES[len(own) % 2]}
        left.plot(own.index, line, label=f"predicted: η {name}", **style)
    legend_above(fig)
    return fig


def width_figure(placed: pd.DataFrame, label: str, etas: list[float]) -> Figure:
    """Draw a reading of plain networks over width, and what the plane says of them.

    `placed` is from `tables.on_the_plane`, with a column `optimizer`.
    """
    names = list(placed.optimizer.unique())
    fig, axes = pairs(len(names), 3, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        own = placed.loc[placed.optimizer == name]
        for place, eta in enumerate(etas):
            line = own.loc[np.isclose(own.eta, eta)].sort_values("widths")
            style = {"color": shade(place, len(etas)), "marker": MARKERS[place]}
            ax.plot(line.widths, line.found, label=f"η = {eta:.2g}", **style)
            low, high = line.found - line.half, line.found + line.half
            ax.fill_between(line.widths, low, high, color=style["color"], alpha=0.15)
            ax.plot(line.widths, line.predicted, color=style["color"], linestyle=":")
        ax.set(xscale="log", xlabel="width N", title=name)
        ax.set_xticks([int(w) for w in own.widths.unique()], minor=False)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_locator(NullLocator())
    axes[0].set_ylabel(label)
    legend_above(fig)
    return fig


def knob_figure(knobs: pd.DataFrame) -> Figure:
    """Draw every instrument over the movement of the parameters, a line for each knob.

    Positions that did not reach the loss are left out.
    """
    shown = [name for name in INSTRUMENTS if name != "movement"]
    fig, axes = pairs(len(shown), 7 / 3, sharex=True)
    means, halves = knob_means(knobs), knob_means(knobs, half_bar)
    names = list(knobs.knobs.unique())
    for ax, instrument in zip(axes, shown, strict=True):
        for place, knob in enumerate(names):
            mean = means.loc[knob].sort_values("movement")
            look = {"color": shade(place, len(names)), "marker": MARKERS[place]}
            # These have no order.
            look["linestyle"] = DASHES[place] if knob != "frozen layers" else ""
            bars = halves.loc[knob][instrument].loc[mean.index]
            ax.errorbar(
                mean.movement,
                mean[instrument],
                bars,
                elinewidth=0.7,
                label=knob,
                **look,
            )
        ax.set(xscale="log", title=INSTRUMENTS[instrument])
        ax.title.set_fontsize("medium")
        if instrument in LOGARITHMIC:
            log_axis(ax)
            ax.set_ylim(bottom=LOGARITHMIC[instrument])  # a linear model's is zero
    for ax in axes[-2:]:
        ax.set_xlabel(INSTRUMENTS["movement"])
    legend_above(fig)
    return fig
