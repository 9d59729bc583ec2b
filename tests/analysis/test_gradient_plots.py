"""Sorted gradients and their skew are those of the tables."""

import numpy as np
import pandas as pd
import pytest

from lazyrich_helpers.analysis.figures import activity as activity_plots
from tests import tiny


def test_sorted_gradients_are_relative_to_the_largest():
    table = tiny.grid(epoch=(0, 5), rank=(1, 10, 100)).assign(num_parameters=1000)
    table["magnitude"] = (10.0 / table["rank"]).where(table["rank"] < 100, 0.0)
    yardstick = np.array([1.0, 4.0, 0.5, 2.0])
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


def test_skew_by_layer_has_a_bar_per_layer_and_the_whole_beside():
    layers = tiny.grid(epoch=(0, 5), layer=(0, 1, 2), percent=(1, 10), seed=(0, 2))
    layers["l1"] = 0.01 * (layers.layer + 1) * (1 + layers.epoch) + 0.001 * layers.seed
    whole = pd.DataFrame({"epoch": [0, 5], "percent": [1, 1], "l1": [0.5, 0.25]})
    fig = activity_plots.skew_by_layer({"net": (layers, whole)}, 0.07)
    (ax,) = fig.axes
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == pytest.approx([6.1, 12.1, 18.1])  # after the last epoch, in %
    dashed, dotted = (line.get_ydata()[0] for line in ax.lines[-2:])
    assert (dashed, dotted) == pytest.approx((25, 7))
