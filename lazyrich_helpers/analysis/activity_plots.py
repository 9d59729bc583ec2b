"""Figures of where active parameters lie, and of how unequal gradients are.

Tables → axes, as in `plots`.
"""

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from PIL import Image
from scipy import special

from lazyrich_helpers.analysis.activity_tables import DEFINITIONS, layer_name
from lazyrich_helpers.analysis.plots import DPI, draw_means, over_seeds
from lazyrich_helpers.analysis.tables import one_setting
from lazyrich_helpers.measures.gradient_concentration import ranks

SHADES = "cividis"
"""Dark where never active, light where always: the same in any kind of vision."""
MAP_ROOM, GAP = 4.25, 0.1
"""Inches for all layers side by side, and between two of them."""
GAUSSIAN_SHARE = math.exp(-(special.ndtri(0.995) ** 2) / 2)
"""Part of the sum of magnitudes of Gaussian numbers in their largest 1 %: with the
threshold t, the mean of |x| where |x| > t over the mean of |x| is exp(-t² / 2)."""
THINNEST, NARROWEST = 0.06, 0.2
"""Least height and width of a layer in inches: ten rows of a top layer must be seen."""
LOWEST = 0.6
"""Least height in inches of the highest layer."""


def layer_color(layer: int, num_layers: int) -> tuple[float, ...]:
    """Return a colour by height: the bottom dark, the top light."""
    return mpl.colormaps["plasma"](0.85 * layer / max(1, num_layers - 1))


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
    count = len(alphas)
    fig, axes = plt.subplots(
        count, 1, figsize=(5.2, 2.5 * count), sharex=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax, alpha in zip(axes[:, 0], alphas, strict=True):
        _layer_lines(chosen.loc[chosen.alpha == alpha], "frequency", ax)
        ax.axhline(alpha, color="0.5", linewidth=0.8, linestyle=":")
        ax.set_yscale("symlog", linthresh=alpha / 10)
        ax.set_ylim(0, 100)
        ax.set_ylabel("active (% of epochs)")
        ax.set_title(f"α = {alpha} %", fontsize="medium")
    axes[0, 0].legend(frameon=False, title="layer", fontsize="small")
    axes[-1, 0].set_xlabel("width w")
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


def rectangle_sizes(shapes: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """Return width and height, in inches, at which matrices (rows, columns) are drawn.

    One scale for all columns, and for all rows the same one, unless the highest would
    then be lower than `LOWEST`: then rows are stretched. What would still be too narrow
    or too thin to see gets the least size that can be seen, at the widest one's cost.
    """
    room = MAP_ROOM - GAP * (len(shapes) - 1)
    scale = room / sum(columns for _, columns in shapes)
    widths = np.array([columns * scale for _, columns in shapes])
    widths = np.maximum(widths, NARROWEST)
    widths[widths.argmax()] -= widths.sum() - room
    heights = np.array([rows * scale for rows, _ in shapes])
    heights *= max(1.0, LOWEST / heights.max())
    heights = np.maximum(heights, THINNEST)
    return list(zip(widths.tolist(), heights.tolist(), strict=True))


def heat_map_image(
    maps: Sequence[np.ndarray],
    shapes: Sequence[tuple[int, int]],
    alpha: int,
    *,
    least_height: float = 0.0,
) -> Image.Image:
    """Return one network's heat maps, a rectangle per layer, bottom first.

    They are to scale where `rectangle_sizes` can have them so.

    Args:
        maps: Per layer, how often its weights are active, 0 to 1, pooled, (rows,
            columns): outputs downwards, inputs to the right.
        shapes: Per layer, the weight matrix's own shape (out, in).
        alpha: In percent, for the title.
        least_height: In inches, so that several pictures can be of one size.

    Source: Li & Banerjee (2021), Figures 5 and 6.
    """
    sizes = rectangle_sizes(shapes)
    tallest = max(height for _, height in sizes)
    tall = max(tallest + 0.8, least_height)  # with a title and the layers' numbers
    figure = Figure(figsize=(5.2, tall), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    shades = ScalarMappable(Normalize(0, 100), SHADES)
    left, middle = 0.1, 0.3 + tallest / 2
    for index, (values, (width, height)) in enumerate(zip(maps, sizes, strict=True)):
        inches = (left, middle - height / 2, width, height)
        ax = figure.add_axes(np.divide(inches, (5.2, tall, 5.2, tall)).tolist())
        ax.imshow(100 * values, cmap=shades.cmap, vmin=0, vmax=100, aspect="auto")
        ax.set_xticks([])
        ax.set_yticks([])
        figure.text((left + width / 2) / 5.2, 0.1 / tall, str(index + 1), ha="center")
        left += width + GAP
    bar = figure.add_axes((0.87, 0.3 / tall, 0.015, tallest / tall))
    figure.colorbar(shades, cax=bar, ticks=[0, 50, 100], format="%d %%")
    listed = ", ".join(f"{rows}×{columns}" for rows, columns in shapes)
    figure.text(0.02, 1 - 0.2 / tall, f"α = {alpha} %; {listed}", fontsize="small")
    canvas.draw()
    return Image.fromarray(np.array(canvas.buffer_rgba())).convert("RGB")


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
    ax.axhline(1, color="0.5", linewidth=0.8, linestyle=":")
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set_xlabel("layer")
    ax.set_ylabel("share of active / share of weights")


def _layer_bars(kinds: Mapping[str, pd.DataFrame], ax: Axes) -> None:
    """Draw two bars a layer, side by side: name → `over_seeds`, by layer."""
    for offset, (label, summary) in enumerate(kinds.items()):
        places = np.arange(len(summary)) + 0.4 * offset - 0.2
        color = ("#21598b", "tab:orange")[offset]
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


def sorted_gradients(
    tables: Mapping[str, pd.DataFrame], yardstick: np.ndarray | None = None
) -> Figure:
    """Return sorted mini-batch gradients, two panels per network, a line per look.

    Magnitudes are relative to the largest. The axes are linear in the first panel, as
    the paper draws it, and logarithmic in the second; there a line ends where
    components are exactly zero.

    Args:
        tables: Network in words → its `activity_tables.gradient_table`.
        yardstick: Magnitudes (n,) in any order, drawn dashed for comparison.

    Source: Li & Banerjee (2021), Figure 1.
    """
    count = 2 * len(tables)
    fig, axes = plt.subplots(
        count, 1, figsize=(5.2, 2.6 * count), squeeze=False, layout="constrained"
    )
    for place, (name, table) in enumerate(tables.items()):
        for ax, scale in zip(axes[2 * place :, 0], ("linear", "log"), strict=False):
            ax.set_xscale(scale)
            ax.set_yscale(scale)
            _sorted_lines(table, ax)
            if scale == "log":
                ax.set_ylim(max(1e-8, ax.get_ylim()[0]), 1.5)
            if yardstick is not None:
                ordered = np.sort(yardstick)[::-1] / yardstick.max()
                chosen = np.array(ranks(len(ordered)))
                percent = 100 * chosen / len(ordered)
                ax.plot(percent, ordered[chosen - 1], "--", color="0.5", linewidth=1)
            ax.set_xlabel("rank (% of all components)")
            ax.set_ylabel("|gradient| / largest")
            ax.set_title(f"{name}, {scale} axes", fontsize="medium")
        axes[2 * place, 0].legend(frameon=False, fontsize="small")
    return fig


def _sorted_lines(table: pd.DataFrame, ax: Axes) -> None:
    epochs = sorted(table.epoch.unique())
    for place, epoch in enumerate(epochs):
        rows = table.loc[table.epoch == epoch]
        means = rows.groupby("rank").magnitude.mean()
        share = (means / means.iloc[0]).where(means > 0)
        percent = 100 * means.index.to_numpy() / rows.num_parameters.iloc[0]
        color = mpl.colormaps["viridis"](0.85 * place / max(1, len(epochs) - 1))
        label = "at initialization" if epoch == 0 else f"after epoch {epoch}"
        ax.plot(percent, share, color=color, label=label)


def skew_by_layer(tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> Figure:
    """Return what the largest 1 % of each layer's components hold, a panel per network.

    Bars are at the last look, means over seeds, with one standard error. The dashed
    line is the same share in the network as a whole; the dotted one is that of
    independent Gaussian numbers.

    Args:
        tables: Network in words → its `activity_tables.layer_skew_table` and
            `skew_table`.
    """
    count = len(tables)
    fig, axes = plt.subplots(
        count, 1, figsize=(5.2, 2.6 * count), squeeze=False, layout="constrained"
    )
    for ax, (name, (layers, whole)) in zip(axes[:, 0], tables.items(), strict=True):
        last = layers.loc[(layers.epoch == layers.epoch.max()) & (layers.percent == 1)]
        groups = 100 * last.set_index("layer").l1
        groups = groups.groupby("layer")
        num_layers = last.layer.max() + 1
        colors = [layer_color(i, num_layers) for i in range(num_layers)]
        ax.bar(range(num_layers), groups.mean(), yerr=groups.sem(), color=colors)
        in_whole = whole.loc[(whole.epoch == last.epoch.max()) & (whole.percent == 1)]
        ax.axhline(
            100 * in_whole.l1.mean(), color="0.3", linestyle="--", label="whole network"
        )
        ax.axhline(
            100 * GAUSSIAN_SHARE, color="0.5", linestyle=":", label="Gaussian numbers"
        )
        ax.set_xticks(range(num_layers), [str(i + 1) for i in range(num_layers)])
        ax.set_xlabel("layer, bottom to top")
        ax.set_ylabel("held by its largest 1 % (%)")
        ax.set_title(name, fontsize="medium")
        ax.legend(frameon=False, fontsize="small")
    return fig
