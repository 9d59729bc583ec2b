"""Step times stand beside their bounds; a schedule costs the mean of its epochs."""

import dataclasses
import json
import math

import pandas as pd
import pytest

from lazyrich_helpers.analysis.tables.lws import lws_table
from lazyrich_helpers.analysis.tables.timing import (
    anatomy,
    expected_costs,
    of_schedule,
    phase_quartiles,
    recorded_anatomy,
    recorded_times,
    with_clock,
)
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.lws.schedules import RandomUniform, TopK, TopKAllBottoms
from lazyrich_helpers.measures.costs import backward_flops, forward_flops
from lazyrich_helpers.measures.times import StepTimes, timed_plans
from lazyrich_helpers.measures.timing import PHASES
from lazyrich_helpers.models.convnets import VGG5, VGG11
from lazyrich_helpers.models.flops import layer_flops
from tests import tiny

FLOPS = layer_flops(tiny.CONFIG.blueprint(), (1, 8, 8))
BATCH = tiny.CONFIG.training.batch_size
PLANS = {"full": {0, 1, 2}, "top 1": {2}, "bottom 1": {0}}
SECONDS = {  # data, forward, backward, optimizer
    "full": (0.001, 0.010, 0.020, 0.002),
    "top 1": (0.001, 0.010, 0.004, 0.001),
    "bottom 1": (0.001, 0.010, 0.018, 0.001),
}


@pytest.fixture
def times():
    rows = [
        (plan, step, phase, seconds * (step + 1))
        for plan, phases in SECONDS.items()
        for step in range(3)
        for phase, seconds in zip(PHASES, phases, strict=True)
    ]
    return pd.DataFrame(rows, columns=["plan", "step", "phase", "seconds"])


@pytest.fixture
def record(monkeypatch):
    monkeypatch.setattr("lazyrich_helpers.measures.times.NUM_STEPS", 2)
    result = StepTimes().result(tiny.ended(tiny.begun()))
    measured = {StepTimes.name: {"version": 1} | result}
    return tiny.record(tiny.CONFIG, measures=json.loads(json.dumps(measured)))


def test_every_schedule_of_section_6_is_timed():
    for model, num_layers in ((VGG5(), 12), (VGG11(), 11)):
        timed = set(timed_plans(num_layers).values())
        shape = (3, 32, 32)
        assert len(model.build(shape, 10).layers) == num_layers
        names = ("figure-7-vgg5", "figure-10-vgg5", "figure-7-vgg11", "table-1")
        for config in (c for n in names for c in make_recipe(n, "paper").configs):
            for epoch in range(20):
                plan = config.updates.plan(epoch, 0, num_layers, 0)
                assert plan.layers in timed, config.updates


@pytest.mark.parametrize("num_layers", [3, 4, 5])
def test_small_networks_have_fewer_plans_each_once(num_layers):
    plans = timed_plans(num_layers)
    assert len(set(plans.values())) == len(plans)
    assert plans["full"] == frozenset(range(num_layers))


def test_anatomy_by_hand(times):
    table = anatomy(times, PLANS, FLOPS, BATCH).set_index("plan")
    full, top, bottom = (table.loc[plan] for plan in PLANS)
    assert full[[*PHASES]].tolist() == pytest.approx([2, 20, 40, 4])  # the second step
    assert full.total == pytest.approx(66) and full.ratio == full.bound == 1
    assert top.ratio == pytest.approx(0.2) == top.low == top.high
    assert bottom.total_ratio == pytest.approx(30 / 33)
    forward, backward = forward_flops(FLOPS), backward_flops(FLOPS, range(3))
    assert top.bound == pytest.approx(FLOPS[2][0] / backward)
    share = (forward + FLOPS[2][0]) / (forward + backward)
    assert top.total_bound == pytest.approx(share)
    assert full.speed == pytest.approx(BATCH * backward / 1e9 / 0.040)
    assert top.speed == pytest.approx(BATCH * FLOPS[2][0] / 1e9 / 0.008)


def test_plans_may_be_told_in_any_order(times):
    backwards = dict(reversed(PLANS.items()))
    table = anatomy(times, backwards, FLOPS, BATCH)
    pd.testing.assert_frame_equal(table, anatomy(times, PLANS, FLOPS, BATCH))


def test_phases_have_their_spread_and_their_bound(times):
    parts = anatomy(times, PLANS, FLOPS, BATCH)
    table = phase_quartiles(times, parts)
    assert list(table.index) == list(PLANS)
    assert list(dict.fromkeys(phase for phase, _ in table)) == [*PHASES, "total"]
    steps = ["median", "low", "high"]  # of 1, 2 and 3 times the seconds
    assert table.loc["top 1", "backward"][steps].tolist() == pytest.approx([8, 6, 10])
    assert table.loc["full", "total"][steps].tolist() == pytest.approx([66, 49.5, 82.5])
    bounds = parts.set_index("plan")
    for plan in PLANS:
        own = table.loc[plan]
        assert own["backward", "bound"] == pytest.approx(40 * bounds.bound[plan])
        assert own["total", "bound"] == pytest.approx(66 * bounds.total_bound[plan])
    assert "bound" not in table["optimizer"] and "bound" not in table["forward"]


def test_the_measure_survives_a_record(record):
    found, plans = recorded_times(record)
    assert plans == timed_plans(3)
    assert set(found.value_counts(["plan", "phase"])) == {2}
    assert (found.seconds > 0).all()
    table = recorded_anatomy(record)
    assert list(table.plan) == list(plans)
    assert not table.isna().to_numpy().any()
    measured = record.measures[StepTimes.name]["plans"]
    assert measured["top 1"]["bytes"]["gradients"] == 4 * 10 * 13


def test_a_schedule_costs_the_mean_of_its_epochs():
    config = tiny.config(num_epochs=50, updates=TopKAllBottoms(k=1, rho=0.3))
    values = {frozenset({0, 1, 2}): 1.0, frozenset({2}): 0.1}
    deep = [len(config.updates.plan(e, 0, 3, 0).layers) == 3 for e in range(50)]
    expected = (sum(deep) + 0.1 * (50 - sum(deep))) / 50
    assert of_schedule(tiny.record(config), values) == pytest.approx(expected)
    by_step = dataclasses.replace(config.updates, draw="step")
    for other in (RandomUniform(), by_step):
        random = dataclasses.replace(config, updates=other)
        assert math.isnan(of_schedule(tiny.record(random), values))


@pytest.mark.parametrize("k", [1, 2])
def test_expected_costs_are_the_mean_of_epochs_that_are_drawn(k):
    """Against a plain account of what each of many epochs computes."""
    schedule, num = TopKAllBottoms(k=k, rho=0.3), 20_000
    all_of_it, top = range(3), range(3 - k, 3)
    below, above = (forward_flops(part) for part in (FLOPS[:-k], FLOPS[-k:]))
    full = forward_flops(FLOPS) + backward_flops(FLOPS, all_of_it)
    backward, step, cached, fresh = 0, 0, 0, True
    for epoch in range(num):
        deep = len(schedule.plan(epoch, 0, 3, 0).layers) == 3
        own = backward_flops(FLOPS, all_of_it if deep else top)
        backward += own
        step += forward_flops(FLOPS) + own
        cached += full if deep else above + own + below * (not fresh)
        fresh = not deep
    found = expected_costs(FLOPS, k, [0.3]).loc[0.3]
    of_backward = num * backward_flops(FLOPS, all_of_it)
    assert found["backward"] == pytest.approx(backward / of_backward, abs=0.01)
    assert found["step"] == pytest.approx(step / (num * full), abs=0.01)
    assert found["cached"] == pytest.approx(cached / (num * full), abs=0.01)


def test_a_table_of_runs_gets_its_clock(record):
    full = tiny.CONFIG
    top = dataclasses.replace(full, updates=TopK(k=1))
    records = [tiny.record(config, 900) for config in (full, top)]
    table = with_clock(lws_table(records), records, [record]).set_index("schedule")
    assert table.loc["full", ["clock_backward", "clock_total", "total"]].tolist() == [
        1, 1, 1
    ]  # fmt: skip
    parts = recorded_anatomy(record).set_index("plan").loc["top 1"]
    own = table.loc["top 1"]
    assert own.clock_backward == pytest.approx(parts.ratio)
    assert own.clock_total == pytest.approx(parts.total_ratio)
    assert (own.backward, own.total) == pytest.approx((parts.bound, parts.total_bound))
    none = with_clock(lws_table(records), records, [])
    assert none.clock_total.isna().all() and none.total.notna().all()
