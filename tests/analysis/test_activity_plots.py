import math

import pandas as pd
import pytest

from lazyrich_helpers.analysis.figures import activity as activity_plots
from lazyrich_helpers.analysis.figures.style import WIDTH, layer_color
from tests import tiny


@pytest.fixture
def table() -> pd.DataFrame:
    """Two widths, two seeds, three layers, two α, both definitions."""
    places = {"width": (10, 100), "seed": (0, 1), "layer": (0, 1, 2), "alpha": (1, 10)}
    table = tiny.grid(**places, definition=("gradient", "movement"))
    frequency = 0.1 * (table.layer + table.seed)
    return table.assign(frequency=frequency, relative=1.0 + table.layer)


def test_each_panel_has_a_line_per_layer_relative_to_evenly(table):
    ones = table[table.alpha == 1]
    fig = activity_plots.over_representation({"one": ones, "two": ones, "three": ones})
    shown = [ax for ax in fig.axes if ax.axison]
    assert [ax.get_title() for ax in shown] == ["one", "two", "three"]
    lowest, _, top, even = shown[2].lines
    assert list(lowest.get_xdata()) == [10, 100]
    assert list(lowest.get_ydata()) == pytest.approx([1, 1])
    assert list(top.get_ydata()) == pytest.approx([3, 3])
    assert set(even.get_ydata()) == {1}
    assert [line.get_label() for line in (lowest, top)] == ["1 (lowest)", "3 (top)"]
    colors = [line.get_color() for line in (lowest, top)]
    assert colors == [layer_color(0, 3), layer_color(2, 3)]
    assert fig.get_figwidth() == pytest.approx(WIDTH)


def test_learning_rates_are_not_mixed(table):
    mixed = pd.concat([table.assign(lr=0.1), table.assign(lr=0.01)])
    with pytest.raises(ValueError, match="lr must be one value"):
        activity_plots.over_representation({"both": mixed})


def test_definitions_stand_side_by_side_in_every_layer(table):
    chosen = table[(table.width == 100) & (table.alpha == 1)].copy()
    chosen.loc[chosen.definition == "movement", "relative"] *= 10
    fig = activity_plots.two_definitions({"net": chosen})
    heights = [list(each[0].get_ydata()) for each in fig.axes[0].containers]
    assert heights == [pytest.approx([1, 2, 3]), pytest.approx([10, 20, 30])]


def test_lost_accuracy_has_a_line_per_layer_over_width():
    table = tiny.grid(width=(10, 100), seed=(0, 1), layer=(0, 1), alpha=(math.nan, 1))
    table["lost"] = table.alpha.map({1: 0.1}).fillna(0.3) * (1 + table.layer)
    fig = activity_plots.layers_reset({"nets": table})
    assert [list(line.get_ydata()) for line in fig.axes[0].lines] == [
        pytest.approx([30, 30]),
        pytest.approx([60, 60]),
    ]
