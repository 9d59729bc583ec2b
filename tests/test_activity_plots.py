import matplotlib.pyplot as plt
import pandas as pd
import pytest

from lazyrich_helpers.analysis import activity_plots


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


def test_frequencies_have_a_panel_per_alpha_and_a_line_per_layer(table):
    fig = activity_plots.frequency_lines(table)
    assert [ax.get_title() for ax in fig.axes] == ["α = 1 %", "α = 10 %"]
    bottom, _, top, even = fig.axes[1].lines
    assert list(bottom.get_xdata()) == [10, 100]
    assert list(bottom.get_ydata()) == pytest.approx([5, 5])
    assert list(top.get_ydata()) == pytest.approx([25, 25])
    assert set(even.get_ydata()) == {10}
    assert [line.get_label() for line in (bottom, top)] == ["1 (bottom)", "3 (top)"]
    plt.close(fig)


def test_learning_rates_are_not_mixed(table):
    mixed = pd.concat([table.assign(lr=0.1), table.assign(lr=0.01)])
    with pytest.raises(ValueError, match="lr must be one value"):
        activity_plots.frequency_lines(mixed)


def test_definitions_stand_side_by_side_in_every_layer(table):
    fig, ax = plt.subplots()
    chosen = table[(table.width == 100) & (table.alpha == 1)]
    activity_plots.two_definitions(chosen, ax)
    gradient, movement = (c for c in ax.containers if hasattr(c, "patches"))
    for bars in (gradient, movement):
        assert [bar.get_height() for bar in bars] == pytest.approx([1, 2, 3])
    plt.close(fig)


def test_criticality_shows_the_whole_layer_and_its_active_part():
    rows = [
        (layer, alpha, seed, lost)
        for seed in (0, 1)
        for layer in (0, 1)
        for alpha, lost in ((float("nan"), 0.5), (1, 0.2), (10, 0.4))
    ]
    table = pd.DataFrame(rows, columns=["layer", "alpha", "seed", "lost"])
    fig, ax = plt.subplots()
    activity_plots.criticality_bars(table, ax, alpha=10)
    whole, active = (c for c in ax.containers if hasattr(c, "patches"))
    assert [bar.get_height() for bar in whole] == pytest.approx([50, 50])
    assert [bar.get_height() for bar in active] == pytest.approx([40, 40])
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
    fig, ax = plt.subplots()
    activity_plots.criticality_lines(table, ax)
    assert [list(line.get_ydata()) for line in ax.lines] == [
        pytest.approx([30, 30]),
        pytest.approx([60, 60]),
    ]
    plt.close(fig)
