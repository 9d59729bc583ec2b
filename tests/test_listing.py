"""What a store holds, in lines for a terminal."""

import dataclasses

from lazyrich_helpers.experiments.recipes import states
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.runner.listing import counted, table
from tests import tiny


def lines(store, *configs) -> list[str]:
    return list(table(states(tiny.recipe(*configs, measures=(Accuracy,)), store)))


def test_words_are_counted_in_their_order():
    words = ["missing", "recorded", "failed", "missing"]
    assert counted(words) == "1 recorded, 1 failed, 2 missing"
    assert counted([]) == ""


def test_the_table_has_a_line_for_each_setting(store):
    tiny.finish(store, *tiny.SEEDS, measures=(Accuracy,))
    many, one = lines(store, *tiny.SEEDS, tiny.training(seed=7), tiny.WIDTHS[0])
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
    (alone,) = lines(store)
    assert " 1/1, " in alone and "±" not in alone, "one run has no spread"
    record = store.read(tiny.CONFIG.run_id)
    store.write(dataclasses.replace(record, status="diverged"))
    assert lines(store)[0].endswith("1/1, 1 diverged")
