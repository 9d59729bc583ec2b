"""Figures of Layer-Wise Sparse training: what moves when, at what cost, how well.

Tables → axes, as in `plots`.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.ticker import MaxNLocator

from lazyrich_helpers.analysis.claims.lws_cells import cell_names
from lazyrich_helpers.analysis.figures.style import (
    BLUE,
    CHANCE,
    DASHES,
    DOTTED,
    LIGHT_BLUE,
    ORANGE,
    log_axis,
    shade,
)
from lazyrich_helpers.analysis.tables.statistics import half_bar
from lazyrich_helpers.analysis.tables.tidy import one_setting

UPDATED = ListedColormap(["#dfe3e8", BLUE])
ENDS = (ORANGE, "s")
LOOKS = {
    "full": ("black", "*"),
    "top_k_all_bottoms": (BLUE, "o"),
    "bottom_q": ("#7b4a12", "^"),
    "top_bottom": ENDS,
    "top_k_bottom_q": ENDS,
    "random_uniform": ("#3f7d3f", "^"),
    "random_beta": ("#5f8a10", "v"),
    "top_k": ("0.5", "v"),
    "middle": ("tab:red", "D"),
}
"""Kind of a schedule → colour and marker."""
BOTTOM_1 = ("#a65300", "D")
"""Of random schedules, those that add the lowest layer alone."""
OTHER = ("tab:purple", "P")


class Look(NamedTuple):
    """How the runs of one schedule are drawn."""

    color: str
    marker: str
    hollow: bool
    """Whether a random schedule always updates one layer, beside some with more."""

    @property
    def style(self) -> dict[str, Any]:
        """Of a scatter's markers."""
        face = "none" if self.hollow else self.color
        return {"marker": self.marker, "facecolors": face, "edgecolors": self.color}


def look(runs: pd.DataFrame) -> Look:
    """Return the look of the schedule of these runs, by its `updates`, `k` and `q`."""
    first = runs.iloc[0]
    usual = LOOKS.get(first.updates, OTHER)
    lowest = first.updates == "top_k_bottom_q" and first.q == 1
    color, marker = BOTTOM_1 if lowest else usual
    random = first.updates in ("top_k_all_bottoms", "top_k_bottom_q")
    return Look(color, marker, hollow=random and first.k == 1)


def layer_picture(updated: np.ndarray, ax: Axes) -> None:
    """Draw `updates.updated_layers`: a row per layer, 1 the bottom, below."""
    num_layers, num_epochs = updated.shape
    edges = (0.5, num_epochs + 0.5, 0.5, num_layers + 0.5)
    ax.imshow(
        updated, cmap=UPDATED, vmin=0, vmax=1, origin="lower", aspect="auto",
        extent=edges, interpolation="nearest",
    )  # fmt: skip
    ax.set_xlabel("epoch")
    ax.set_ylabel("layer")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def accuracy_bars(table: pd.DataFrame, ax: Axes) -> None:
    """Draw test accuracy by schedule, means over seeds with bars of `half_bar`.

    Of an `tables.lws.lws_table` of one width. The dotted line is full training's. Bars
    start at chance, one in ten.

    Source: Li & Banerjee (2021), Figures 7 and 10.
    """
    one_setting(table, "updates")
    names = cell_names(table)
    groups = table.groupby(names, sort=False)
    accuracy = (100 * table.test_accuracy).groupby(names, sort=False)
    means, halves = accuracy.mean(), accuracy.apply(half_bar)
    places = np.arange(len(means))[::-1]
    colors = [look(runs).color for _, runs in groups]
    ax.barh(places, means - CHANCE, left=CHANCE, xerr=halves, color=colors, height=0.7)
    for place, mean in zip(places, means, strict=True):
        x, color = max(mean, CHANCE) + 1.5, "black"
        if mean > 25:  # room for the number within the bar
            x, color = CHANCE + 0.5, "white"
        ax.text(x, place, f"{mean:.1f}", va="center", fontsize="small", color=color)
    if "full" in means.index:
        ax.axvline(means["full"], **DOTTED)
    ax.set_yticks(places, means.index)
    ax.set_xlim(CHANCE, 100)
    ax.set_xlabel("test accuracy (%)")


def error_against_cost(
    table: pd.DataFrame,
    ax: Axes,
    cost: str = "backward",
    label: str = "backward FLOPs / full training's",
) -> None:
    """Draw test error over cost: a marker per schedule, larger with its probability.

    Of an `tables.lws.lws_table` of one width; `cost` is a column of it, and `label`
    what the axis calls it. Of two schedules of a family, such as top 1 and top 4 all
    bottoms, the one with fewer layers is hollow. Bars over seeds are of `half_bar`.

    Source: Li & Banerjee (2021), Figures 9 and 12.
    """
    one_setting(table, "updates")
    for name, cells in table.groupby("schedule", sort=False):
        own = look(cells)
        for rho, cell in cells.groupby("rho", dropna=False):
            size = 40.0 if math.isnan(float(str(rho))) else 15 + 150 * float(str(rho))
            error = 100 * (1 - cell.test_accuracy)
            place = cell[cost].mean(), error.mean()
            ax.errorbar(*place, half_bar(error), color=own.color, linewidth=0.8)
            ax.scatter(*place, size, **own.style)
        ax.scatter([], [], 40, **own.style, label=str(name))
    ax.set_xlim(-0.02, 1.05)
    ax.set_xlabel(label)
    ax.set_ylabel("test error (%)")
    log_axis(ax)
    ax.legend(frameon=False, fontsize="small")


FAMILIES = {
    "top_k": "top layers",
    "bottom_q": "bottom layers",
    "top_bottom": "as many at either end",
    "middle": "all but the two ends",
    "full": "all",
}
"""Kind of a static schedule → what it trains."""


def static_error_against_cost(table: pd.DataFrame, ax: Axes) -> None:
    """Draw `error_against_cost` of static schedules, each family named once.

    Beside a marker stands the number of layers at an end.
    """
    error_against_cost(table, ax)
    for handle in ax.get_legend_handles_labels()[0]:
        own = table[table.schedule == handle.get_label()]
        handle.set_label(FAMILIES[own.updates.iloc[0]])
    placed: list[tuple[float, float]] = []
    for _, own in table.groupby("schedule"):
        cost, error = own.backward.mean(), 100 * (1 - own.test_accuracy.mean())
        close = sum(abs(cost - c) < 0.03 and 0.93 < error / e < 1.08 for c, e in placed)
        number = "".join(filter(str.isdigit, own.schedule.iloc[0]))[:1]
        offset = (5 + 6 * close, 2)  # beside the number of a marker below this one
        ax.annotate(number, (cost, error), offset, textcoords="offset points", size=7)
        placed.append((cost, error))


VALUES = {"error": "test error (%)", "train_loss": "training loss (nats)"}
"""Columns of a `tables.lws.dynamics_table` that change as training goes on."""


def courses(
    table: pd.DataFrame,
    ax: Axes,
    over: str = "spent",
    label: str = "backward FLOPs / full training's",
    value: str = "error",
) -> None:
    """Draw how trainings went: a line for each schedule and ρ, the mean over seeds.

    Of an `tables.lws.dynamics_table` of one width: `value`, one of `VALUES`, over what
    had been spent, another column, which the axis calls `label`.

    Source: Li & Banerjee (2021), Figure 23.
    """
    one_setting(table, "updates")
    seen = table.dropna(subset=value)
    names = list(dict.fromkeys(cell_names(seen)))
    for place, name in enumerate(names):
        epochs = seen[[each == name for each in cell_names(seen)]].groupby("epoch")
        color = "black" if name == "full" else shade(place, len(names))
        style: dict[str, Any] = {"color": color, "label": name}
        style["linestyle"] = DASHES[place % len(DASHES)]
        means = pd.DataFrame(epochs[[over, value]].mean())
        ax.plot(means[over], means[value], linewidth=1.2, **style)
    ax.set_xlabel(label)
    ax.set_ylabel(VALUES[value])
    log_axis(ax)


PHASE_COLORS = {
    "data": "0.5",
    "forward": LIGHT_BLUE,
    "backward": BLUE,
    "optimizer": ORANGE,
}


def phase_bars(table: pd.DataFrame, ax: Axes) -> None:
    """Draw where a step's time goes, a bar per plan; the mark is its operations' share.

    From `tables.timing.anatomy`; one of the plans is `full`.
    """
    places = np.arange(len(table))[::-1]
    left = np.zeros(len(table))
    for phase, color in PHASE_COLORS.items():
        style = {"color": color, "edgecolor": BLUE, "linewidth": 0.8}
        ax.barh(places, table[phase], left=left, label=phase, height=0.7, **style)
        left += table[phase].to_numpy()
    full = float(table.loc[table.plan == "full", "total"].sum())
    bounds = full * table.total_bound
    ax.plot(bounds, places, "|", color="black", markersize=12, label="by operations")
    ax.set_yticks(places, table.plan)
    ax.set_xlim(0, 1.05 * max(left.max(), full))
    ax.set_xlabel("milliseconds a step (median)")
    ax.legend(frameon=False, fontsize="small", ncols=3, loc="lower center",
              bbox_to_anchor=(0.45, 1))  # fmt: skip
