"""Figures of gradients, of where active parameters lie, and of critical layers.

Tables → axes, as in `plots`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from lazyrich_helpers.analysis.figures.style import (
    BLUE,
    DOTS,
    DOTTED,
    ORANGE,
    OUTLINED,
    draw_lines,
    label_pairs,
    layer_color,
    pairs,
    shade,
)
from lazyrich_helpers.analysis.tables.activity import DEFINITIONS, layer_name
from lazyrich_helpers.analysis.tables.statistics import half_bar, over_seeds
from lazyrich_helpers.analysis.tables.tidy import one_setting
from lazyrich_helpers.measures.gradient_concentration import ranks


def sorted_gradients(
    tables: Mapping[str, pd.DataFrame], yardstick: np.ndarray | None = None
) -> Figure:
    """Return sorted mini-batch gradients, two panels per network, a line per look.

    Magnitudes are relative to the largest. The axes are linear in the first panel, as
    the paper draws it, and logarithmic in the second; there a line ends where
    components are exactly zero.

    Args:
        tables: Network in words → its `tables.activity.gradient_table`.
        yardstick: Magnitudes (n,) in any order, drawn dashed for comparison.

    Source: Li & Banerjee (2021), Figure 1.
    """
    fig, axes = pairs(2 * len(tables), 2.8)
    for place, (name, table) in enumerate(tables.items()):
        for ax, scale in zip(axes[2 * place :], ("linear", "log"), strict=False):
            ax.set_xscale(scale)
            ax.set_yscale(scale)
            _sorted_lines(table, ax)
            if scale == "log":
                ax.set_ylim(max(1e-8, ax.get_ylim()[0]), 1.5)
            if yardstick is not None:
                ordered = np.sort(yardstick)[::-1] / yardstick.max()
                chosen = np.array(ranks(len(ordered)))
                percent = 100 * chosen / len(ordered)
                style = {"color": "0.5", "linewidth": 1}
                label = "products of Gaussians"
                ax.plot(percent, ordered[chosen - 1], "--", label=label, **style)
            ax.set_xlabel("rank (% of all components)")
            ax.set_title(f"{name}, {scale} axes", fontsize="medium")
    label_pairs(axes, "|gradient| / largest", columns=2)
    return fig


def _sorted_lines(table: pd.DataFrame, ax: Axes) -> None:
    epochs = sorted(table.epoch.unique())
    for place, epoch in enumerate(epochs):
        rows = table.loc[table.epoch == epoch]
        means = rows.groupby("rank").magnitude.mean()
        share = (means / means.iloc[0]).where(means > 0)
        percent = 100 * means.index.to_numpy() / rows.num_parameters.iloc[0]
        color = shade(place, len(epochs))
        label = "at initialization" if epoch == 0 else f"after epoch {epoch}"
        ax.plot(percent, share, color=color, label=label)


def skew_by_layer(
    tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]], chance: float
) -> Figure:
    """Return what the largest 1 % of each layer's components hold, a panel per network.

    By network, from its `tables.activity.layer_skew_table` and `skew_table`. Bars are
    at the last look, means over seeds, with 95 % intervals. The dashed line is the same
    share in the network as a whole, the dotted one that of products of two Gaussian
    numbers, `chance`, 0 to 1.
    """
    fig, axes = pairs(len(tables), 2.6, sharey=True)
    for ax, (name, (layers, whole)) in zip(axes, tables.items(), strict=True):
        last = layers.loc[(layers.epoch == layers.epoch.max()) & (layers.percent == 1)]
        groups = 100 * last.set_index("layer").l1
        groups = groups.groupby("layer")
        num_layers = last.layer.max() + 1
        half = groups.apply(half_bar)
        ax.bar(range(num_layers), groups.mean(), yerr=half, **OUTLINED)
        in_whole = whole.loc[(whole.epoch == last.epoch.max()) & (whole.percent == 1)]
        network = 100 * in_whole.l1.mean()
        ax.axhline(network, color=BLUE, linestyle="--", label="whole network")
        label = "products of Gaussians"
        ax.axhline(100 * chance, color="0.3", linestyle=DOTS, label=label)
        ax.set_xticks(range(num_layers), [str(i + 1) for i in range(num_layers)])
        ax.set_xlabel("layer, lowest to top")
        ax.set_title(name, fontsize="medium")
    label_pairs(axes, "held by its largest 1 % (%)")
    return fig


def over_representation(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Return how often layers' weights are active over width, relative to evenly.

    A panel per named `tables.activity.activity_table`, each of one α, data set, depth
    and learning rate, and a line per layer: its share of the active weights, by the
    gradient, over its share of all weights, means over seeds in bands of 95 %
    intervals. The dotted line is an even spread; the axis is linear below a hundredth.

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
    num = table.layer.nunique()
    draw_lines(
        ax, table, "width", value, "layer", keys=range(num), looks=("marker",),
        label=lambda layer: layer_name(layer, num),
        color=lambda layer: layer_color(layer, num), scale=scale,
    )  # fmt: skip
    widths = sorted(table.width.unique())
    ax.set_xscale("log")
    ax.set_xticks(widths, [f"{width:,}" for width in widths])
    ax.xaxis.set_minor_locator(NullLocator())


def two_definitions(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Return each layer's share of the active weights, by gradient and by movement.

    Of each `tables.activity.activity_table`, by title, of one width and α. Markers are
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

    A panel for each `tables.activity.criticality_table`, by title.
    """
    fig, axes = pairs(len(tables), 2.6, sharey=True)
    for ax, (title, table) in zip(axes, tables.items(), strict=False):
        one_setting(table, "width")
        _layer_lines(table.loc[table.alpha.isna()], "lost", ax)
        ax.set_title(title, fontsize="medium")
        ax.set_xlabel("width w")
    label_pairs(axes, "accuracy lost (points)")
    return fig
