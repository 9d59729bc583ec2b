"""What all figures share: size, colours, lines over seeds."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

DPI = 110
WIDTH = 5.2
"""Inches: what a page has room for."""
BLUE, LIGHT_BLUE, ORANGE = "#21598b", "#a9cbe6", "tab:orange"
DOTTED: dict[str, Any] = {"color": "0.5", "linewidth": 0.8, "linestyle": ":"}
"""How a line to compare with is drawn, such as chance."""
CHANCE = 10
"""Percent, of ten classes."""
GROUNDS = ("#ffffff", "#14181e")
"""What lines are seen on: a page in light mode and, darkest, in dark mode."""
CONTRAST = 3.0
"""Least contrast of a line with its ground (WCAG 2.2, criterion 1.4.11)."""


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


def on_grounds(color: Any) -> list[str]:
    """Return a colour as it is drawn on each of `GROUNDS`, as hex.

    It is made no darker or lighter than gives it `CONTRAST`.
    """
    own, found = np.array(to_rgb(color)), []
    for ground in GROUNDS:
        goal = 0.0 if _luminance(ground) > 0.5 else 1.0  # black or white
        mixes = [tuple((own * (50 - step) + goal * step) / 50) for step in range(51)]
        found += [to_hex(mix) for mix in mixes if contrast(mix, ground) >= CONTRAST][:1]
    return found


def contrast(one: Any, two: Any) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted([_luminance(one), _luminance(two)])
    return (high + 0.05) / (low + 0.05)


def _luminance(color: Any) -> float:
    parts = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in to_rgb(color)
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
