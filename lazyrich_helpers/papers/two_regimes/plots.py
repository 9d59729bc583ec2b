"""Figures of the two regimes, from the studies' tables."""

from collections.abc import Mapping
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
    draw_lines,
    draw_means,
    legend_above,
    pairs,
    shade,
)
from lazyrich_helpers.analysis.tables.statistics import confidence_interval, over_seeds
from lazyrich_helpers.papers.two_regimes.tables import LARGE, SMALL

LEAST = 1e-4
"""Training loss at which the axis ends."""
DECADES = ("loss", "plateau", "sharpness")
"""Columns that are drawn on a logarithmic axis, by their geometric means."""


def _lines(ax: Axes, table: pd.DataFrame, by: str, value: str, **look: Any) -> None:
    """Draw a line over step sizes for each value of a column."""
    over, label = look.pop("over", "lr"), look.pop("xlabel", "step size η")
    draw_lines(ax, table, over, value, by, geometric=value in DECADES, **look)
    ax.set(xscale="log", xlabel=label)


def _loss_axis(ax: Axes, label: str) -> None:
    ax.set(yscale="log", ylim=(LEAST, 10), ylabel=label)


def by_step_size(table: pd.DataFrame) -> Figure:
    """Return how often the loss rises, and where it ends, of a `regime_table`."""
    fig, (left, right) = pairs(2, 2.9)
    _lines(left, table, "batch_sizes", "rises", label="batches of {:,}")
    _lines(right, table, "batch_sizes", "plateau", label="batches of {:,}")
    for line in (SMALL, LARGE):
        left.axhline(line, **DOTTED)
    left.set_ylabel("share of epochs with a rise")
    _loss_axis(right, "training loss at the end")
    legend_above(fig)
    return fig


def boundaries(table: pd.DataFrame) -> Figure:
    """Return how often the loss of `BOUNDARY` rises, by what came before."""
    fig, (left, right) = pairs(2, 2.9)
    label = "after {:,} epochs of large steps"
    _lines(left, table, "warm_epochs", "rises", label=label)
    left.axhline(SMALL, **DOTTED)
    left.set_ylabel("share of epochs with a rise")
    _lines(right, table, "warm_epochs", "loss", label=label)
    _loss_axis(right, "training loss at the end")
    legend_above(fig)
    return fig


def along_steps(table: pd.DataFrame, mark: int) -> Figure:
    """Return how the loss lies along steps from a mark of `LINES`, and sharpness."""
    fig, axes = pairs(4, 2.5)
    own = pd.DataFrame(table[table.step == mark])
    names = {
        "convex": "share of steps: convex line",
        "overshoot": "share: beyond the minimum",
        "uphill": "share: the loss rises",
        "sharpness": "sharpness λ",
    }
    for ax, (name, label) in zip(axes, names.items(), strict=True):
        _lines(ax, own, "batch_sizes", name, label="batches of {:,}")
        ax.set_ylabel(label)
        if name != "sharpness":
            ax.set_ylim(-0.05, 1.05)
    lrs = np.array(sorted(own.lr.unique()))
    axes[-1].plot(lrs, 2 / lrs, **DOTTED)
    axes[-1].set(yscale="log", ylim=(0.03, 1000))
    axes[-1].annotate("2/η", (lrs[1], 2 / lrs[1]), (6, 2), textcoords="offset points")
    legend_above(fig)
    return fig


def with_momentum(table: pd.DataFrame, names: Mapping[int, str]) -> Figure:
    """Return losses over η/(1 − μ), where they are to coincide, and over η itself.

    Args:
        table: Of `MOMENTUM`, of one start.
        names: Batch size → what it is called.
    """
    fig, axes = pairs(2 * len(names), 2.6)
    for row, (batch, name) in enumerate(names.items()):
        own = pd.DataFrame(table[table.batch_sizes == batch])
        raw = (own.lr * (1 - own.momentum)).map("{:.4g}".format)
        own = own.assign(raw=raw.astype(float))
        left, right = axes[2 * row : 2 * row + 2]
        look = {"label": "μ = {:g}", "keys": sorted(table.momentum.unique())}
        _lines(left, own, "momentum", "loss", xlabel="η/(1 − μ)", **look)
        _lines(right, own, "momentum", "loss", over="raw", **look)
        for ax in (left, right):
            _loss_axis(ax, f"training loss, {name}")
    legend_above(fig)
    return fig


def schedules(chosen: Mapping[str, pd.DataFrame]) -> Figure:
    """Return training losses over epochs, and test accuracies at the end, of runs."""
    fig, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 3.0), layout="constrained", width_ratios=(3, 2)
    )
    for place, (name, rows) in enumerate(chosen.items()):
        color = shade(place, len(chosen))
        summary = over_seeds(rows, "epoch", "loss", scale=1, geometric=True)
        draw_means(left, summary, color, label=name, dashes=DASHES[place])
        ends = 100 * rows[rows.epoch == rows.epoch.max()].test_accuracy
        mean, half = confidence_interval(ends)
        right.errorbar(
            mean, -place, xerr=half if np.isfinite(half) else None,
            color=color, marker=MARKERS[place], capsize=3,
        )  # fmt: skip
    left.set(yscale="log", xlabel="epoch", ylabel="training loss")
    right.set_yticks([-place for place in range(len(chosen))], list(chosen))
    right.set(ylim=(0.5 - len(chosen), 0.5), xlabel="test accuracy (%)")
    legend_above(fig)
    return fig
