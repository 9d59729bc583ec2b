"""Figures of how the networks are set up: initial weights, learning curves and rates.

Tables → axes, as in `plots`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lazyrich_helpers.analysis.figures.style import (
    CHANCE,
    DOTS,
    DOTTED,
    ORANGE,
    draw_lines,
    label_pairs,
    pairs,
    width_color,
)
from lazyrich_helpers.analysis.tables.tidy import one_setting

NUM_BINS = 60


def initial_weights(
    weights: Mapping[int, Tensor], stds: Mapping[int, float], ax: Axes
) -> None:
    r"""Draw a histogram of initial weights per width, and the law they come from.

    The dashed lines are the density of $\mathcal{N}(0, \sigma_0^2)$, by `stds`.
    """
    for width, weight in weights.items():
        color = width_color(width)
        std = stds[width]
        edges = np.linspace(-4 * std, 4 * std, NUM_BINS + 1)
        heights, _ = np.histogram(weight.flatten().numpy(), edges, density=True)
        ax.stairs(heights, edges, fill=True, color=color, alpha=0.4)
        density = np.exp(-((edges / std) ** 2) / 2) / (std * np.sqrt(2 * np.pi))
        label = f"w = {width:,}: σ₀ = {std:.3f}"
        ax.plot(edges, density, color=color, linestyle="--", label=label)
    ax.set_xlabel("initial weight")
    ax.set_ylabel("density")
    ax.legend(frameon=False)


def training_curves(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Return training loss and test accuracy over epochs, a row for each named table.

    Tables are of `tidy.curves_table`, each of one data set, depth and learning rate.
    A line and band per width; bands are 95 % intervals over seeds. A cross ends a run
    that diverged.
    """
    fig, axes = pairs(2 * len(tables), 2.6, sharex=True)
    for place, (name, table) in enumerate(tables.items()):
        one_setting(table, "width")
        left, right = axes[2 * place : 2 * place + 2]
        look = {"keys": sorted(table.width.unique()), "looks": ("dashes",)}
        _lines(left, table, "epoch", "train_loss", **look)
        seen = table.loc[table.accuracy.notna()]
        _lines(right, seen, "epoch", "accuracy", scale=100, **look)
        gone = table.loc[(table.status == "diverged") & table.train_loss.notna()]
        ends = gone.sort_values("epoch").groupby("run_id").last()
        for width, own in ends.groupby("width"):
            left.plot(own.epoch, own.train_loss, "x", color=width_color(width))
        left.set_yscale("log")
        left.set_ylabel(f"{name}\ntraining loss (nats)")
        right.set_ylim(0, 100)
        right.set_ylabel("test accuracy (%)")
    axes[0].legend(loc="upper right", fontsize="small")
    for ax in axes[-2:]:
        ax.set_xlabel("epoch")
    return fig


def _lines(ax: Axes, table: pd.DataFrame, over: str, value: str, **look: Any) -> None:
    look |= {"label": "w = {:,}", "color": width_color}
    draw_lines(ax, table, over, value, "width", **look)


def learning_rate_curves(runs: pd.DataFrame, *, best: Mapping[int, float]) -> Figure:
    """Return test accuracy over the learning rate: a panel per depth, a line per width.

    Of a `tidy.runs_table` of one data set. A cross at the bottom is a run that
    diverged; it is part of no mean. A dotted line marks each depth's `best`.
    """
    depths = sorted(runs.depth.unique())
    fig, axes = pairs(len(depths), 2.8, sharey=True)
    for ax, depth in zip(axes, depths, strict=True):
        chosen = runs.loc[runs.depth == depth]
        look = {"keys": sorted(chosen.width.unique()), "looks": ("marker",)}
        gone = chosen.status == "diverged"
        _lines(ax, chosen.loc[~gone], "lr", "test_accuracy", scale=100, **look)
        for width, own in chosen.loc[gone].groupby("width"):
            ax.plot(own.lr, [2] * len(own), "x", color=width_color(width))
        ax.axhline(CHANCE, **DOTTED)
        ax.axvline(best[depth], color=ORANGE, linestyle=DOTS)
        ax.set_xscale("log")
        ax.set_ylim(0, 100)
        hidden = "hidden layer" if depth == 1 else "hidden layers"
        ax.set_title(f"{depth} {hidden}", fontsize="medium")
        ax.set_xlabel("learning rate of Adam")
    label_pairs(axes, "test accuracy (%)")
    return fig
