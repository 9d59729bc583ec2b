"""Figures of where active parameters lie, and of which layers are critical.

Tables → axes, as in `plots`.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from lazyrich_helpers.analysis.activity_tables import DEFINITIONS, layer_name
from lazyrich_helpers.analysis.figure_style import (
    BLUE,
    DOTTED,
    MARKERS,
    ORANGE,
    draw_means,
    label_pairs,
    layer_color,
    pairs,
)
from lazyrich_helpers.analysis.statistics import over_seeds
from lazyrich_helpers.analysis.tables import one_setting


def over_representation(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Return how often layers' weights are active over width, relative to evenly.

    A panel per named table, two in a row, and a line per layer: its share of the active
    weights over its share of all weights, means over seeds in bands of 95 %
    intervals. The dotted line is an even spread; the axis is linear below a hundredth.

    Args:
        tables: Title → rows of an `activity_tables.activity_table` of one α, data set,
            depth and learning rate. Those of the gradient's definition are drawn.

    Source: Li & Banerjee (2021), Figures 5 and 6, as numbers.
    """
    fig, axes = pairs(len(tables), 2.6, sharey=True)
    for ax, (title, table) in zip(axes, tables.items(), strict=False):
        one_setting(table, "width")
        own = table.loc[table.definition == "gradient"]
        _layer_lines(own, "relative", ax, scale=1)
        ax.axhline(1, **DOTTED)
        ax.set_yscale("symlog", linthresh=0.01)
        ax.set_ylim(0, 200)
        ax.set_title(title, fontsize="medium")
        ax.set_xlabel("width w")
    label_pairs(axes, "active / even spread")
    return fig


def _layer_lines(
    table: pd.DataFrame, value: str, ax: Axes, *, scale: float = 100
) -> None:
    """Draw a column's means over width: a line with its number and band per layer."""
    layers = sorted(table.layer.unique())
    for layer in layers:
        rows = table.loc[table.layer == layer]
        curve = over_seeds(rows, "width", value, scale=scale)
        color, label = layer_color(layer, len(layers)), layer_name(layer, len(layers))
        marker = MARKERS[layer % len(MARKERS)]
        draw_means(ax, curve, color, label=label, marker=marker)
    widths = sorted(table.width.unique())
    ax.set_xscale("log")
    ax.set_xticks(widths, [f"{width:,}" for width in widths])
    ax.xaxis.set_minor_locator(NullLocator())


def two_definitions(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Return each layer's share of the active weights, by gradient and by movement.

    Of each `activity_tables.activity_table`, by title, of one width and α. Markers are
    relative to the layer's size, so that 1 is an even spread; error bars are 95 %
    intervals over seeds.
    """
    fig, axes = pairs(len(tables), 2.6, sharey=True)
    for ax, (title, table) in zip(axes, tables.items(), strict=False):
        one_setting(table)
        for place, name in enumerate(DEFINITIONS):
            rows = table.loc[table.definition == name]
            summary = over_seeds(rows, "layer", "relative", scale=1)
            places = summary.index + 0.2 * place - 0.1
            style = {"fmt": "so"[place], "color": (BLUE, ORANGE)[place], "capsize": 2}
            half = summary.high - summary["mean"]
            ax.errorbar(places, summary["mean"], half, label=name, **style)
        num_layers = table.layer.nunique()
        names = [layer_name(layer, num_layers) for layer in range(num_layers)]
        ax.set_xticks(range(num_layers), names)
        ax.axhline(1, **DOTTED)
        ax.set_yscale("symlog", linthresh=0.01)
        ax.set_ylim(0, 100)
        ax.set_title(title, fontsize="medium")
        ax.set_xlabel("layer")
    label_pairs(axes, "active / even spread")
    return fig


def layers_reset(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Return accuracy lost by resetting a whole layer over width: a line per layer.

    A panel for each `activity_tables.criticality_table`, by title.
    """
    fig, axes = pairs(len(tables), 2.6, sharey=True)
    for ax, (title, table) in zip(axes, tables.items(), strict=False):
        one_setting(table, "width")
        _layer_lines(table.loc[table.alpha.isna()], "lost", ax)
        ax.set_title(title, fontsize="medium")
        ax.set_xlabel("width w")
    label_pairs(axes, "accuracy lost (points)")
    return fig
