import matplotlib.pyplot as plt
import pandas as pd
import pytest

from lazyrich_helpers.analysis.figures import activity as activity_plots
from lazyrich_helpers.analysis.figures.style import WIDTH


@pytest.fixture
def table() -> pd.DataFrame:
    """Two widths, two seeds, three layers, two α, both definitions."""
    rows = [
        (width, seed, layer, alpha, definition, 0.1 * (layer + seed), 1.0 + layer)
        for width in (10, 100)
        for seed in (0, 1)
        for layer in (0, 1, 2)
        for alpha in (1, 10)
        for definition in ("gradient", "movement")
    ]
    names = ["width", "seed", "layer", "alpha", "definition", "frequency", "relative"]
    return pd.DataFrame(rows, columns=names)


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
    assert fig.get_figwidth() == pytest.approx(WIDTH)
    plt.close(fig)


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
    plt.close(fig)


def test_lost_accuracy_has_a_line_per_layer_over_width():
    rows = [
        (width, layer, alpha, seed, lost * (1 + layer))
        for width in (10, 100)
        for seed in (0, 1)
        for layer in (0, 1)
        for alpha, lost in ((float("nan"), 0.3), (1, 0.1))
    ]
    table = pd.DataFrame(rows, columns=["width", "layer", "alpha", "seed", "lost"])
    fig = activity_plots.layers_reset({"nets": table})
    assert [list(line.get_ydata()) for line in fig.axes[0].lines] == [
        pytest.approx([30, 30]),
        pytest.approx([60, 60]),
    ]
    plt.close(fig)
