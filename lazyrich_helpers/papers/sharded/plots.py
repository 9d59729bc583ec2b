"""Figures of processes that share a network: tables in, axes drawn."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from lazyrich_helpers.analysis.figures.style import (
    BLUE,
    DASHES,
    DOTTED,
    MARKERS,
    log_axis,
    shade,
)

NAMES = {
    "dp": "data parallel (dp)",
    "fsdp": "sharded parameters (fsdp)",
    "tp": "tensor parallel (tp)",
    "2d": "2-D mesh (2d)",
}
"""Layouts as a figure says them."""


def _look(layout: Any, **other: Any) -> dict[str, Any]:
    """Return a layout's colour, dashes, marker and name, but for what is `other`."""
    place = list(NAMES).index(layout)
    look: dict[str, Any] = {"color": shade(place, len(NAMES))}
    look |= {"linestyle": DASHES[place], "linewidth": 1, "marker": MARKERS[place]}
    return look | {"label": NAMES[layout]} | other


def sent_by_share(table: pd.DataFrame, ax: Axes, num_steps: int) -> None:
    """Draw what a process sends in a step of `WIRE`, over full training's.

    Markers stand at the share of full-update steps that was drawn; lines: the formula.
    """
    for layout, rows in table.groupby("layouts", sort=False):
        full, share = rows.expected.iloc[-1], rows.num_full / num_steps
        ax.plot(rows.rho, rows.expected / full, **_look(layout, marker="", label=""))
        marks = _look(layout, linestyle="", markersize=5)
        ax.plot(share, rows.sent / full, **marks)
    ax.plot([0, 1], [0, 1], label="equal to that share", **DOTTED)
    ax.set_xlabel("share of steps that update all layers; ρ on average")
    ax.set(ylabel="bytes sent / full training’s", xlim=(-0.02, 1.02), ylim=(0, 1.05))


def differences(table: pd.DataFrame, ax: Axes, line: float) -> None:
    """Draw how far a network's losses are from one process's, a line each layout.

    Equal losses are drawn at the bottom.
    """
    smallest = 1e-17  # equal ones have a place on a log axis
    rounded: dict[str, Any] = {
        "color": "0.5",
        "linewidth": 1,
        "label": "one process, rounded anew",
    }
    for layout, rows in table.groupby("layout", sort=False):
        look = _look(layout, marker="") if layout in NAMES else rounded
        ax.plot(rows.epoch, rows.apart.clip(lower=smallest), **look)
    ax.axhline(line, **DOTTED)
    ax.set(yscale="log", ylim=(smallest / 3, 1))
    ax.set(xlabel="epoch", ylabel="difference (nats)")


def scaling(table: pd.DataFrame, ax: Axes, kind: str) -> None:
    """Draw images a second of two processes over one's, by width; dotted: no gain.

    Markers are medians over the rounds of `SCALING`, bars lead from the least to the
    most. Of `kind` `strong` the batch is shared, of `weak` each has as many images.
    """
    images = 2 if kind == "weak" else 1
    for layout, rows in table[table.kind == kind].groupby("layout", sort=False):
        # Tensor parallel has the whole batch in each process: it is as large.
        gains = (images * rows.alone / rows.shared).groupby(rows.widths)
        middle = gains.median()
        bars = [middle - gains.min(), gains.max() - middle]
        ax.errorbar(middle.index, middle, yerr=bars, markersize=4, **_look(layout))
    ax.axhline(1, **DOTTED)
    ax.set(xscale="log", yscale="log")
    widths = sorted(table.widths.unique())
    ax.set_xticks(widths, [f"{width:,}" for width in widths])
    ax.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    ax.minorticks_off()
    ax.set_xlabel("units, w")
    ax.set_title("batch shared (strong)" if kind == "strong" else "more images (weak)")


def on_paper(table: pd.DataFrame, axes: list[Axes], rho: float) -> None:
    """Draw a `model_table`'s milliseconds of a step over devices, a panel each network.

    `rho` is drawn beside full training, which is dashed.
    """
    for (network, rows), ax in zip(
        table.groupby("network", sort=False), axes, strict=True
    ):
        for own, dashes, label in (
            (1.0, DASHES[1], "full training"),
            (rho, "-", f"top 1 all bottoms, ρ = {rho:g}"),
        ):
            one = rows[rows.rho == own]
            total = 1000 * (one.computes + one.sends)
            ax.plot(one.devices, total, color=BLUE, linestyle=dashes, label=label)
        ax.plot(
            one.devices, 1000 * rows[rows.rho == 1].computes, color="0.5",
            linestyle=DASHES[3], linewidth=1, label="full training, arithmetic alone",
        )  # fmt: skip
        ax.set_xscale("log", base=2)
        log_axis(ax)
        ax.set_xticks([8, 64, 512], ["8", "64", "512"])
        ax.xaxis.minorticks_off()
        ax.set_title(f"{network} ({rows.layout.iloc[0]})", fontsize="small")
        ax.set_xlabel("devices")
    axes[0].set_ylabel("ms a step")
