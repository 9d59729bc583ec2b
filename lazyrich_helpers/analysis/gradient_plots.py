"""Figures of how unequal the components of a gradient are.

Tables → axes, as in `plots`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lazyrich_helpers.analysis.figure_style import (
    BLUE,
    DOTS,
    OUTLINED,
    label_pairs,
    pairs,
    shade,
)
from lazyrich_helpers.analysis.statistics import half_bar
from lazyrich_helpers.measures.gradient_concentration import ranks


def sorted_gradients(
    tables: Mapping[str, pd.DataFrame], yardstick: np.ndarray | None = None
) -> Figure:
    """Return sorted mini-batch gradients, two panels per network, a line per look.

    Magnitudes are relative to the largest. The axes are linear in the first panel, as
    the paper draws it, and logarithmic in the second; there a line ends where
    components are exactly zero.

    Args:
        tables: Network in words → its `activity_tables.gradient_table`.
        yardstick: Magnitudes (n,) in any order, drawn dashed for comparison.

    Source: Li & Banerjee (2021), Figure 1.
    """
    fig, axes = pairs(2 * len(tables), 2.8)
    for place, (name, table) in enumerate(tables.items()):
        for ax, scale in zip(axes[2 * place :], ("linear", "log"), strict=False):
            ax.set_xscale(scale)
            ax.set_yscale(scale)
            _sorted_lines(table, ax)
            if scale == "log":
                ax.set_ylim(max(1e-8, ax.get_ylim()[0]), 1.5)
            if yardstick is not None:
                ordered = np.sort(yardstick)[::-1] / yardstick.max()
                chosen = np.array(ranks(len(ordered)))
                percent = 100 * chosen / len(ordered)
                style = {"color": "0.5", "linewidth": 1}
                label = "products of Gaussians"
                ax.plot(percent, ordered[chosen - 1], "--", label=label, **style)
            ax.set_xlabel("rank (% of all components)")
            ax.set_title(f"{name}, {scale} axes", fontsize="medium")
    label_pairs(axes, "|gradient| / largest", columns=2)
    return fig


def _sorted_lines(table: pd.DataFrame, ax: Axes) -> None:
    epochs = sorted(table.epoch.unique())
    for place, epoch in enumerate(epochs):
        rows = table.loc[table.epoch == epoch]
        means = rows.groupby("rank").magnitude.mean()
        share = (means / means.iloc[0]).where(means > 0)
        percent = 100 * means.index.to_numpy() / rows.num_parameters.iloc[0]
        color = shade(place, len(epochs))
        label = "at initialization" if epoch == 0 else f"after epoch {epoch}"
        ax.plot(percent, share, color=color, label=label)


def skew_by_layer(
    tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]], chance: float
) -> Figure:
    """Return what the largest 1 % of each layer's components hold, a panel per network.

    By network, from its `activity_tables.layer_skew_table` and `skew_table`. Bars are
    at the last look, means over seeds, with 95 % intervals. The dashed line is the same
    share in the network as a whole, the dotted one that of products of two Gaussian
    numbers, `chance`, 0 to 1.
    """
    fig, axes = pairs(len(tables), 2.6, sharey=True)
    for ax, (name, (layers, whole)) in zip(axes, tables.items(), strict=True):
        last = layers.loc[(layers.epoch == layers.epoch.max()) & (layers.percent == 1)]
        groups = 100 * last.set_index("layer").l1
        groups = groups.groupby("layer")
        num_layers = last.layer.max() + 1
        half = groups.apply(half_bar)
        ax.bar(range(num_layers), groups.mean(), yerr=half, **OUTLINED)
        in_whole = whole.loc[(whole.epoch == last.epoch.max()) & (whole.percent == 1)]
        network = 100 * in_whole.l1.mean()
        ax.axhline(network, color=BLUE, linestyle="--", label="whole network")
        label = "products of Gaussians"
        ax.axhline(100 * chance, color="0.3", linestyle=DOTS, label=label)
        ax.set_xticks(range(num_layers), [str(i + 1) for i in range(num_layers)])
        ax.set_xlabel("layer, lowest to top")
        ax.set_title(name, fontsize="medium")
    label_pairs(axes, "held by its largest 1 % (%)")
    return fig
