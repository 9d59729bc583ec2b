"""Means and intervals are those of the textbook."""

import numpy as np
import pandas as pd
import pytest

from lazyrich_helpers.analysis.tables.statistics import (
    above,
    confidence_interval,
    geometric_interval,
    half_bar,
    median_interval,
    near,
    num_seeds,
    over_seeds,
    signed,
    with_interval,
)


def test_interval_is_students():
    values = pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
    mean, half = confidence_interval(values)
    # t(0.975, 4) = 2.776; sd = sqrt(2.5)
    assert (mean, half) == (3.0, pytest.approx(2.776 * (2.5 / 5) ** 0.5, rel=1e-3))
    assert confidence_interval(values[:1]) == (1.0, float("inf"))


def test_an_interval_of_ratios_is_that_of_their_logarithms():
    logs = pd.Series([0.0, np.log(4.0)])  # mean log 2, ± Student's t of one freedom
    middle, low, high = geometric_interval(logs)
    assert middle == pytest.approx(2)
    assert high / middle == pytest.approx(middle / low)
    assert high / middle == pytest.approx(2**12.706205, rel=1e-5)
    assert geometric_interval(logs[:1]) == (1.0, 0.0, np.inf)


def test_above_is_open_where_the_interval_spans_the_threshold():
    values = pd.Series([1.0, 2.0, 3.0])
    assert above(values, -10) is True
    assert above(values, 10) is False
    assert above(values, 2.5) is None
    assert above(values[:1], 0) is None and above(values[:0], 0) is None


def test_near_is_open_where_the_interval_is_here_and_there():
    values = pd.Series([1.0, 2.0, 3.0])  # 2 ± 2.48
    assert near(values, 2.5, 3) is True and near(values, 1.5, 3) is True
    assert near(values, 9.0, 3) is False and near(values, -5.0, 3) is False
    assert near(values, 2.5, 2.9) is None and near(values, 7.0, 3) is None
    assert near(values[:1], 1, 9) is None and near(values[:0], 1, 9) is None


def test_an_interval_of_the_median_is_of_ranks():
    # 2 P(B < 6) = 0.041 for 20 fair draws, 2 P(B < 7) = 0.115
    assert median_interval(pd.Series(range(1, 21))) == (6.0, 15.0)
    assert median_interval(pd.Series([3.0, 1, 2, 6, 5, 4])) == (1.0, 6.0)
    assert median_interval(pd.Series([1.0, 2, 3, 4, 5])) == (-np.inf, np.inf)


def test_over_seeds_gives_means_their_intervals_and_n():
    values = [0.9, 0.7, 0.8, 0.5, 0.2, 0.6]
    table = pd.DataFrame({"x": [0, 0, 0, 1, 2, 2], "accuracy": values, "lost": values})
    summary = over_seeds(table, "x")
    assert summary["mean"].tolist() == pytest.approx([80, 50, 40])
    mean, half = confidence_interval(100 * table.accuracy[:3])
    ends = summary.loc[0, ["low", "high"]].tolist()
    assert ends == pytest.approx([mean - half, mean + half])
    two = summary.loc[2, ["low", "high"]].tolist()
    assert two == pytest.approx([20, 60]), "from the one to the other"
    assert summary.loc[1, ["low", "high"]].isna().all() and summary.n.tolist() == [
        3,
        1,
        2,
    ]
    lost = over_seeds(table, "x", "lost", scale=1)
    assert lost["mean"].tolist() == pytest.approx([0.8, 0.5, 0.4])


def test_over_seeds_of_what_spans_decades_is_the_interval_of_its_logarithms():
    table = pd.DataFrame({"x": 0, "loss": [1e-3, 1e-2, 1.0]})
    (row,) = over_seeds(table, "x", "loss", scale=10, geometric=True).itertuples()
    middle, low, high = geometric_interval(np.log(table.loss))
    assert [row.mean, row.low, row.high] == pytest.approx(
        [10 * middle, 10 * low, 10 * high]
    )
    assert 0 < row.low < row.high


def test_a_bar_of_two_values_leads_from_the_one_to_the_other():
    assert half_bar(pd.Series([3.0])) == 0
    assert half_bar(pd.Series([3.0, 7.0, np.nan])) == 2
    values = pd.Series([3.0, 7.0, 5.0])
    assert half_bar(values) == pytest.approx(confidence_interval(values)[1])


def test_a_minus_is_a_minus():
    numbers = (2.34, -2.34, -0.04, 0.0)
    assert [*map(signed, numbers)] == ["+2.3", "−2.3", "0.0", "0.0"]
    assert with_interval(pd.Series([-1.0, -2.0, -3.0])) == "−2.0 ± 2.5"
    values = pd.Series([1.0, 2.0, 3.0])
    assert with_interval(values) == "+2.0 ± 2.5"
    assert with_interval(values, sign=False, digits=2) == "2.00 ± 2.48"
    assert with_interval(values[:1]) == "+1.0"


@pytest.mark.parametrize(
    ("widths", "seeds", "words"),
    [
        ([1, 1, 2, 2], [0, 1, 0, 1], "n = 2 seeds"),
        ([1, 1, 2], [0, 1, 0], "n = 1 to 2 seeds"),
        ([1], [0], "n = 1 seed"),
    ],
)
def test_seeds_are_counted_by_width(widths, seeds, words):
    assert num_seeds(pd.DataFrame({"width": widths, "seed": seeds})) == words
