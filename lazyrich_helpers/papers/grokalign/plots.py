"""Figures of late generalization and of Jacobians: tables → figures."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lazyrich_helpers.analysis.figures.style import (
    BLUE,
    CHANCE,
    DOTS,
    DOTTED,
    ORANGE,
    draw_lines,
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
PERCENT = ("test", "robust", "noisy", "accuracy")
"""Columns that are shares, and drawn in percent."""


def grokking_courses(table: pd.DataFrame, columns: dict[str, str]) -> Figure:
    """Return a panel for each column of `grokalign-grokking`, a line for each method.

    `columns` have the labels of their axes. Training accuracy is drawn beside test
    accuracy, thin and dotted. Lines are means over seeds in bands of 95 % intervals;
    accuracies are in percent.
    """
    later = table.loc[table.step > 0]
    methods = [*dict.fromkeys(table.methods)]
    fig, axes = pairs(len(columns), 2.7)
    look = {"by": "methods", "label": "{}", "looks": ("dashes",)}
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        _lines(ax, later, "step", column, **look)
        if column == "test":
            for place, method in enumerate(methods):
                own = over_seeds(later.loc[later.methods == method], "step", "train")
                color = shade(place, len(methods))
                ax.plot(own["mean"], color=color, linewidth=1.1, linestyle=DOTS)
            ax.axhline(100 * LEVEL, **DOTTED)
        ax.set(xscale="log", xlabel="step", ylabel=label)
    legend_above(fig)
    return fig


def _lines(ax: Axes, table: pd.DataFrame, over: str, column: str, **look: Any) -> None:
    draw_lines(ax, table, over, column, scale=100 if column in PERCENT else 1, **look)


def savings(table: pd.DataFrame) -> Figure:
    """Return how many times fewer steps, and how much less time, each method takes.

    Dots are geometric means over seeds of `grokalign-grokking` with 95 % intervals;
    diamonds the paper's.
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
    ax.set_xticks([0.5, 1, 2, 5, 10])
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.set_xlabel(f"times less than {BASELINE} alone, to {100 * LEVEL:.0f} % accuracy")
    legend_above(fig)
    return fig


def xor_courses(table: pd.DataFrame) -> Figure:
    """Return accuracies and alignment over steps of `grokalign-xor`, by penalty."""
    columns = {
        "test": "test accuracy (%)",
        "noisy": "accuracy under noise (%)",
        "alignment": "|cos(J, x)|",
        "norm": "norm of the Jacobian",
    }
    fig, axes = pairs(len(columns), 2.1, sharex=True)
    look = {"by": "penalties", "label": "λ = {:g}", "looks": ("dashes",)}
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        _lines(ax, table, "step", column, **look)
        ax.set_ylabel(label)
    for ax in axes[-2:]:
        ax.set_xlabel("step")
    legend_above(fig)
    return fig


def reset_curves(table: pd.DataFrame) -> Figure:
    """Return accuracy and alignment over γ of `grokalign-resets`, by width."""
    kept = table[table.gamma > 0].assign(percent=100 * table.gamma)
    fig, axes = pairs(2, 2.6)
    columns = {"accuracy": "test accuracy (%)", "alignment": "cosine of the true row"}
    look: dict[str, Any] = {"by": "widths", "label": "w = {:,}", "color": width_color}
    look["looks"] = ("marker",)
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        _lines(ax, kept, "percent", column, **look)
        ax.set(xscale="log", xlabel="γ, reset (%)", ylabel=label)
    axes[0].axhline(CHANCE, **DOTTED)
    legend_above(fig)
    return fig


def kernel_errors(table: pd.DataFrame) -> Figure:
    """Return the kernel's error over the step size of `grokalign-kernel`, by moment."""

    def named(moment: int) -> str:
        return f"after {moment:g} steps" if moment else "at initialization"

    fig, (ax,) = pairs(1, 2.4)
    look = {"by": "step", "label": named, "looks": ("marker",)}
    _lines(ax, table, "lrs", "error", geometric=True, **look)
    ax.set(xscale="log", yscale="log")
    ax.set(xlabel="size η of the step", ylabel="relative error")
    legend_above(fig)
    return fig
