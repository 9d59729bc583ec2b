"""What all figures share: size, colours, lines over seeds."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from lazyrich_helpers.analysis.tables.statistics import over_seeds

DPI = 220
"""Twice a page's, for screens that have them."""
WIDTH = 6.8
"""Inches: what a page has room for. All figures are as wide."""
ROOM = 105
"""Letters in a line of that width."""
BLUE, LIGHT_BLUE, ORANGE = "#21598b", "#a9cbe6", "#b34700"
OUTLINED: dict[str, Any] = {"color": LIGHT_BLUE, "edgecolor": BLUE, "linewidth": 0.8}
"""A light bar, whose outline stands out from white."""
DOTS: Any = (0, (1, 2.5))
"""Wider apart than matplotlib's, which look like a line."""
DOTTED: dict[str, Any] = {"color": "0.4", "linewidth": 1.1, "linestyle": DOTS}
"""How a line to compare with is drawn, such as chance."""
CHANCE = 10
"""Percent, of ten classes."""
SHADES = LinearSegmentedColormap.from_list(
    "lazyrich", ["#5b2a86", "#2166ac", "#01847a", "#857000", "#c2410c"]
)
"""Every colour of it has a contrast of more than 4.5 to white, and, inverted, to
black; a line is told by its label as well."""
NARROWEST, WIDEST = 10, 100_000
"""Widths at either end of `SHADES`."""
DASHES = ("-", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)), "-.")
"""Tell lines apart where colours do not, in turn."""
MARKERS = "os^Dv<>P*X"
RC: Any = {
    "figure.dpi": DPI,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}
GROUNDS = ("#ffffff", "#14181e")
"""What lines are seen on: a page in light mode and, darkest, in dark mode."""
CONTRAST = 3.0
"""Least contrast of a line with its ground (WCAG 2.2, criterion 1.4.11)."""


def shade(place: int, count: int) -> tuple[float, ...]:
    """Return a colour by place, for lines that have an order."""
    return SHADES(place / max(1, count - 1))


def width_color(width: int) -> tuple[float, ...]:
    """Return the colour that a width has in the whole book."""
    decades = np.log10(WIDEST / NARROWEST)
    return SHADES(float(np.log10(width / NARROWEST) / decades))


def layer_color(layer: int, num_layers: int) -> tuple[float, ...]:
    """Return a colour by height: the lowest layer's first."""
    return shade(layer, num_layers)


def pairs(
    count: int, height: float, columns: int = 2, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure of so many panels, two in a row, each so many inches high."""
    columns = min(count, columns)
    rows = math.ceil(count / columns)
    fig, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, height * rows), squeeze=False,
        layout="constrained", **shared,
    )  # fmt: skip
    for left_over in axes.flat[count:]:
        left_over.set_axis_off()
    return fig, list(axes.flat[:count])


def label_pairs(axes: list[Axes], label: str, *, columns: int = 3) -> None:
    """Say what a figure of `pairs` shows, and under each panel what its lines are."""
    for place, ax in enumerate(axes):
        ax.set_ylabel("" if place % 2 else label)
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.26), ncols=columns,
            fontsize="small",
        )  # fmt: skip


def draw_means(
    ax: Axes,
    summary: pd.DataFrame,
    color: tuple[float, ...],
    *,
    label: str = "",
    marker: str = "",
    dashes: Any = "-",
) -> None:
    """Draw a line through means from `statistics.over_seeds`, in a band of their bars.

    Without a label the legend leaves it out; `dashes` is one of `DASHES`.
    """
    style = {"marker": marker, "markersize": 4, "linestyle": dashes}
    ax.plot(summary["mean"], color=color, label=label, **style)
    ends = summary.low, summary.high
    ax.fill_between(summary.index, *ends, color=color, alpha=0.2, linewidth=0)


def draw_lines(
    ax: Axes,
    table: pd.DataFrame,
    over: str,
    value: str,
    by: str,
    *,
    label: str | Callable[[Any], str],
    keys: Sequence[Any] = (),
    color: Callable[[int], Any] | None = None,
    looks: Sequence[str] = ("marker", "dashes"),
    scale: float = 1,
    geometric: bool = False,
) -> None:
    """Draw means over seeds of `value` over `over`, a line for each value of `by`.

    `keys` are all those values where a panel lacks some; lines are told apart by
    `looks`, beside their colour: by place, or by `color` of the value.
    """
    keys = list(keys or dict.fromkeys(table[by]))
    each = {"marker": MARKERS, "dashes": DASHES}
    for place, key in enumerate(keys):
        own = table.loc[table[by] == key]
        draw_means(
            ax,
            over_seeds(own, over, value, scale=scale, geometric=geometric),
            color(key) if color else shade(place, len(keys)),
            label=label.format(key) if isinstance(label, str) else label(key),
            **{name: each[name][place % len(each[name])] for name in looks},
        )


def log_axis(ax: Axes) -> None:
    """Let what is drawn upwards be read near zero, in whole numbers where it can."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    if high < 1000 * low:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())


def legend_above(figure: Figure) -> None:
    """Name what is drawn in all panels of a figure, once, above and not in them."""
    for own in filter(None, (panel.get_legend() for panel in figure.axes)):
        own.remove()
    found = named_in(figure)
    ncols = ROOM // (max(map(len, found), default=0) + 8)  # beside its line or marker
    figure.legend(found.values(), found, loc="outside upper center", ncols=ncols)


def named_in(figure: Figure) -> dict[str, Any]:
    """Return what is drawn in all panels of a figure, by its label, each once."""
    named = [panel.get_legend_handles_labels() for panel in figure.axes]
    return {
        label: handle for each in named for handle, label in zip(*each, strict=True)
    }


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
