"""What a store holds, in words: every run is in exactly one of them."""

import dataclasses

import pytest

from lazyrich_helpers.experiments.records import NUMERICS, Record
from lazyrich_helpers.measures.activity import Activity
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.runner.listing import in_a_line, standings, table
from tests import tiny


def words(store, *configs, measures=(Accuracy,)):
    found = standings(tiny.recipe(*configs, measures=measures), store)
    assert [standing.config for standing in found] == list(configs)
    return [standing.word for standing in found]


def test_each_run_is_what_it_is(store, monkeypatch):
    done, failed, unreadable, missing = [*tiny.APART, tiny.training(num_epochs=4)]
    tiny.finish(store, done, measures=(Accuracy,))
    store.write(Record(failed, "failed: RuntimeError: no luck: none"))
    (store.folder / f"{unreadable.run_id}.json").write_text("{")
    runs = (done, failed, unreadable, missing)
    assert words(store, *runs) == ["done", "failed", "unreadable", "missing"]
    assert words(store, done, measures=(Accuracy, Activity)) == ["partial"]
    found = standings(tiny.recipe(*runs, measures=(Accuracy,)), store)
    assert found[1].why == "RuntimeError: no luck: none"
    assert "is not a readable record" in found[2].why
    assert str(found[3]) == f"{missing.run_id} digits relu_net w=12 d=2 lr=0.03 seed=0"
    assert in_a_line(found) == (
        "4 runs, 1 recorded, 0 of them stale, 1 failed, 1 unreadable"
    )
    monkeypatch.setitem(NUMERICS, "train", 99)
    assert words(store, done) == ["stale"]


def test_the_table_has_a_line_for_each_setting(store):
    tiny.finish(store, *tiny.SEEDS, measures=(Accuracy,))
    wide = tiny.WIDTHS[0]
    runs = tiny.recipe(*tiny.SEEDS, tiny.training(seed=7), wide, measures=(Accuracy,))
    many, one = table(standings(runs, store))
    percents = [
        100 * r.curves["num_correct"][-1] / r.origin["num_test"]
        for r in (store.read(config.run_id) for config in tiny.SEEDS)
    ]
    mean = sum(percents) / 3
    spread = (sum((p - mean) ** 2 for p in percents) / 2) ** 0.5
    assert many.split("  ")[1:] == [
        "digits relu_net w=12 d=2 lr=0.03",
        f"3/4, 1 missing, {mean:.2f} ± {spread:.2f} %, 0 s each",
    ]
    assert one.split()[-3:] == ["0/1,", "1", "missing"]


def test_divergence_is_a_result_without_accuracy(store):
    tiny.finish(store, tiny.CONFIG, measures=(Accuracy,))
    record = store.read(tiny.CONFIG.run_id)
    store.write(dataclasses.replace(record, status="diverged"))
    (line,) = table(standings(tiny.recipe(measures=(Accuracy,)), store))
    assert line.endswith("1/1, 1 diverged")


def test_an_empty_recipe_has_no_lines():
    assert list(table([])) == []
    assert in_a_line([]).startswith("0 runs")


@pytest.mark.parametrize("seeds", [1, 3])
def test_one_run_has_no_spread(store, seeds):
    tiny.finish(store, *tiny.SEEDS[:seeds], measures=(Accuracy,))
    runs = tiny.recipe(*tiny.SEEDS[:seeds], measures=(Accuracy,))
    (line,) = table(standings(runs, store))
    assert ("±" in line) == (seeds > 1)
