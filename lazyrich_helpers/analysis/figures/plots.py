"""Tables → axes. Nothing here trains, reads or writes."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lazyrich_helpers.analysis.figures.style import (
    BLUE,
    CHANCE,
    DOTTED,
    ORANGE,
    OUTLINED,
    WIDTH,
    draw_lines,
    legend_above,
    pairs,
    width_color,
)
from lazyrich_helpers.analysis.tables.statistics import over_seeds
from lazyrich_helpers.analysis.tables.tidy import one_setting
from lazyrich_helpers.reinit.reinitialization import SCENARIOS

TITLES = {
    "active": "γ-active: the most active are reset",
    "lazy": "ε-lazy: only the most active are kept",
}
SYMBOLS = {"active": "γ", "lazy": "ε"}
LOG_TICKS = (0, 0.001, 0.01, 0.1, 1, 10, 100)
SMALLEST = 0.001
"""Percent: the log axis is linear below it, so that 0 has a place."""


def reinit_curves(
    table: pd.DataFrame,
    ax: Axes,
    *,
    scenario: str,
    scale: str,
    by: str = "width",
    compares: Sequence[str] = (),
) -> None:
    """Draw accuracy over the re-initialized share, a line and band per width.

    Args:
        table: From `tidy.reinit_table`, one learning rate.
        ax: Where to draw.
        scenario: `active` or `lazy`.
        scale: `log` or `linear`, of the horizontal axis.
        by: The column of which each value has a line.
        compares: Columns, as in `tidy.one_setting`, in which the lines differ.

    Source: Li & Banerjee (2021), Figure 2.
    """
    one_setting(table, by, *compares)
    chosen = table.loc[table.scenario == scenario]
    chosen = chosen.assign(percent=100 * chosen.fraction)
    for _, rows in chosen.groupby(by):
        one_setting(rows)
    look: dict[str, Any] = {"label": "{}", "looks": ("dashes",), "scale": 100}
    if by == "width":
        look |= {"label": "w = {:,}", "color": width_color}
        look["keys"] = sorted(chosen.width.unique())
    draw_lines(ax, chosen, "percent", "accuracy", by, **look)
    ax.axhline(CHANCE, **DOTTED)
    if scale == "log":
        ax.set_xscale("symlog", linthresh=SMALLEST)
        ax.set_xticks(LOG_TICKS, [f"{tick:g}" for tick in LOG_TICKS])
        ax.minorticks_off()
    ax.set_xlim(0, 100)
    ax.set_ylim(0, 100)
    ax.set_xlabel(f"{SYMBOLS[scenario]} (% of all parameters)")
    ax.set_title(TITLES[scenario], fontsize="medium")


def reinit_grid(
    tables: Mapping[str, pd.DataFrame], *, scale: str, **lines: Any
) -> Figure:
    """Return a row of both scenarios, side by side, for each named table.

    `lines` says what has a line; see `reinit_curves`.
    """
    count = len(tables)
    size = (WIDTH, 1.25 * count + 0.8)
    fig, rows = plt.subplots(
        count, 2, figsize=size, sharex=True, sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for axes, (name, table) in zip(rows, tables.items(), strict=True):
        for ax, scenario in zip(axes, SCENARIOS, strict=True):
            reinit_curves(table, ax, scenario=scenario, scale=scale, **lines)
            ax.label_outer()
            ax.set_title(TITLES[scenario] if ax in rows[0] else "", fontsize="medium")
        axes[0].set_ylabel(f"{name}\ntest accuracy (%)")
    legend_above(fig)
    return fig


def active_panels(tables: Mapping[str, pd.DataFrame], **lines: Any) -> Figure:
    """Return a panel of γ-active re-initialization for each named table.

    `lines` says what has a line; see `reinit_curves`.
    """
    fig, axes = pairs(len(tables), 2.6, sharey=True)
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        reinit_curves(table, ax, scenario="active", scale="log", **lines)
        ax.set_title(name, fontsize="medium")
    for ax in axes[::2]:
        ax.set_ylabel("test accuracy (%)")
    legend_above(fig)
    return fig


def width_bars(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Return accuracy at initialization and after training, a bar per width.

    A panel per named table; tables without a row are left out. The error bars are
    95 % intervals over seeds. The dotted line is chance.

    Source: Li & Banerjee (2021), Figure 4.
    """
    shown = {name: table for name, table in tables.items() if not table.empty}
    fig, axes = pairs(max(1, len(shown)), 1.8, columns=1)
    for ax, (name, table) in zip(axes, shown.items(), strict=False):
        _initial_and_trained(table, ax)
        ax.set_ylabel(f"{name}\ntest accuracy (%)")
    axes[-1].set_xlabel("width w")
    legend_above(fig)
    return fig


def _initial_and_trained(table: pd.DataFrame, ax: Axes) -> None:
    one_setting(table, "width")
    active = table.loc[table.scenario == "active"]
    before = over_seeds(active.loc[active.fraction == 1], "width")
    after = over_seeds(active.loc[active.fraction == 0], "width")
    names = [f"{width:,}" for width in before.index]
    gain = after["mean"] - before["mean"]
    ax.bar(names, before["mean"], color=BLUE, label="initial")
    ax.bar(names, gain, bottom=before["mean"], label="by training", **OUTLINED)
    for summary, color in ((before, ORANGE), (after, "black")):
        half = summary.high - summary["mean"]
        ax.errorbar(names, summary["mean"], half, fmt="none", ecolor=color)
        above = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center"}
        for name, value in zip(names, summary["mean"], strict=True):
            ax.annotate(f"{value:.0f}", (name, value), color=color, **above)
    ax.axhline(CHANCE, **DOTTED)
    ax.set_ylim(0, 112)


def movement_histograms(tables: dict[str, pd.DataFrame], *, layer: int) -> Figure:
    """Return histograms of how far a layer's weights moved, a panel per named table.

    Lines are the mean over seeds of the share of the layer's weights per quarter of a
    decade, in bands of 95 % intervals; weights that did not move at all are not
    drawn, the legend counts them. Tables are `tidy.movement_table`s, by title.
    """
    fig, axes = pairs(len(tables), 2.9, sharey=True)
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        chosen = table.loc[table.layer == layer]
        unmoved = 100 * chosen.groupby("width").unmoved.mean()
        labels = {w: f"w = {w:,}: {share:.0f} %" for w, share in unmoved.items()}
        look = {"keys": labels, "label": labels.get, "color": width_color}
        look |= {"looks": ("dashes",), "scale": 100}
        draw_lines(ax, chosen, "movement", "share", "width", **look)
        ax.axvline(1, **DOTTED)
        ax.set_xscale("log")
        ax.set_xlim(1e-4, 1e3)
        ax.set_xticks([1e-4, 1e-2, 1, 1e2])
        ax.set_title(name, fontsize="medium")
        ax.set_xlabel("movement / initial standard deviation")
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.25), "ncols": 2}
        ax.legend(title="did not move at all", fontsize="small", **below)
    axes[0].set_ylabel("% of weights")
    return fig
