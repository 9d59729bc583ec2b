"""The effects that the paper's main claims are about, with intervals: a forest plot."""

import textwrap
from collections.abc import Sequence
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lazyrich_helpers.analysis.claims.headlines import ask
from lazyrich_helpers.analysis.claims.lws_cells import lost
from lazyrich_helpers.analysis.claims.question import PAPER, TUNED, Question
from lazyrich_helpers.analysis.claims.reinit import A1, A2, SUFFICES, WORST
from lazyrich_helpers.analysis.claims.verdicts import widths_of
from lazyrich_helpers.analysis.figures.style import BLUE, ORANGE, WIDTH, named_in
from lazyrich_helpers.analysis.tables import reinit_effects as effects
from lazyrich_helpers.analysis.tables.lws import lws_table
from lazyrich_helpers.analysis.tables.statistics import confidence_interval
from lazyrich_helpers.analysis.tables.tidy import reinit_table

REINIT = {
    f"lost by resetting the {A1.asks['share']} most active": (
        A1.asks["line"],
        partial(effects.lost, share=A1.asks["share"]),
    ),
    "gained from the worst γ to γ = 100 %": (
        A2.asks["rise"],
        partial(effects.rise, **WORST),
    ),
    f"lost by keeping only the {SUFFICES[1].asks['share']} most active": (
        SUFFICES[1].asks["line"],
        partial(effects.short_of_trained, share=SUFFICES[1].asks["share"]),
    ),
}
"""Effect of re-initialization, in points → the line asked for, and what computes it."""
WIDTHS = (10, 100, 1000, 5000)
"""Those that a figure has room for."""
LWS = "lost with all bottoms at ρ = 0.1"
SPARSE = {
    "VGG-5, w = 16": ("E1", "VGG-5 w = 16, MNIST", TUNED),
    "VGG-5, w = 64": ("E1", "VGG-5 w = 64, MNIST", TUNED),
    "VGG-11, w = 16": ("E2", "VGG-11 w = 16, CIFAR-10", PAPER),
}
"""What is trained → the question that has its runs."""


def key_effects(found: Sequence[Question]) -> pd.DataFrame:
    """Return one row per effect and network, in points.

    Columns: `effect`; `line` that is asked for; `network`; `setting`; `mean`; `half`,
    half the width of the 95 % interval over seeds, infinite for one; and `n`.
    """
    rows = []
    for depth in (1, 4):
        for setting in (PAPER, TUNED):
            if (depth, setting) == (4, PAPER):  # at that rate it hardly trains
                continue
            about = f"ReLU-Net d = {depth}, MNIST"
            table = reinit_table(ask(found, "A1", about, setting).runs.records)
            for name, (line, effect) in REINIT.items():
                for width in sorted({*widths_of(table)} & {*WIDTHS}):
                    network = f"d = {depth}, w = {width:,}"
                    points = effect(table, width)
                    rows.append((name, line, network, setting, points))
    for name, key in SPARSE.items():
        table = lws_table(ask(found, *key).runs.records)
        for k in (1, 4):
            points = lost(table, f"top {k} all bottoms, ρ 0.1")
            rows.append((LWS, A1.asks["line"], f"{name}, top {k}", key[2], points))
    names = ["effect", "line", "network", "setting"]
    table = pd.DataFrame([row[:4] for row in rows], columns=names)
    table[["mean", "half"]] = [confidence_interval(row[4]) for row in rows]
    return table.assign(n=[row[4].notna().sum() for row in rows])


def forest_figure(table: pd.DataFrame) -> Figure:
    """Draw every effect of `key_effects`; the scale is linear up to one point."""
    fig = plt.figure(figsize=(WIDTH, 5.2), layout="constrained")
    grid = fig.add_gridspec(2, len(REINIT), height_ratios=[1, 0.75])
    first = None
    for place, name in enumerate(REINIT):
        ax = first = fig.add_subplot(grid[0, place], sharey=first)
        forest(table.loc[table.effect == name], ax)
        title = textwrap.fill(name.replace(" %", "\u00a0%"), 25)
        ax.set_title(title, fontsize="medium", loc="left")
        ax.tick_params(labelleft=place == 0)
    ax = fig.add_subplot(grid[1, :])
    forest(table.loc[table.effect == LWS], ax)
    ax.set_title(LWS, fontsize="medium", loc="left")
    ax.set_xlabel("points of test accuracy")
    handles = named_in(fig)
    fig.legend(handles.values(), handles, loc="outside lower center", ncols=3)
    return fig


def forest(rows: pd.DataFrame, ax: Axes) -> None:
    """Draw one effect of `key_effects`: a row per network, the first one uppermost.

    An interval per setting, and the line asked for.
    """
    networks = list(dict.fromkeys(rows.network))
    marks = {PAPER: (ORANGE, "s", -0.15), TUNED: (BLUE, "o", 0.15)}
    line = {"color": "0.3", "linewidth": 0.9, "linestyle": "--"}
    ax.axvline(rows.line.iloc[0], label="our threshold", **line)
    for setting, own in rows.groupby("setting"):
        color, marker, shift = marks[str(setting)]
        places = [networks.index(name) + shift for name in own.network]
        half = own.half.where(own.half < float("inf"), 0)
        style = {"color": color, "fmt": marker, "markersize": 4, "linewidth": 1.2}
        label = f"{setting} learning rate"
        ax.errorbar(own["mean"], places, xerr=half, label=label, **style)
    ax.set_yticks(range(len(networks)), networks)
    ax.set_ylim(len(networks) - 0.5, -0.5)
    ax.set_xscale("symlog", linthresh=1)
    falls = bool((rows["mean"] < -10).any())
    ticks = (-10, 0, 10) if falls else (-1, 0, 1, 10, 100)
    ax.set_xticks(ticks, [str(tick).replace("-", "−") for tick in ticks])
    ax.set_xlim(-100 if falls else -2, 100)  # a longer interval is cut off
    ax.grid(axis="x", linewidth=0.4, color="0.85")
