"""The paper's Table 1 is drawn row by row, as it stands in tables."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from lazyrich_helpers.analysis import table_1_plots

NAN = float("nan")


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def places(ax, label):
    (drawn,) = [part for part in ax.collections if part.get_label() == label]
    return [tuple(place) for place in drawn.get_offsets().tolist()]


def test_the_papers_number_and_ours_share_a_row(ax):
    both = pd.DataFrame(
        [("full", NAN, 0.0, 1.0), ("top 1", 0.1, 11.0, 31.0), ("top 1", 0.2, 4.5, NAN)],
        columns=["schedule", "rho", "theirs", "ours"],
    )
    runs = [("top 1", 0.1, 25.0), ("top 1", 0.1, 37.0), ("top 3", 0.1, 9.0)]
    seeds = pd.DataFrame(runs, columns=["schedule", "rho", "ours"])
    table_1_plots.dumbbells(both, ax, "theirs", "ours", seeds)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["full", "top 1, ρ 0.1", "top 1, ρ 0.2"]
    assert places(ax, "the paper's") == [(0, 3), (11, 2), (4.5, 1)]
    assert places(ax, "ours, mean")[:2] == [(1, 3), (31, 2)]
    assert places(ax, "our seeds")[:2] == [(25, 2), (37, 2)]


def test_times_stand_over_operations(ax):
    rows = [
        ("top 1 bottom 4", "top_k_bottom_q", 1, 4, 0.1, 0.16),
        ("full", "full", NAN, NAN, 1.0, 1.0),
    ]
    names = ["schedule", "updates", "k", "q", "ratio", "backward"]
    table_1_plots.times_against_operations(pd.DataFrame(rows, columns=names), ax)
    assert places(ax, "top 1 bottom 4") == [(0.16, 0.1)]
    assert places(ax, "full") == [(1.0, 1.0)]
