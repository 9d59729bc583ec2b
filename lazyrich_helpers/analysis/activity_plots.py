"""Figures of where active parameters lie, and of which layers are critical.

Tables → axes, as in `plots`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from lazyrich_helpers.analysis.activity_tables import DEFINITIONS, layer_name
from lazyrich_helpers.analysis.figure_style import (
    BLUE,
    DOTTED,
    ORANGE,
    draw_means,
    layer_color,
    panels,
)
from lazyrich_helpers.analysis.statistics import over_seeds
from lazyrich_helpers.analysis.tables import one_setting


def frequency_lines(table: pd.DataFrame) -> Figure:
    """Return how often a layer's weights are active over width: a panel per α.

    Lines are means over seeds, bands one standard error; the dotted line is α itself,
    where activity spread evenly would lie. The vertical axis is linear below α / 10.

    Args:
        table: From `activity_tables.activity_table`, one data set, depth and learning
            rate. Rows of the gradient's definition are drawn.

    Source: Li & Banerjee (2021), Figures 5 and 6, as numbers.
    """
    one_setting(table, "width")
    chosen = table.loc[table.definition == "gradient"]
    alphas = sorted(chosen.alpha.unique())
    fig, axes = panels(len(alphas), 2.5, sharex=True)
    for ax, alpha in zip(axes, alphas, strict=True):
        _layer_lines(chosen.loc[chosen.alpha == alpha], "frequency", ax)
        ax.axhline(alpha, **DOTTED)
        ax.set_yscale("symlog", linthresh=alpha / 10)
        ax.set_ylim(0, 100)
        ax.set_ylabel("active (% of epochs)")
        ax.set_title(f"α = {alpha} %", fontsize="medium")
    axes[0].legend(frameon=False, title="layer", fontsize="small")
    axes[-1].set_xlabel("width w")
    return fig


def _layer_lines(table: pd.DataFrame, value: str, ax: Axes) -> None:
    """Draw a column's means over width, in percent: a line and band per layer."""
    layers = sorted(table.layer.unique())
    for layer in layers:
        curve = over_seeds(table.loc[table.layer == layer], "width", value)
        color, label = layer_color(layer, len(layers)), layer_name(layer, len(layers))
        draw_means(ax, curve, color, label=label, marker="o")
    widths = sorted(table.width.unique())
    ax.set_xscale("log")
    ax.set_xticks(widths, [f"{width:,}" for width in widths])
    ax.xaxis.set_minor_locator(NullLocator())


def two_definitions(table: pd.DataFrame, ax: Axes) -> None:
    """Draw each layer's share of the active weights, by gradient and by movement.

    Bars are relative to the layer's size, so that 1 is an even spread; error bars are
    one standard error over seeds.

    Args:
        table: From `activity_tables.activity_table`, one width and one α.
        ax: Where to draw.
    """
    one_setting(table)
    kinds = {
        f"by {name}": over_seeds(
            table.loc[table.definition == name], "layer", "relative", scale=1
        )
        for name in DEFINITIONS
    }
    _layer_bars(kinds, ax)
    ax.axhline(1, **DOTTED)
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set_xlabel("layer")
    ax.set_ylabel("share of active / share of weights")


def _layer_bars(kinds: Mapping[str, pd.DataFrame], ax: Axes) -> None:
    """Draw two bars a layer, side by side: name → `over_seeds`, by layer."""
    for offset, (label, summary) in enumerate(kinds.items()):
        places = np.arange(len(summary)) + 0.4 * offset - 0.2
        color = (BLUE, ORANGE)[offset]
        error = summary.error
        ax.bar(places, summary["mean"], 0.38, yerr=error, color=color, label=label)
    layers = next(iter(kinds.values())).index
    ax.set_xticks(range(len(layers)), [layer_name(i, len(layers)) for i in layers])
    ax.legend(frameon=False)


def criticality_bars(table: pd.DataFrame, ax: Axes, *, alpha: int) -> None:
    """Draw accuracy lost by resetting a layer: all of it, or its active parameters.

    Args:
        table: From `activity_tables.criticality_table`, one width.
        ax: Where to draw.
        alpha: Which share of the network's parameters counts as active, in percent.
    """
    one_setting(table)
    whole, active = table.loc[table.alpha.isna()], table.loc[table.alpha == alpha]
    kinds = {
        "the whole layer": over_seeds(whole, "layer", "lost"),
        f"its active parameters (α = {alpha} %)": over_seeds(active, "layer", "lost"),
    }
    _layer_bars(kinds, ax)
    ax.set_xlabel("layer that is reset")
    ax.set_ylabel("accuracy lost (points)")


def criticality_lines(table: pd.DataFrame, ax: Axes) -> None:
    """Draw accuracy lost by resetting a whole layer, over width: a line per layer.

    Args:
        table: From `activity_tables.criticality_table`.
        ax: Where to draw.
    """
    one_setting(table, "width")
    _layer_lines(table.loc[table.alpha.isna()], "lost", ax)
    ax.set_xlabel("width w")
    ax.set_ylabel("accuracy lost (points)")
    ax.legend(frameon=False, title="layer", fontsize="small")
