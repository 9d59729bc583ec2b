"""Figures of starts: variances down a network, and training from each."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lazyrich_helpers.analysis.figures.style import (
    DASHES,
    DOTTED,
    MARKERS,
    WIDTH,
    draw_means,
    label_pairs,
    legend_above,
    log_axis,
    pairs,
    shade,
    width_color,
)
from lazyrich_helpers.analysis.tables.statistics import over_seeds
from lazyrich_helpers.papers.init_variance.nets import NAMES, STARTS
from lazyrich_helpers.papers.init_variance.tables import everyone_reached
from lazyrich_helpers.papers.init_variance.theory import (
    GRADIENT_GROWTH,
    correlations,
)

THEORY: dict[str, Any] = {"color": "0.35", "linewidth": 1.2, "linestyle": "--"}
IN_THEORY = "w → ∞ (recursion)"


def start_color(start: str) -> tuple[float, ...]:
    """Return the colour that a start has in all figures."""
    return shade(STARTS.index(start), len(STARTS))


def _look(start: str) -> dict[str, Any]:
    place = STARTS.index(start)
    return {"marker": MARKERS[place], "dashes": DASHES[place], "label": NAMES[start]}


def decay_and_training(
    decay: pd.DataFrame, training: pd.DataFrame, depth: int
) -> Figure:
    """Return the sample variance over layers, and losses over steps, side by side.

    Args:
        decay: Of white noise, with `share`; a line for each width.
        training: From `best_rates`; a line for each start at one depth.
        depth: Hidden layers.
    """
    fig, (left, right) = pairs(2, 3.4)
    for place, (width, rows) in enumerate(decay.groupby("widths")):
        summary = over_seeds(rows, "layer", "share")
        color = width_color(int(str(width)))
        look = {"marker": MARKERS[place], "dashes": DASHES[place % len(DASHES)]}
        draw_means(left, summary, color, label=f"w = {width:,}", **look)
        end = summary.index[-1], summary["mean"].iloc[-1]
        beside = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
        left.annotate(f"{width:,}", end, color=color, size="small", **beside)
    layers = np.arange(1, int(decay.layer.max()) + 1)
    theory = 100 * (1 - correlations(len(layers)))
    left.plot(layers, theory, **THEORY, label=IN_THEORY)
    log_axis(left)
    left.set_xlim(right=1.15 * layers[-1])  # room for the widths
    left.set_xlabel("layer")
    left.set_title("sample variance (% of total)", fontsize="medium")
    losses = curves(pd.DataFrame(training[training.depth == depth]))
    for start, rows in losses.groupby("inits", sort=False):
        summary = over_seeds(rows, "step", "loss", scale=1, geometric=True)
        draw_means(right, summary, start_color(str(start)), **_look(str(start)))
    log_axis(right)
    right.set_xlabel("step")
    right.set_title(f"training loss, {depth} hidden layers", fontsize="medium")
    label_pairs([left, right], "", columns=2)
    return fig


def curves(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each kept point of the loss curves: `step`, `loss`."""
    kept = [name for name in table if str(name).startswith("loss_")]
    long = table.melt(
        id_vars=["inits", "depth", "lr", "seed"], value_vars=kept, value_name="loss"
    )
    steps = long.variable.str.removeprefix("loss_").astype(int)
    return long.assign(step=steps).drop(columns="variable")


def units_down(
    histograms: pd.DataFrame, starts: Sequence[str], layers: Sequence[int], limit: float
) -> Figure:
    """Return histograms of a few units: a row per start, a column per layer."""
    bins = [name for name in histograms if str(name).startswith("bin_")]
    edges = np.linspace(-limit, limit, len(bins) + 1)
    fig, axes = plt.subplots(
        len(starts), len(layers), figsize=(WIDTH, 1.35 * len(starts) + 0.4),
        sharex=True, squeeze=False, layout="constrained",
    )  # fmt: skip
    places = itertools.product(enumerate(starts), enumerate(layers))
    for (row, start), (column, layer) in places:
        ax = axes[row, column]
        rows = histograms[(histograms.inits == start) & (histograms.layer == layer)]
        for place, counts in enumerate(np.asarray(rows[bins])):
            ax.stairs(counts, edges, color=shade(place, len(rows)), linewidth=1.2)
        ax.set_yticks([])
        if row == 0:
            ax.set_title(f"layer {int(layer)}", fontsize="medium")
        if column == 0:
            ax.set_ylabel(NAMES[start])
    fig.supxlabel("pre-activation / σ of the layer", fontsize="medium")
    return fig


def starts_down(table: pd.DataFrame) -> Figure:
    """Return sample variance and gradients over layers, a line for each start.

    Args:
        table: With `share` and `gradient`, the latter's highest layer at 1.
    """
    fig, axes = pairs(2, 3.2)
    left, right = axes
    for start, rows in table.groupby("inits", sort=False):
        own = rows.assign(log_gradient=np.log10(rows.gradient))
        color, look = start_color(str(start)), _look(str(start))
        draw_means(left, over_seeds(own, "layer", "share"), color, **look)
        summary = over_seeds(own, "layer", "log_gradient", scale=1)
        draw_means(right, summary, color, **look)
    depth = int(table.layer.max())
    layers = np.arange(1, depth + 1)
    left.plot(layers, 100 * (1 - correlations(depth)), **THEORY)
    right.plot(layers, (depth - layers) * np.log10(GRADIENT_GROWTH), **THEORY)
    right.plot(layers, 0 * layers, **DOTTED)
    log_axis(left)
    left.set_title("sample variance (% of total)", fontsize="medium")
    right.set_title("mean square gradient (log₁₀, top layer at 0)", fontsize="medium")
    for ax in axes:
        ax.set_xlabel("layer")
    legend_above(fig)
    return fig


def steps_over_rates(table: pd.DataFrame) -> Figure:
    """Return steps to the loss over learning rates, a panel for each depth.

    Only means over seeds that all reach it are drawn.
    """
    depths = sorted(int(depth) for depth in table.depth.unique())
    fig, axes = plt.subplots(
        1, len(depths), figsize=(WIDTH, 3), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax, depth in zip(axes[0], depths, strict=True):
        for start, rows in table[table.depth == depth].groupby("inits", sort=False):
            reached = everyone_reached(pd.DataFrame(rows))
            color, look = start_color(str(start)), _look(str(start))
            if reached.empty:  # named in the legend all the same
                ax.plot([], [], color=color, marker=look["marker"], label=look["label"])
                continue
            draw_means(ax, over_seeds(reached, "lr", "steps", scale=1), color, **look)
        if not any(len(line.get_xdata()) for line in ax.get_lines()):
            ax.text(0.5, 0.5, "not reached", ha="center", transform=ax.transAxes)
        ax.set_xscale("log")
        ax.set_xlim(table.lr.min() / 1.5, table.lr.max() * 1.5)
        ax.set_xlabel("learning rate")
        ax.set_title(f"{depth} hidden layers", fontsize="medium")
    log_axis(axes[0, 0])
    axes[0, 0].set_ylabel("steps to the loss")
    legend_above(fig)
    return fig


def images_down(table: pd.DataFrame, gains: Mapping[float, str]) -> Figure:
    """Return images' total variance and ρ over layers, with Xavier's start.

    Args:
        table: With `rho` and `theory`, of widths and gains.
        gains: Gain → its formula, in words.
    """
    fig, axes = pairs(2, 3.2)
    left, right = axes
    widest, depth = table.widths.max(), int(table.layer.max())
    for place, (gain, words) in enumerate(gains.items()):
        at_gain = np.isclose(table.gain, gain)
        own = pd.DataFrame(table[at_gain & (table.widths == widest)])
        look = {"label": words, "marker": MARKERS[place], "dashes": DASHES[place]}
        summary = over_seeds(own, "layer", "total", scale=1)
        draw_means(left, summary, shade(place, len(gains)), **look)
    standard = pd.DataFrame(table[np.isclose(table.gain, max(gains))])
    for place, (width, rows) in enumerate(standard.groupby("widths")):
        look = {"label": f"w = {width:,}", "marker": MARKERS[place]}
        summary = over_seeds(pd.DataFrame(rows), "layer", "rho", scale=1)
        draw_means(right, summary, width_color(int(str(width))), **look)
    right.plot(table.groupby("layer").theory.mean(), **THEORY, label=IN_THEORY)
    log_axis(left)
    left.set_title(f"total variance, w = {widest:,}", fontsize="medium")
    right.set_title("ρ, correlation of two samples", fontsize="medium")
    for ax in axes:
        _whole_layers(ax, depth)
    label_pairs(axes, "", columns=1)
    return fig


def _whole_layers(ax: Axes, depth: int) -> None:
    ax.set_xlabel("layer")
    ax.set_xticks(range(1, depth + 1))
