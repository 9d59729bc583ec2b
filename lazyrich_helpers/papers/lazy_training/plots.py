"""Figures of the lazy-training studies."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lazyrich_helpers.analysis.figures import style
from lazyrich_helpers.analysis.tables.statistics import over_seeds
from lazyrich_helpers.papers.lazy_training.paths import PathSettings, lesson_of
from lazyrich_helpers.papers.lazy_training.tables import LAWS, at_best_rates

LOSSES = {"test_loss": "after training", "best_test_loss": "best on the way"}
DISTANCES = {
    "from_start": "to the start: 1/α",
    "from_linear": "to the linearized net: 1/α²",
    "outputs_apart": "of outputs: 1/α",
}
MEASURES = {"moved": "moved, relatively", "kernel_change": "kernel's change"}
ACCURACIES = {"test_accuracy": "test", "train_accuracy": "training"}


def _columns(
    ax: Axes, table: pd.DataFrame, over: str, columns: dict[str, str], **summed: Any
) -> None:
    """Draw two columns over another, and name them below."""
    for place, (column, label) in enumerate(columns.items()):
        style.draw_means(
            ax, over_seeds(table, over, column, **summed), style.shade(2 * place, 3),
            label=label, marker="os"[place], dashes=style.DASHES[place],
        )  # fmt: skip
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=2)


def loss_over_scale(table: pd.DataFrame) -> Figure:
    """Draw test loss over τ, beside how far parameters moved and what stayed."""
    fig, (left, right) = style.pairs(2, 2.6)
    _columns(left, table, "taus", LOSSES, scale=1000, geometric=True)
    _columns(right, table, "taus", MEASURES, scale=1, geometric=True)
    for ax, label in ((left, "1,000 × test loss"), (right, "relative change")):
        ax.set(xscale="log", xlabel="scale of the start, τ", ylabel=label)
        style.log_axis(ax)
    return fig


def laws(table: pd.DataFrame) -> Figure:
    """Draw the largest distances over α, with lines of the laws' slopes (dotted)."""
    fig, (ax,) = style.pairs(1, 2.9)
    for place, (column, label) in enumerate(DISTANCES.items()):
        summary = over_seeds(table, "alphas", column, scale=1, geometric=True)
        color = style.shade(place, len(DISTANCES))
        style.draw_means(ax, summary, color, label=label, marker="os^"[place])
        last, end = summary.index[-1], summary["mean"].iloc[-1]
        expected = end * (summary.index / last) ** LAWS[column]
        ax.plot(summary.index, expected, **style.DOTTED)
    ax.set(xscale="log", yscale="log", xlabel="scale of the output, α")
    ax.set_ylabel("largest distance")
    style.legend_above(fig)
    return fig


def over_width(losses: pd.DataFrame, kappas: pd.DataFrame) -> Figure:
    """Draw test loss and κ over the width, for both scalings of the output."""
    fig, axes = style.pairs(2, 2.6)
    drawn = ((losses, "test_loss", "test loss"), (kappas, "kappa", "relative scale κ"))
    for ax, (table, column, label) in zip(axes, drawn, strict=True):
        look = {"keys": ("1/m", "1/√m"), "label": "outputs of {}", "geometric": True}
        style.draw_lines(ax, table, "widths", column, "scaling", **look)
        ax.set(xscale="log", xlabel="width m", ylabel=label)
        style.log_axis(ax)
    axes[0].set_ylim(bottom=0.01)  # the narrowest may fit exactly
    style.legend_above(fig)
    return fig


def conv_net_over_alpha(table: pd.DataFrame) -> Figure:
    """Draw accuracies over α, the linearized net's dotted; and what stayed, moved."""
    best = at_best_rates(table)
    nets = best[best.inverse_alphas > 0]
    nets = nets.assign(alpha=1 / nets.inverse_alphas)
    linear = best[best.inverse_alphas == 0]
    fig, (left, right) = style.pairs(2, 2.6)
    _columns(left, nets, "alpha", ACCURACIES)
    for place, column in enumerate(ACCURACIES):
        level = 100 * float(np.mean(linear[column]))
        color = style.shade(2 * place, 3)
        left.axhline(level, color=color, linewidth=1.1, linestyle=style.DOTS)
    kept = over_seeds(nets, "alpha", "kept_states")
    style.draw_means(right, kept, style.shade(1, 3), marker="o")
    for ax, label in (
        (left, "accuracy (%)"),
        (right, "ReLUs in their first state (%)"),
    ):
        ax.set(xscale="log", xlabel="scale of the output, α", ylabel=label)
    return fig


def paths(table: pd.DataFrame, settings: PathSettings, taus: list[float]) -> Figure:
    """Draw units' paths in the plane, a panel for each τ; the teacher's as arrows."""
    task = lesson_of(settings)
    fig, axes = style.pairs(len(taus), 3.2)
    for ax, tau in zip(axes, taus, strict=True):
        rows = table[table.taus == tau]
        reach = max(rows.x.abs().max(), rows.y.abs().max())
        for _, unit in rows.groupby("unit"):
            up = unit.sign.iloc[-1] > 0
            color = style.BLUE if up else style.ORANGE
            ax.plot(unit.x, unit.y, color=color, linewidth=1)
            ax.plot(unit.x.iloc[-1], unit.y.iloc[-1], "o^"[not up], color=color, ms=5)
        for (x, y), sign in zip(task.directions[0], task.signs[0], strict=True):
            color = style.BLUE if sign > 0 else style.ORANGE
            end = (1.25 * reach * x.item(), 1.25 * reach * y.item())
            ax.plot(
                [0, end[0]], [0, end[1]], color=color, linewidth=1, linestyle=style.DOTS
            )
        limit = 1.3 * reach
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), title=f"τ = {tau:g}")
        ax.set_aspect("equal")
    return fig
