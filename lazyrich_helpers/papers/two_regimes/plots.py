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
    draw_means,
    legend_above,
    pairs,
    shade,
)
from lazyrich_helpers.analysis.tables.statistics import confidence_interval, over_seeds
from lazyrich_helpers.papers.two_regimes.tables import LARGE, SMALL

STEP = "step size η"
LEAST = 1e-4
"""Training loss at which the axis ends."""
DECADES = ("loss", "plateau", "sharpness")
"""Columns that are drawn on a logarithmic axis, by their geometric means."""


def _lines(ax: Axes, table: pd.DataFrame, by: str, value: str, **style: Any) -> None:
    """Draw a line over step sizes for each value of a column, in order.

    `keys` are all values that the figure's panels have, for equal looks.
    """
    keys = style.get("keys", sorted(table[by].unique()))
    over = style.get("over", "lr")
    for key, own in table.groupby(by):
        place = keys.index(key)
        draw_means(
            ax,
            over_seeds(own, over, value, scale=1, geometric=value in DECADES),
            shade(place, len(keys)),
            label=style["label"].format(key),
            marker=MARKERS[place],
            dashes=DASHES[place % len(DASHES)],
        )
    ax.set_xscale("log")
    ax.set_xlabel(style.get("x", STEP))


def _loss_axis(ax: Axes, label: str) -> None:
    ax.set_yscale("log")
    ax.set_ylim(LEAST, 10)
    ax.set_ylabel(label)


def by_step_size(table: pd.DataFrame) -> Figure:
    """Return how often the loss rises, and where it ends, over the step size.

    Args:
        table: From `regime_table`.
    """
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
    """Return how often the loss rises over the step size, by what came before.

    Args:
        table: Of `BOUNDARY`.
    """
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
    """Return how the loss lies along steps, and sharpness against 2/η, at one mark.

    Args:
        table: Of `LINES`.
        mark: The step from which on it was measured.
    """
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
    axes[-1].set_yscale("log")
    axes[-1].set_ylim(0.03, 1000)
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
        own = own.assign(raw=(own.lr * (1 - own.momentum)).map("{:.4g}".format))
        own["raw"] = own.raw.astype(float)
        left, right = axes[2 * row : 2 * row + 2]
        look = {"label": "μ = {:g}", "keys": sorted(table.momentum.unique())}
        _lines(left, own, "momentum", "loss", x="η/(1 − μ)", **look)
        _lines(right, own, "momentum", "loss", over="raw", **look)
        for ax in (left, right):
            _loss_axis(ax, f"training loss, {name}")
    legend_above(fig)
    return fig


def schedules(chosen: Mapping[str, pd.DataFrame]) -> Figure:
    """Return training losses over epochs, and the test accuracies at the end.

    Args:
        chosen: Name → the runs of one schedule and step size.
    """
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
    left.set_yscale("log")
    left.set_xlabel("epoch")
    left.set_ylabel("training loss")
    right.set_yticks([-place for place in range(len(chosen))], list(chosen))
    right.set_ylim(0.5 - len(chosen), 0.5)
    right.set_xlabel("test accuracy (%)")
    legend_above(fig)
    return fig
