"""Figures of static Layer-Wise Sparse training."""

import pandas as pd
from matplotlib.axes import Axes

from lazyrich_helpers.analysis.figures.lws import error_against_cost

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
