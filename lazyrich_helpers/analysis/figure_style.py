"""What all figures share: size, colours, lines over seeds."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DPI = 110
WIDTH = 5.2
"""Inches: what a page has room for."""
BLUE, LIGHT_BLUE, ORANGE = "#21598b", "#a9cbe6", "tab:orange"
DOTTED: dict[str, Any] = {"color": "0.5", "linewidth": 0.8, "linestyle": ":"}
"""How a line to compare with is drawn, such as chance."""
CHANCE = 10
"""Percent, of ten classes."""


def shade(place: int, count: int, shades: str = "viridis") -> tuple[float, ...]:
    """Return a colour by place: the first dark, the last light, in any vision."""
    return mpl.colormaps[shades](0.85 * place / max(1, count - 1))


def width_color(width: int, widths: Sequence[int]) -> tuple[float, ...]:
    """Return a colour by rank: narrow dark, wide light."""
    ranks = sorted(set(widths))
    return shade(ranks.index(width), len(ranks))


def layer_color(layer: int, num_layers: int) -> tuple[float, ...]:
    """Return a colour by height: the bottom dark, the top light."""
    return shade(layer, num_layers, "plasma")


def panels(count: int, height: float, *, sharex: bool = False) -> tuple[Figure, Any]:
    """Return a figure of panels, one above the other, each so many inches high."""
    size = (WIDTH, height * count)
    fig, axes = plt.subplots(
        count, 1, figsize=size, sharex=sharex, squeeze=False, layout="constrained"
    )
    return fig, axes[:, 0]


def draw_means(
    ax: Axes,
    summary: pd.DataFrame,
    color: tuple[float, ...],
    *,
    label: str = "",
    marker: str = "",
) -> None:
    """Draw a line through means over seeds, in a band of one standard error.

    Args:
        ax: Where to draw.
        summary: From `statistics.over_seeds`.
        color: Of both.
        label: Without one the legend leaves it out.
        marker: Of each mean.
    """
    mean, error = summary["mean"], summary.error
    ax.plot(mean, marker=marker, markersize=4, color=color, label=label)
    ax.fill_between(
        summary.index, mean - error, mean + error, color=color, alpha=0.25, linewidth=0
    )
