"""Figures of late generalization and of Jacobians: tables → figures."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lazyrich_helpers.analysis.figures.style import (
    BLUE,
    CHANCE,
    DASHES,
    DOTS,
    DOTTED,
    MARKERS,
    ORANGE,
    draw_means,
    legend_above,
    pairs,
    shade,
    width_color,
)
from lazyrich_helpers.analysis.tables.statistics import geometric_interval, over_seeds
from lazyrich_helpers.papers.grokalign.tables import BASELINE, LEVEL, of_method, reaches

PRINTED = {"GrokAlign": (7.56, 6.41), "Grokfast": (1 / 1.01, 1 / 1.03)}
PRINTED |= {"noise": (1.32, 1 / 1.92)}
"""Steps and time saved, as the paper prints them for cross-entropy on MNIST."""


def grokking_courses(table: pd.DataFrame, columns: dict[str, str]) -> Figure:
    """Return a panel for each column over steps, a line for each method.

    Training accuracy is drawn beside test accuracy, thin and dotted. Lines are means
    over seeds in bands of 95 % intervals; accuracies are in percent.

    Args:
        table: Of the study `grokalign-grokking`.
        columns: Name → label of the axis.
    """
    methods = [*dict.fromkeys(table.methods)]
    fig, axes = pairs(len(columns), 2.7)
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        scale = 100 if column in ("test", "robust") else 1
        for place, method in enumerate(methods):
            own = table.loc[(table.methods == method) & (table.step > 0)]
            style: dict[str, Any] = {"dashes": DASHES[place % len(DASHES)]}
            color = shade(place, len(methods))
            curve = over_seeds(own, "step", column, scale=scale)
            draw_means(ax, curve, color, label=method, **style)
            if column == "test":
                train = over_seeds(own, "step", "train")["mean"]
                ax.plot(train, color=color, linewidth=1.1, linestyle=DOTS)
        if column == "test":
            ax.axhline(100 * LEVEL, **DOTTED)
        ax.set_xscale("log")
        ax.set_xlabel("step")
        ax.set_ylabel(label)
    legend_above(fig)
    return fig


def savings(table: pd.DataFrame) -> Figure:
    """Return how many times fewer steps, and how much less time, each method takes.

    Dots are geometric means over seeds with 95 % intervals; diamonds the paper's.

    Args:
        table: Of the study `grokalign-grokking`.
    """
    found = reaches(table)
    methods = [m for m in dict.fromkeys(found.methods) if m != BASELINE]
    fig, (ax,) = pairs(1, 0.9 + 0.38 * len(methods))
    for place, method in enumerate(reversed(methods)):
        for column, color, shift in (("step", BLUE, 0.13), ("seconds", ORANGE, -0.13)):
            logs = of_method(found, method, f"{column}_ratio").map(math.log)
            middle, *ends = geometric_interval(logs)
            ends = ends if np.isfinite(ends).all() else []
            y = place + shift
            label = {"step": "steps", "seconds": "time"}[column]
            first = label if place == 0 else ""
            ax.plot(middle, y, "o", color=color, label=first)
            ax.plot(ends, [y] * len(ends), color=color)
            if method in PRINTED:
                printed = PRINTED[method][column == "seconds"]
                told = f"the paper’s {label}" if method == "GrokAlign" else ""
                ax.plot(printed, y, "D", mfc="none", color=color, label=told)
    ax.axvline(1, **DOTTED)
    ax.set_yticks(range(len(methods)), methods[::-1])
    ax.set_xscale("log")
    ticks = [0.5, 1, 2, 5, 10]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    ax.minorticks_off()
    ax.set_xlabel(
        f"times less than weight decay alone, to {100 * LEVEL:.0f} % accuracy"
    )
    legend_above(fig)
    return fig


def xor_courses(table: pd.DataFrame) -> Figure:
    """Return accuracies and alignment over steps, a line for each penalty.

    Args:
        table: Of the study `grokalign-xor`.
    """
    columns = {
        "test": "test accuracy (%)",
        "noisy": "accuracy under noise (%)",
        "alignment": "|cos(J, x)|",
        "norm": "norm of the Jacobian",
    }
    penalties = sorted(table.penalties.unique())
    fig, axes = pairs(len(columns), 2.1, sharex=True)
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        scale = 100 if column in ("test", "noisy") else 1
        for place, penalty in enumerate(penalties):
            own = table.loc[table.penalties == penalty]
            draw_means(
                ax,
                over_seeds(own, "step", column, scale=scale),
                shade(place, len(penalties)),
                label=f"λ = {penalty:g}",
                dashes=DASHES[place],
            )
        ax.set_ylabel(label)
    for ax in axes[-2:]:
        ax.set_xlabel("step")
    legend_above(fig)
    return fig


def reset_curves(table: pd.DataFrame) -> Figure:
    """Return accuracy and alignment over γ, a line for each width.

    Args:
        table: Of the study `grokalign-resets`.
    """
    fig, axes = pairs(2, 2.6)
    columns = {"accuracy": "test accuracy (%)", "alignment": "cosine of the true row"}
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        for place, width in enumerate(sorted(table.widths.unique())):
            own = table.loc[(table.widths == width) & (table.gamma > 0)]
            kept = own.assign(percent=100 * own.gamma)
            scale = 100 if column == "accuracy" else 1
            curve = over_seeds(kept, "percent", column, scale=scale)
            _line(ax, curve, int(width), place)
        ax.set_xscale("log")
        ax.set_xlabel("γ, reset (%)")
        ax.set_ylabel(label)
    axes[0].axhline(CHANCE, **DOTTED)
    legend_above(fig)
    return fig


def _line(ax: Axes, curve: pd.DataFrame, width: int, place: int) -> None:
    marker = MARKERS[place % len(MARKERS)]
    draw_means(ax, curve, width_color(width), label=f"w = {width:,}", marker=marker)


def kernel_errors(table: pd.DataFrame) -> Figure:
    """Return the kernel's error over the step size, a line for each moment.

    Args:
        table: Of the study `grokalign-kernel`.
    """
    fig, (ax,) = pairs(1, 2.4)
    moments: Sequence[int] = sorted(int(step) for step in table.step.unique())
    for place, moment in enumerate(moments):
        rows = table.loc[table.step == moment]
        curve = over_seeds(rows, "lrs", "error", scale=1, geometric=True)
        color = shade(place, len(moments))
        label = f"after {moment} steps" if moment else "at initialization"
        draw_means(ax, curve, color, label=label, marker=MARKERS[place])
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("size η of the step")
    ax.set_ylabel("relative error")
    legend_above(fig)
    return fig
