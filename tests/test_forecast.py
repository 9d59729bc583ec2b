"""A row for each run that is to do; totals are their sum; nothing is trained."""

import dataclasses
import time

import pytest

from lazyrich_helpers import forecast
from lazyrich_helpers.costs import Cost, run_cost, train_cost, watch_cost
from lazyrich_helpers.exhibits import make_recipe
from lazyrich_helpers.forecast import forecast_lines
from lazyrich_helpers.gpus import GPUS, LAUNCH
from lazyrich_helpers.memory import peak_bytes
from lazyrich_helpers.schedules import TopKAllBottoms
from tests import tiny

RATES = tiny.RATES


@pytest.fixture(autouse=True)
def measured(known_rates):
    """The precisions that were asked for."""
    return known_rates


def test_a_row_for_each_run_and_their_sum(store):
    recipe = tiny.recipe(*tiny.APART)
    found = forecast.forecast(recipe, store, "cpu")
    assert [row.run_id for row in found.rows] == [c.run_id for c in tiny.APART]
    for row, config in zip(found.rows, tiny.APART, strict=True):
        cost = run_cost(config, recipe.measures, eval_every=recipe.eval_every)
        assert row.cost == cost
        assert row.seconds == pytest.approx(RATES.seconds(cost))
        assert row.memory == peak_bytes(config, recipe.measures)
        for gpu in GPUS:
            assert row.on_gpu[gpu.name] == pytest.approx(gpu.seconds(cost, "highest"))
    assert found.cost == sum((row.cost for row in found.rows), Cost())
    assert found.seconds == sum(row.seconds for row in found.rows)
    assert found.on_gpu("T4") == sum(row.on_gpu["T4"] for row in found.rows)
    assert found.machine == "a machine"


def test_what_is_done_costs_nothing(store):
    tiny.finish(store, tiny.APART[0])
    recipe = tiny.recipe(*tiny.APART)
    left = forecast.forecast(recipe, store, "cpu").rows
    assert [row.run_id for row in left] == [c.run_id for c in tiny.APART[1:]]
    tiny.finish(store, *tiny.APART)
    none = forecast.forecast(recipe, store, "cpu")
    assert none.rows == () and forecast_lines(none) == ["  nothing to do."]


def test_runs_trained_as_one_share_the_kernels(store):
    found = forecast.forecast(tiny.recipe(*tiny.SEEDS, measures=()), store, "cpu")
    trained = train_cost(tiny.CONFIG)
    watched = watch_cost(tiny.CONFIG, eval_every=5)
    together = trained.as_one(3) + watched.times(3)
    assert found.seconds == pytest.approx(RATES.seconds(together))
    assert found.seconds < 3 * RATES.seconds(trained + watched)
    starts = LAUNCH * (trained.kernels + 3 * watched.kernels)
    assert found.on_gpu("H200") == pytest.approx(starts, rel=0.1)  # so small they are


def test_sparse_runs_cost_less_than_full_training(store):
    sparse = tiny.config(updates=TopKAllBottoms(k=1, rho=0.2))
    rows = forecast.forecast(tiny.recipe(tiny.CONFIG, sparse), store, "cpu").rows
    assert rows[1].cost.operations < rows[0].cost.operations
    assert rows[1].seconds < rows[0].seconds


def test_each_precision_has_its_rates(store, measured):
    recipe = tiny.recipe(tiny.CONFIG, tiny.training(precision="bf16"))
    for _ in range(2):
        forecast.forecast(recipe, store, "cpu")
    assert measured == ["bf16", "highest"]


def test_a_hundred_settings_are_forecast_in_seconds_without_data(store, offline):
    recipe = make_recipe("figure-10-vgg5", "paper")
    start = time.perf_counter()
    found = forecast.forecast(recipe, store, "cpu")
    assert len(found.rows) > 100 and time.perf_counter() - start < 10


def test_lines_are_short_and_say_what_is_a_bound(store):
    found = forecast.forecast(tiny.recipe(*tiny.APART), store, "cpu")
    *rows, total, least = forecast_lines(found)
    assert len(rows) == 3 and all(
        config.run_id in line for config, line in zip(tiny.APART, rows, strict=True)
    )
    assert max(map(len, rows)) < 120
    assert "a machine" in total
    assert least.startswith("At least") and all(gpu.name in least for gpu in GPUS)


def test_a_run_that_does_not_fit_is_named(store, monkeypatch):
    recipe = tiny.recipe(*tiny.APART)
    fits = forecast.forecast(recipe, store, "cpu")
    assert fits.warnings == []
    monkeypatch.setattr(forecast, "room", lambda device: 1e5)
    small = forecast.forecast(recipe, store, "cpu")
    assert len(small.warnings) == 3
    assert small.rows[0].run_id in small.warnings[0]
    assert "choose smaller widths" in small.warnings[0]
    assert sum("Warning" in line for line in forecast_lines(small)) == 3


def test_the_machine_has_some_memory():
    assert 2**28 < forecast.room("cpu") < 2**50


@pytest.mark.parametrize(
    ("number", "words"), [(5e8, "0.5 G"), (3.4e12, "3.4 T"), (1.2e16, "12 P")]
)
def test_operations_in_words(number, words):
    assert forecast.in_operations(number) == f"{words} operations"


def test_seeds_change_the_cost_of_a_random_schedule_only(store):
    random = [
        dataclasses.replace(c, updates=TopKAllBottoms(k=1, rho=0.5))
        for c in (tiny.training(num_epochs=9, seed=s) for s in (0, 1, 2))
    ]
    costs = {
        row.cost for row in forecast.forecast(tiny.recipe(*random), store, "cpu").rows
    }
    assert len(costs) > 1
    rows = forecast.forecast(tiny.recipe(*tiny.SEEDS), store, "cpu").rows
    assert len({row.cost for row in rows}) == 1
