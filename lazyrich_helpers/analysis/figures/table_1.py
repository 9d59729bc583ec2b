"""Figures of the paper's Table 1: its numbers beside ours, its times beside FLOPs.

Source: Li & Banerjee (2021), Table 1.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from lazyrich_helpers.analysis.claims.lws_cells import cell_names
from lazyrich_helpers.analysis.figures.lws import look
from lazyrich_helpers.analysis.figures.style import (
    BLUE,
    DASHES,
    DOTTED,
    MARKERS,
    ORANGE,
    shade,
)


def dumbbells(
    both: pd.DataFrame, ax: Axes, paper: str, ours: str, seeds: pd.DataFrame
) -> None:
    """Draw the paper's numbers beside ours: a row per schedule and ρ.

    Args:
        both: From `tables.lws.beside_paper`; a row without ours has the paper's alone.
        ax: Where to draw.
        paper: Column of the paper's numbers.
        ours: Column of ours, means over seeds.
        seeds: Single runs, with columns `schedule`, `rho` and that of `ours`.
    """
    names = cell_names(both)
    places = dict(zip(names, range(len(names), 0, -1), strict=True))
    height = list(places.values())
    ax.hlines(height, both[paper], both[ours], color="0.5", linewidth=1)
    shown = seeds.assign(place=[places.get(name) for name in cell_names(seeds)])
    ax.scatter(shown[ours], shown.place, 50, "0.3", marker="|", label="our seeds")
    ax.scatter(both[ours], height, 28, BLUE, label="ours, mean")
    style: dict[str, Any] = {"facecolors": "white", "edgecolors": ORANGE}
    ax.scatter(both[paper], height, 28, **style, marker="D", label="the paper's")
    ax.set_yticks(height, names)
    ax.tick_params(axis="y", length=0)


def lost_over_rho(
    starts: Mapping[str, pd.DataFrame], paper: pd.DataFrame, schedule: str, ax: Axes
) -> None:
    """Draw what a schedule loses at each ρ, in points, a line for each start's means.

    By start, in words, from its `tables.lws.lws_table`; `paper` is another, of the
    paper's numbers, without seeds.
    """
    for place, (start, runs) in enumerate(starts.items()):
        own = runs.loc[(runs.schedule == schedule) & runs.lost.notna()]
        if own.empty:
            continue
        style: dict[str, Any] = {
            "color": shade(place, len(starts)), "marker": MARKERS[place]
        }  # fmt: skip
        ax.scatter(own.rho, 100 * own.lost, 12, alpha=0.5, **style)
        means = 100 * own.groupby("rho").lost.mean()
        ax.plot(means, linestyle=DASHES[place], markersize=5, label=start, **style)
    rows = paper.loc[paper.schedule == schedule].sort_values("rho")
    style = {"color": ORANGE, "marker": "D", "markerfacecolor": "white"}
    ax.plot(rows.rho, 100 * rows.lost, **DOTTED | style, label="the paper's, ImageNet")
    ax.axhline(0, **DOTTED)
    ax.set_title(schedule)
    ax.set_xlabel("probability ρ")


def times_against_operations(table: pd.DataFrame, ax: Axes) -> None:
    """Draw a recorded ratio of times over the ratio of operations, a marker per cell.

    Of columns `schedule`, `updates`, `k`, `q`, `ratio` and `backward`.
    """
    ax.plot([0, 1], [0, 1], **DOTTED)
    for name, cells in table.groupby("schedule", sort=False):
        style = look(cells).style
        ax.scatter(cells.backward, cells.ratio, 30, **style, label=str(name))
    ax.set_xlim(0, 1.05)
    ax.set_ylim(0, 1.05)
    ax.set_xlabel("backward FLOPs / full training's")
    ax.set_ylabel("back-propagation time / full's")
