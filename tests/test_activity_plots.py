import matplotlib.pyplot as plt
import numpy as np
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


def test_sorted_gradients_are_relative_to_the_largest():
    rows = [
        (epoch, rank, 10.0 / rank if rank < 100 else 0.0, 1000)
        for epoch in (0, 5)
        for rank in (1, 10, 100)
    ]
    names = ["epoch", "rank", "magnitude", "num_parameters"]
    yardstick = np.array([1.0, 4.0, 0.5, 2.0])
    table = pd.DataFrame(rows, columns=names)
    fig = activity_plots.sorted_gradients({"net": table}, yardstick)
    linear, ax = fig.axes
    assert (linear.get_xscale(), ax.get_xscale()) == ("linear", "log")
    first, later, dashed = ax.lines
    assert list(dashed.get_xdata()) == [25, 50, 75, 100]
    assert list(dashed.get_ydata()) == [1, 0.5, 0.25, 0.125]
    assert first.get_label() == "at initialization"
    assert later.get_label() == "after epoch 5"
    assert list(first.get_xdata()) == pytest.approx([0.1, 1, 10])
    assert list(first.get_ydata())[:2] == pytest.approx([1, 0.1])
    assert np.isnan(first.get_ydata()[2])  # an exact zero has no place on a log axis
    plt.close(fig)


def test_skew_by_layer_has_a_bar_per_layer_and_the_whole_beside():
    names = ["epoch", "layer", "percent", "l1", "seed"]
    rows = [
        (epoch, layer, percent, 0.01 * (layer + 1) * (1 + epoch) + 0.001 * seed, seed)
        for epoch in (0, 5)
        for layer in (0, 1, 2)
        for percent in (1, 10)
        for seed in (0, 2)
    ]
    layers = pd.DataFrame(rows, columns=names)
    whole = pd.DataFrame({"epoch": [0, 5], "percent": [1, 1], "l1": [0.5, 0.25]})
    fig = activity_plots.skew_by_layer({"net": (layers, whole)})
    (ax,) = fig.axes
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == pytest.approx([6.1, 12.1, 18.1])  # after the last epoch, in %
    dashed, dotted = (line.get_ydata()[0] for line in ax.lines[-2:])
    assert dashed == pytest.approx(25)
    drawn = np.sort(np.abs(np.random.default_rng(0).normal(size=400_000)))[::-1]
    assert dotted == pytest.approx(100 * drawn[:4000].sum() / drawn.sum(), rel=0.02)
    plt.close(fig)


def lightest_box(image: np.ndarray) -> tuple[int, int]:
    """Return height and width in pixels of what is drawn in the brightest shade."""
    bright = (np.abs(image.astype(int) - (253, 231, 55)).sum(-1) < 40).nonzero()
    return np.ptp(bright[0]) + 1, np.ptp(bright[1]) + 1


def test_heat_maps_are_to_scale_and_bright_where_active(monkeypatch):
    monkeypatch.setattr(activity_plots, "SHADES", "viridis")
    shapes = [(100, 200), (100, 100), (10, 100)]
    boxes = []
    for lit in range(2):
        maps = [np.full((8, 8), float(i == lit)) for i in range(3)]
        picture = activity_plots.heat_map_image(maps, shapes, 1)
        boxes.append(lightest_box(np.asarray(picture)[:, :470]))  # less the colour bar
    (tall, wide), (same, half) = boxes
    assert tall == pytest.approx(same, abs=2)
    assert wide == pytest.approx(2 * half, abs=4)


def test_rectangles_are_to_scale_as_far_as_they_can_be_seen():
    sizes = np.array(activity_plots.rectangle_sizes([(50, 9), (50, 450), (10, 2450)]))
    room = activity_plots.MAP_ROOM - 2 * activity_plots.GAP
    assert sizes[:, 0].sum() == pytest.approx(room)
    assert sizes[0, 0] == activity_plots.NARROWEST  # 9 columns would be 0.01 inches
    assert sizes[1, 0] == pytest.approx(room * 450 / (9 + 450 + 2450))
    assert sizes[:, 1].tolist() == pytest.approx([0.6, 0.6, 0.12])
    wide = activity_plots.rectangle_sizes([(1000, 784), (1000, 1000), (10, 1000)])
    assert wide[0][0] / wide[0][1] == pytest.approx(0.784)
    assert wide[2][1] == activity_plots.THINNEST


def test_pictures_can_be_of_one_size():
    small = [(8, 8)] * 2
    maps = [np.zeros((8, 8))] * 2
    picture = activity_plots.heat_map_image(maps, small, 1, least_height=3.0)
    assert picture.size[1] == round(3.0 * activity_plots.DPI)
