"""Figures of processes that share a network: tables in, axes drawn."""

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


def sent_by_share(table: pd.DataFrame, ax: Axes, num_steps: int) -> None:
    """Draw what a process sends in a step, over full training's; lines: the formula.

    Markers stand at the share of full-update steps that was drawn.

    Args:
        table: Of `sharded.WIRE`, with `layouts`, `rho`, `sent`, `formula`, `expected`.
        ax: Where to draw.
        num_steps: Counted at each ρ.
    """
    layouts = list(NAMES)
    for layout, rows in table.groupby("layouts", sort=False):
        place = layouts.index(str(layout))
        color, full = shade(place, len(layouts)), rows.expected.iloc[-1]
        style = {"color": color, "linestyle": DASHES[place], "linewidth": 1}
        ax.plot(rows.rho, rows.expected / full, **style)
        ax.plot(
            rows.num_full / num_steps, rows.sent / full, MARKERS[place], color=color,
            markersize=5, label=NAMES[str(layout)],
        )  # fmt: skip
    ax.plot([0, 1], [0, 1], label="equal to that share", **DOTTED)
    ax.set_xlabel("share of steps that update all layers; ρ on average")
    ax.set_ylabel("bytes sent / full training’s")
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(0, 1.05)


def differences(table: pd.DataFrame, ax: Axes, line: float) -> None:
    """Draw how far a network's losses are from one process's, a line each layout.

    Equal losses are drawn at the bottom.
    """
    layouts = list(NAMES)
    smallest = 1e-17  # equal ones have a place on a log axis
    for layout, rows in table.groupby("layout", sort=False):
        color, dashes, label = "0.5", "-", "one process, rounded anew"
        if layout in layouts:
            place = layouts.index(str(layout))
            color, dashes, label = shade(place, 4), DASHES[place], NAMES[str(layout)]
        ax.plot(
            rows.epoch, rows.apart.clip(lower=smallest), color=color,
            linestyle=dashes, linewidth=1, label=label,
        )  # fmt: skip
    ax.axhline(line, **DOTTED)
    ax.set_yscale("log")
    ax.set_ylim(smallest / 3, 1)
    ax.set_xlabel("epoch")
    ax.set_ylabel("difference (nats)")


def scaling(table: pd.DataFrame, ax: Axes, kind: str) -> None:
    """Draw images a second of two processes over one's, by width; dotted: no gain.

    Markers are medians over rounds, bars lead from the least to the most.

    Args:
        table: Of `sharded.SCALING`; several rows of a width are its rounds.
        ax: Where to draw.
        kind: `strong`, the batch is shared, or `weak`, each has as many images.
    """
    layouts = list(NAMES)
    images = 2 if kind == "weak" else 1
    for layout, rows in table[table.kind == kind].groupby("layout", sort=False):
        place = layouts.index(str(layout))
        # Tensor parallel has the whole batch in each process: it is as large.
        gains = (images * rows.alone / rows.shared).groupby(rows.widths)
        middle = gains.median()
        ax.errorbar(
            middle.index, middle, yerr=[middle - gains.min(), gains.max() - middle],
            marker=MARKERS[place], markersize=4, linestyle=DASHES[place], linewidth=1,
            color=shade(place, len(layouts)), label=NAMES[str(layout)],
        )  # fmt: skip
    ax.axhline(1, **DOTTED)
    ax.set_xscale("log")
    ax.set_yscale("log")
    widths = sorted(table.widths.unique())
    ax.set_xticks(widths, [f"{width:,}" for width in widths])
    ax.set_xticks([], minor=True)
    ax.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    ax.set_yticks([], minor=True)
    ax.set_xlabel("units, w")
    ax.set_title("batch shared (strong)" if kind == "strong" else "more images (weak)")


def on_paper(table: pd.DataFrame, axes: list[Axes], rho: float) -> None:
    """Draw the model's milliseconds of a step over devices, a panel each network.

    Args:
        table: From `sharded_model.model_table`.
        axes: As many as networks.
        rho: Drawn beside full training, which is dashed.
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
        ax.set_xticks([], minor=True)
        ax.set_title(f"{network} ({rows.layout.iloc[0]})", fontsize="small")
        ax.set_xlabel("devices")
    axes[0].set_ylabel("ms a step")
