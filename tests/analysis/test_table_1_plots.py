"""The paper's Table 1 is drawn row by row, as it stands in tables."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lazyrich_helpers.analysis.figures import table_1 as table_1_plots

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


def test_each_start_has_a_line_through_its_means_at_every_rho(ax):
    columns = ["schedule", "rho", "lost"]
    rows = [("top 1", 0.5, 0.02), ("top 1", 0.1, 0.3), ("top 1", 0.1, 0.1)]
    plain = [*rows, ("full", NAN, 0.0), ("top 4", 0.1, 0.7), ("top 1", 0.2, NAN)]
    tables = [pd.DataFrame(own, columns=columns) for own in (plain, rows[:1])]
    paper = pd.DataFrame([("top 1", 0.2, 0.01), ("top 4", 0.2, 0.5)], columns=columns)
    starts = dict(zip(["random", "turns"], tables, strict=True))
    table_1_plots.lost_over_rho(starts, paper, "top 1", ax)
    drawn = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert drawn["random"] == pytest.approx(np.array([(0.1, 20.0), (0.5, 2.0)]))
    assert drawn["turns"] == [[0.5, 2.0]] and drawn["the paper's, ImageNet"] == [
        [0.2, 1.0]
    ]
    seeds = [place for part in ax.collections for place in part.get_offsets().tolist()]
    assert seeds == [[0.5, 2.0], [0.1, 30.0], [0.1, 10.0], [0.5, 2.0]]
    colors = {line.get_color() for line in ax.lines[:3]}
    assert len(colors) == 3 and ax.get_title() == "top 1"


def test_times_stand_over_operations(ax):
    rows = [
        ("top 1 bottom 4", "top_k_bottom_q", 1, 4, 0.1, 0.16),
        ("full", "full", NAN, NAN, 1.0, 1.0),
    ]
    names = ["schedule", "updates", "k", "q", "ratio", "backward"]
    table_1_plots.times_against_operations(pd.DataFrame(rows, columns=names), ax)
    assert places(ax, "top 1 bottom 4") == [(0.16, 0.1)]
    assert places(ax, "full") == [(1.0, 1.0)]
