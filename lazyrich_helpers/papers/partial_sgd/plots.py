"""Figures of masked training with partial gradients."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lazyrich_helpers.analysis.figures.style import (
    BLUE,
    DASHES,
    DOTTED,
    MARKERS,
    ORANGE,
    WIDTH,
    draw_means,
    legend_above,
    pairs,
    shade,
)
from lazyrich_helpers.analysis.tables.statistics import over_seeds
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
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("ρ: probability that a block is updated")
        ax.set_title(f"‖δx‖ = {radius:g}", fontsize="medium")
    axes[0].set_ylabel("mean squared gradient")
    legend_above(fig)
    return fig


def transformer_figure(table: pd.DataFrame) -> Figure:
    """Draw the accuracy of core and full Transformer over the rank, by data size."""
    sizes = sorted(table.train_size.unique())
    fig, axes = pairs(2 * len(sizes), 2.4, sharex=True, sharey="row")
    for row, size in enumerate(sizes):
        for column, part in enumerate(("core", "full")):
            ax = axes[2 * row + column]
            lines = [f"{part} alone", "joint", "joint, total"]
            if part == "core":
                lines.append("full alone")  # of which the core is cut out
            for place, scheme in enumerate(lines):
                rows = table[(table.train_size == size) & (table.scheme == scheme)]
                label = {
                    "joint": "joint, as many steps of each",
                    "joint, total": "joint, as many steps in all",
                    "full alone": "cut out of the full one",
                }.get(scheme, "alone")
                label = "alone" if scheme == f"{part} alone" else label
                draw_means(
                    ax, over_seeds(pd.DataFrame(rows), "ranks", part), shade(place, 4),
                    label=label, marker=MARKERS[place], dashes=DASHES[place],
                )  # fmt: skip
            title = {"core": "low-rank core", "full": "full Transformer"}[part]
            ax.set_title(f"{title}, {size:,} images", fontsize="medium")
            if row == len(sizes) - 1:
                ax.set_xlabel("rank of the core")
            ax.set_xticks(sorted(table.ranks.unique()))
        axes[2 * row].set_ylabel("test accuracy (%)")
    legend_above(fig)
    return fig


def widths_figure(table: pd.DataFrame) -> Figure:
    """Draw the accuracy at each width, of shared weights and of networks alone."""
    fig, ax = plt.subplots(figsize=(WIDTH, 2.8), layout="constrained")
    words = {
        "alone": "each width trained alone",
        "together": "one set of weights, as many steps of each width",
        "together, total": "one set of weights, as many steps in all",
    }
    for place, (scheme, label) in enumerate(words.items()):
        rows = table[table.schemes == scheme]
        draw_means(
            ax, over_seeds(pd.DataFrame(rows), "share"), shade(place, 3), label=label,
            marker=MARKERS[place], dashes=DASHES[place],
        )  # fmt: skip
    ax.set_xticks(sorted(table.share.unique()))
    ax.set_xlabel("share of the hidden units that is used")
    ax.set_ylabel("test accuracy (%)")
    legend_above(fig)
    return fig
