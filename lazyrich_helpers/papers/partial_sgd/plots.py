"""Figures of masked training with partial gradients."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lazyrich_helpers.analysis.figures.style import (
    BLUE,
    DASHES,
    DOTTED,
    ORANGE,
    WIDTH,
    draw_lines,
    legend_above,
    pairs,
)
from lazyrich_helpers.papers.partial_sgd.entries import ENTRIES
from lazyrich_helpers.papers.partial_sgd.tables import MATCHED, final_table

COLUMNS = {
    "accuracy": "test accuracy (%)",
    "flops": "FLOPs / SGD's",
    "time": "CPU time / SGD's",
    "memory": "memory / SGD's",
}
STYLES = {"both": ("0.25", "s"), "core": (ORANGE, "D"), "total": (BLUE, "o")}
WAYS = {**MATCHED, "both": "both ways"}
"""How steps are counted; both ways where each is one gradient of the whole network."""


def samplers_figure(table: pd.DataFrame) -> Figure:
    """Draw accuracy and costs of every sampler: a row each, best accuracy on top."""
    tables = {matched: final_table(table, matched) for matched in MATCHED}
    means = tables["total"].groupby("samplers").accuracy.mean()
    sgd = tables["total"].query("samplers == 'sgd'").mean(numeric_only=True)
    ends = pd.concat(tables.values()).drop_duplicates(["samplers", "seed", "matched"])
    names = means.sort_values().index
    places = {name: place for place, name in enumerate(names)}
    fig, axes = plt.subplots(
        1, 4, sharey=True, figsize=(WIDTH, 0.24 * len(names) + 1.3),
        layout="constrained", width_ratios=(1.6, 1, 1, 1),
    )  # fmt: skip
    for ax, (column, label) in zip(axes, COLUMNS.items(), strict=True):
        for matched, last in ends.groupby("matched"):
            color, marker = STYLES[str(matched)]
            own = last.groupby("samplers", sort=False)
            rows = [places[name] for name in last.samplers]
            if column == "accuracy":  # each seed, behind the mean
                ax.plot(last[column], rows, ".", color=color, alpha=0.5, ms=4)
            ax.plot(
                own[column].mean(), [places[name] for name in own.groups], marker,
                color=color, ms=4.5, label=f"matched {WAYS[str(matched)]}",
            )  # fmt: skip
        ax.axvline(sgd[column], **DOTTED, label="SGD")
        ax.set_xlabel(label, fontsize="small")
        ax.grid(axis="y", color="0.9", linewidth=0.6)
        ax.set_axisbelow(True)
    for ax in axes[1:]:
        ax.set_xlim(0, 1.06 * ax.get_xlim()[1])
    labels = [ENTRIES[name].label for name in names]
    axes[0].set_yticks(range(len(names)), labels, fontsize="small")
    legend_above(fig)
    return fig


def bound_figure(table: pd.DataFrame) -> Figure:
    """Draw measured mean gradients and their bounds over ρ, for two perturbations."""
    promised = pd.DataFrame(table[table.rhos > 0])
    radii = sorted(promised.radius.unique())[:: max(1, promised.radius.nunique() - 1)]
    fig, axes = pairs(len(radii), 2.9, sharey=True)
    for ax, radius in zip(axes, radii, strict=True):
        rows = pd.DataFrame(promised[promised.radius == radius])
        means = pd.DataFrame(rows.groupby("rhos").mean())
        for column, limit, color, marker, words in (
            ("full", "full_bound", ORANGE, "D", "whole gradient"),
            ("masked", "bound", BLUE, "o", "masked gradient"),
        ):
            ax.plot(means[column], color=color, marker=marker, label=words, ms=4)
            ax.plot(
                means[limit], color=color, linestyle=DASHES[1],
                label=f"bound of the {words}",
            )  # fmt: skip
        ax.set(xscale="log", yscale="log")
        ax.set_xlabel("ρ: probability that a block is updated")
        ax.set_title(f"‖δx‖ = {radius:g}", fontsize="medium")
    axes[0].set_ylabel("mean squared gradient")
    legend_above(fig)
    return fig


def transformer_figure(table: pd.DataFrame) -> Figure:
    """Draw the accuracy of core and full Transformer over the rank, by data size."""
    sizes = sorted(table.train_size.unique())
    fig, axes = pairs(2 * len(sizes), 2.4, sharex=True, sharey="row")
    words = {
        "joint": "joint, as many steps of each",
        "joint, total": "joint, as many steps in all",
    }
    others = {
        "full alone": "cut out of the full one",
        "core alone, twice": "alone, as many steps as joint",
    }
    none = dict.fromkeys(range(len(others)), "")  # as many colours in each panel
    parts = (("core", "low-rank core", others), ("full", "full Transformer", none))
    for row, size in enumerate(sizes):
        own = table.loc[table.train_size == size]
        for ax, (part, name, other) in zip(axes[2 * row :], parts, strict=False):
            labels = {f"{part} alone": "alone"} | words | other
            look = {"keys": labels, "label": labels.get, "scale": 100}
            draw_lines(ax, own, "ranks", part, "scheme", **look)
            ax.set_title(f"{name}, {size:,} images", fontsize="medium")
            ax.set_xlabel("rank of the core" if size == sizes[-1] else "")
            ax.set_xticks(sorted(table.ranks.unique()))
        axes[2 * row].set_ylabel("test accuracy (%)")
    legend_above(fig)
    return fig


def widths_figure(table: pd.DataFrame) -> Figure:
    """Draw the accuracy at each width, of shared weights and of networks alone."""
    fig, (ax,) = pairs(1, 2.8)
    words = {
        "alone": "each width trained alone",
        "together": "one set of weights, as many steps of each width",
        "together, total": "one set of weights, as many steps in all",
    }
    look = {"keys": words, "label": words.get, "scale": 100}
    draw_lines(ax, table, "share", "accuracy", "schemes", **look)
    ax.set_xticks(sorted(table.share.unique()))
    ax.set(xlabel="share of the hidden units that is used", ylabel="test accuracy (%)")
    legend_above(fig)
    return fig
