"""Tables → axes. Nothing here trains, reads or writes."""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

TITLES = {
    "active": "γ-active: reset the most active",
    "lazy": "ε-lazy: keep only those",
}
SYMBOLS = {"active": "γ", "lazy": "ε"}
LOG_TICKS = (0, 0.001, 0.01, 0.1, 1, 10, 100)
SMALLEST = 0.001
"""Percent: the log axis is linear below it, so that 0 has a place."""


def width_color(width: int, widths: Sequence[int]) -> tuple[float, ...]:
    """Return a colour by rank: narrow dark, wide light, in any kind of vision."""
    ranks = sorted(set(widths))
    place = ranks.index(width) / max(1, len(ranks) - 1)
    return mpl.colormaps["viridis"](0.85 * place)


def over_seeds(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return mean, standard error and number of runs of `accuracy`, in percent."""
    grouped = table.groupby(by)["accuracy"]
    summary = pd.DataFrame({"mean": grouped.mean(), "error": grouped.sem()})
    return (100 * summary).fillna(0.0).assign(n=grouped.count())


def reinit_curves(table: pd.DataFrame, ax: Axes, *, scenario: str, scale: str) -> None:
    """Draw accuracy over the re-initialized share, a line and band per width.

    Args:
        table: From `tables.reinit_table`, one learning rate.
        ax: Where to draw.
        scenario: `active` or `lazy`.
        scale: `log` or `linear`, of the horizontal axis.

    Source: Li & Banerjee (2021), Figure 2.
    """
    chosen = table.loc[table.scenario == scenario]
    widths = sorted(chosen.width.unique())
    for width in widths:
        curve = over_seeds(chosen.loc[chosen.width == width], "fraction")
        percent = 100 * curve.index.to_numpy()
        color = width_color(width, widths)
        ax.plot(percent, curve["mean"], color=color, label=f"w = {width:,}")
        low, high = curve["mean"] - curve.error, curve["mean"] + curve.error
        ax.fill_between(percent, low, high, color=color, alpha=0.25, linewidth=0)
    ax.axhline(10, color="0.5", linewidth=0.8, linestyle=":")  # chance, ten classes
    if scale == "log":
        ax.set_xscale("symlog", linthresh=SMALLEST)
        ax.set_xticks(LOG_TICKS, [f"{tick:g}" for tick in LOG_TICKS])
        ax.minorticks_off()
    ax.set_xlim(0, 100)
    ax.set_ylim(0, 100)
    ax.set_xlabel(f"{SYMBOLS[scenario]} (% of all parameters)")
    ax.set_title(TITLES[scenario], fontsize="medium")


def reinit_figure(table: pd.DataFrame, *, scale: str) -> Figure:
    """Return both scenarios, one above the other; see `reinit_curves`."""
    fig, axes = plt.subplots(2, 1, figsize=(5.2, 6), layout="constrained")
    for ax, scenario in zip(axes, ("active", "lazy"), strict=True):
        reinit_curves(table, ax, scenario=scenario, scale=scale)
        ax.set_ylabel("test accuracy (%)")
    axes[0].legend(frameon=False, loc="lower left" if scale == "log" else "best")
    return fig


def reinit_frame(table: pd.DataFrame, fraction: float) -> Figure:
    """Return the γ-active curves with one γ picked out: what the slider shows.

    The strip on top is the whole network, its parameters ranked by movement: the
    coloured part is reset.
    """
    chosen = table.loc[table.scenario == "active"]
    widths = sorted(chosen.width.unique())
    fig, (strip, ax) = plt.subplots(
        2, 1, figsize=(5.2, 3.9), height_ratios=(1, 14), layout="constrained"
    )
    strip.barh(0, 100, color="0.85")
    strip.barh(0, 100 * fraction, color="tab:orange")
    strip.set_xlim(0, 100)
    strip.set_axis_off()
    strip.set_title(
        f"γ = {percent_label(fraction)} of the parameters reset", fontsize="medium"
    )
    reinit_curves(table, ax, scenario="active", scale="log")
    ax.set_title("")
    for line in ax.lines:
        line.set_alpha(0.45)
    for width in widths:
        value = accuracy_at(chosen, width, fraction)
        color = width_color(width, widths)
        label = f"w = {width:,}: {value:.0f} %"
        ax.plot(100 * fraction, value, "o", color=color, label=label, clip_on=False)
    ax.axvline(100 * fraction, color="tab:orange", linewidth=1)
    ax.set_ylabel("test accuracy (%)")
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[len(widths) :], labels[len(widths) :], frameon=False)
    return fig


def accuracy_at(chosen: pd.DataFrame, width: int, fraction: float) -> float:
    """Return the mean accuracy over seeds, in percent, at one width and fraction."""
    rows = chosen[(chosen.width == width) & (chosen.fraction == fraction)]
    return 100 * float(rows.accuracy.mean())


def percent_label(fraction: float) -> str:
    """Return a fraction as a percentage of two significant digits."""
    return f"{float(f'{100 * fraction:.2g}'):g} %"
