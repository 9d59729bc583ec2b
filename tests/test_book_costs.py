"""Totals count each run once; jobs hold what they are said to; growth is as it is."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lazyrich_helpers.book_costs import (
    costs_table,
    draw_growth,
    efficiency,
    growth_table,
    num_jobs,
    peaks_table,
)
from lazyrich_helpers.costs import Cost, run_cost
from lazyrich_helpers.exhibits import make_recipe
from lazyrich_helpers.gpus import GPUS, gpu_named
from tests import tiny
from tests.test_forecast import RATES

TWO = [gpu_named("H200"), gpu_named("T4")]


def test_each_run_counts_once_in_the_total():
    one, both = tiny.recipe(tiny.APART[0]), tiny.recipe(*tiny.APART[:2])
    one = dataclasses.replace(one, name="one of them")
    table = costs_table([one, both], TWO, RATES).set_index("recipe")
    total = table.loc["all, each run once"]
    assert table.runs.tolist() == [1, 2, 2]
    for column in ("operations", "H200 least", "H200 scaled", "T4 least"):
        assert total[column] == pytest.approx(table[column].iloc[1])
    operations = sum(
        run_cost(c, both.measures, eval_every=5).operations for c in both.configs
    )
    assert total.operations == pytest.approx(operations / 1e15)


def test_disjoint_recipes_add_up():
    recipes = [tiny.recipe(config) for config in tiny.APART]
    table = costs_table(recipes, TWO, RATES)
    for column in ("runs", "operations", "T4 least", "T4 scaled"):
        *parts, total = table[column]
        assert total == pytest.approx(sum(parts))


def test_scaled_is_never_less_than_least():
    table = costs_table([make_recipe("figure-6", "paper", seeds=[0])], GPUS, RATES)
    for gpu in GPUS:
        assert (table[f"{gpu.name} scaled"] > table[f"{gpu.name} least"]).all()


def test_efficiency_is_that_of_the_kind_of_work():
    assert efficiency(Cost(linear=5.0), RATES) == 0.5
    assert efficiency(Cost(conv=5.0), RATES) == 0.25
    assert efficiency(Cost(linear=4.0, conv=4.0), RATES) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("seconds", "jobs"),
    [
        ([], 0),
        ([10, 20], 1),
        ([3600], 1),
        ([3601], 2),
        ([2000, 2000], 2),
        ([2000, 2000, 1600], 2),
        ([9000, 1800], 3),
        ([9000, 1801], 4),
    ],
)
def test_jobs_of_an_hour(seconds, jobs):
    assert num_jobs(seconds) == jobs


def test_growth_is_linear_with_one_hidden_layer_and_quadratic_with_joined_ones():
    recipes = {
        name: make_recipe(recipe, "paper", seeds=[0])
        for name, recipe in (
            ("flat", "figure-2"),
            ("deep", "figure-3"),
            ("vgg5", "figure-7-vgg5"),
            ("vgg11", "figure-7-vgg11"),
        )
    }
    widths = {"flat": 4096, "deep": 4096, "vgg5": 256, "vgg11": 256}
    exponents = {}
    for name, recipe in recipes.items():
        table = growth_table({name: recipe}, [widths[name], 2 * widths[name]])
        assert table.network.tolist() == [name, name]
        exponents[name] = np.log2(table.operations[1] / table.operations[0])
    assert exponents["flat"] == pytest.approx(1, abs=0.01)
    for name in ("deep", "vgg5", "vgg11"):
        assert exponents[name] == pytest.approx(2, abs=0.1), name


def test_the_figure_has_a_line_for_each_network():
    recipes = {name: make_recipe(name, "smoke") for name in ("figure-2", "figure-3")}
    table = growth_table(recipes, [4, 8, 16])
    fig, ax = plt.subplots()
    draw_growth(table, ax)
    assert len(ax.lines) == 2
    for line, (_, part) in zip(
        ax.lines, table.groupby("network", sort=False), strict=True
    ):
        assert np.allclose(line.get_ydata(), part.operations)
    plt.close(fig)


def test_peaks_are_the_tables():
    table = peaks_table(GPUS).set_index("GPU")
    assert table.loc["A100"].tolist() == [19.5, 156, 312, 2.039, 80]
