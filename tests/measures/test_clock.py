"""The clock runs from the first step on; a goal is reached when it is seen."""

import dataclasses
from typing import Any

import pytest

from lazyrich_helpers.analysis.tables.lws import clock_table
from lazyrich_helpers.lws.schedules import Full, TopKAllBottoms
from lazyrich_helpers.measures import times
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.times import Clock
from lazyrich_helpers.measures.updates import Updates
from lazyrich_helpers.runner.batch import complete
from lazyrich_helpers.runner.progress import Lines
from lazyrich_helpers.training import loop
from tests import tiny


def record(updates, seconds, correct, seed=0, status="ok", num_full=0):
    config = tiny.config(seed=seed, updates=updates)
    epochs = list(range(1, len(correct) + 1))
    curves = {"epoch": epochs, "train_loss": [1.0] * len(epochs)}
    measures: dict[str, Any] = {
        "clock": {"seconds": seconds, "threads": 1},
        "updates": {"num_full": num_full},
    }
    return tiny.record(
        config,
        status=status,
        curves=curves | {"num_correct": correct},
        measures=measures,
        origin={"num_test": 100},
    )


def test_seconds_include_evaluations_and_no_pause(store, monkeypatch):
    seconds, count = [10.0], loop.count_correct

    def slowly(*args, **options):
        seconds[0] += 2
        return count(*args, **options)

    monkeypatch.setattr(loop, "count_correct", slowly)
    monkeypatch.setattr(times, "now", lambda device: seconds[0])
    config = tiny.config(num_epochs=4)
    recipe = tiny.recipe(config, measures=(Clock, Accuracy))
    recipe = dataclasses.replace(recipe, eval_every=2)
    complete(recipe, store, device="cpu", progress=Lines())
    measured = store.read(config.run_id).measures["clock"]
    assert measured["seconds"] == [0, 2, 2, 4]
    assert Clock.watches  # a run made in another's company is made again


def test_ratios_are_to_full_training_of_the_same_seed():
    fast = TopKAllBottoms(k=1, rho=0.1)
    records = [
        record(Full(), [30, 60, 120], [None, 80, 90], num_full=3),
        record(Full(), [60, 120, 240], [None, 80, 90], seed=1, num_full=3),
        record(fast, [6, 12, 24], [None, 89, 88], num_full=1),
        record(fast, [6, 12, 24], [None, 70, 88], seed=1, num_full=1),
    ]
    table = clock_table(records)
    assert table.minutes.tolist() == [2, 4, 0.4, 0.4]
    assert table.ratio.tolist() == pytest.approx([1, 1, 0.2, 0.1])
    assert table.minutes_to.tolist()[:3] == pytest.approx([2, 4, 0.2])
    assert table.minutes_to.isna().tolist() == [False, False, False, True]
    assert table.minutes_before.tolist()[:3] == pytest.approx([1, 2, 0])
    assert table.num_full.tolist() == [3, 3, 1, 1]


def test_runs_without_a_clock_are_left_out():
    plain = record(Full(), [1], [50])
    plain.measures.pop("clock")
    assert clock_table([plain]).empty and Updates.name in plain.measures


def test_times_of_different_machines_are_not_compared():
    slow = record(Full(), [30, 60, 120], [None, 80, 90])
    fast = record(TopKAllBottoms(k=1, rho=0.1), [1, 2, 3], [None, 80, 90])
    fast.measures["clock"]["threads"] = 2
    with pytest.raises(ValueError, match="the machine must be one in a table"):
        clock_table([slow, fast])
