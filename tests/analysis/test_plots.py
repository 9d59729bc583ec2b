import matplotlib.pyplot as plt
import pandas as pd
import pytest

from lazyrich_helpers.analysis.figures import plots


@pytest.fixture
def table() -> pd.DataFrame:
    """Two widths, two seeds, three fractions: accuracies chosen by hand."""
    values = {
        (10, 0): (0.9, 0.5, 0.1),
        (10, 1): (0.7, 0.5, 0.1),
        (100, 0): (0.95, 0.2, 0.1),
        (100, 1): (0.95, 0.4, 0.1),
    }
    rows = [
        (width, seed, fraction, scenario, accuracy)
        for (width, seed), curve in values.items()
        for scenario in ("active", "lazy")
        for fraction, accuracy in zip((0.0, 0.1, 1.0), curve, strict=True)
    ]
    names = ["width", "seed", "fraction", "scenario", "accuracy"]
    return pd.DataFrame(rows, columns=names).assign(num_test=500)


def test_settings_are_not_mixed(table):
    fig, ax = plt.subplots()
    mixed = pd.concat([table.assign(lr=0.1), table.assign(lr=0.01)])
    with pytest.raises(ValueError, match=r"lr must be one value .* got \[.*0\.01"):
        plots.reinit_curves(mixed, ax, scenario="active", scale="log")
    plt.close(fig)


@pytest.mark.parametrize("scale", ["log", "linear"])
def test_curves_are_the_means_in_percent(table, scale):
    fig, ax = plt.subplots()
    plots.reinit_curves(table, ax, scenario="active", scale=scale)
    narrow, wide, chance = ax.lines
    assert list(narrow.get_xdata()) == [0, 10, 100]
    assert list(narrow.get_ydata()) == pytest.approx([80, 50, 10])
    assert list(wide.get_ydata()) == pytest.approx([95, 30, 10])
    assert set(chance.get_ydata()) == {10}
    assert [line.get_label() for line in (narrow, wide)] == ["w = 10", "w = 100"]
    plt.close(fig)


def test_grid_has_a_row_per_table_and_a_column_per_scenario(table):
    fig = plots.reinit_grid({"d = 1": table, "d = 4": table}, scale="linear")
    assert len(fig.axes) == 4
    assert [ax.get_xlabel()[:1] for ax in fig.axes] == ["", "", "γ", "ε"]  # once
    assert [ax.get_title()[:1] for ax in fig.axes] == ["γ", "ε", "", ""]
    left = [ax.get_ylabel().splitlines()[0] for ax in fig.axes[::2]]
    assert left == ["d = 1", "d = 4"]
    assert fig.axes[1].lines[0].get_ydata()[1] == pytest.approx(50)
    (legend,) = fig.legends  # outside, where it hides no line
    assert [text.get_text() for text in legend.get_texts()] == ["w = 10", "w = 100"]
    assert all(ax.get_legend() is None for ax in fig.axes)
    plt.close(fig)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_panels_of_active_parameters_are_two_in_a_row(table, count):
    named = {f"training {i}": table for i in range(count)}
    fig = plots.active_panels(named)
    shown = [ax for ax in fig.axes if ax.axison]
    assert [ax.get_title() for ax in shown] == list(named)
    assert {ax.get_xlabel()[0] for ax in shown} == {"γ"}
    assert len({round(ax.get_position().x0, 2) for ax in shown}) <= 2
    plt.close(fig)


def test_bars_reach_the_trained_accuracy_from_the_initial_one(table):
    """In a panel per table that has rows."""
    fig = plots.width_bars({"d = 1": table, "d = 2": table.iloc[:0], "d = 4": table})
    assert [ax.get_ylabel().splitlines()[0] for ax in fig.axes] == ["d = 1", "d = 4"]
    initial, gained = fig.axes[1].containers[:2]
    assert [bar.get_height() for bar in initial] == pytest.approx([10, 10])
    tops = [bar.get_y() + bar.get_height() for bar in gained]
    assert tops == pytest.approx([80, 95])
    nothing = plots.width_bars({"d = 1": table.iloc[:0]})
    assert len(nothing.axes) == 1
    plt.close("all")


def test_lines_may_stand_for_something_else_than_widths(table):
    """Then they keep their order, and may differ in what they are said to compare."""
    named = {"fp32": table[table.width == 100], "bf16": table[table.width == 10]}
    both = pd.concat([own.assign(reading=k, gain=len(k)) for k, own in named.items()])
    both["precision"] = both.reading
    options = {"by": "reading", "compares": ("precision", "width")}
    fig = plots.reinit_grid({"": both}, scale="log", **options)
    labels = [line.get_label() for line in fig.axes[0].lines[:2]]
    assert labels == ["fp32", "bf16"]
    assert list(fig.axes[0].lines[1].get_ydata()) == pytest.approx([80, 50, 10])
    plt.close(fig)
    with pytest.raises(ValueError, match="precision must be one value"):
        plots.reinit_grid({"": both}, scale="log", by="reading", compares=("width",))
    mixed = both.assign(precision=both.seed)  # within a line
    with pytest.raises(ValueError, match="precision must be one value"):
        plots.reinit_grid({"": mixed}, scale="log", **options)
    mixed = both.assign(lr=both.seed)
    with pytest.raises(ValueError, match="lr must be one value"):
        plots.reinit_grid({"": mixed}, scale="log", **options)
    plt.close("all")


def test_movement_histogram_is_the_mean_share_over_seeds():
    rows = [
        (width, seed, layer, movement, share, 0.5)
        for width in (10, 100)
        for seed in (0, 1)
        for layer in (0, 1)
        for movement, share in ((0.1, 0.2 + 0.1 * seed), (1.0, 0.3))
    ]
    names = ["width", "seed", "layer", "movement", "share", "unmoved"]
    table = pd.DataFrame(rows, columns=names)
    fig = plots.movement_histograms({"MNIST": table, "digits": table}, layer=0)
    top, bottom = fig.axes  # side by side
    assert (top.get_title(), bottom.get_title()) == ("MNIST", "digits")
    narrow = bottom.lines[0]
    assert list(narrow.get_xdata()) == [0.1, 1.0]
    assert list(narrow.get_ydata()) == pytest.approx([25, 30])
    assert narrow.get_label() == "w = 10: 50 %"
    band = bottom.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((20, 30))  # of two: both
    plt.close(fig)
