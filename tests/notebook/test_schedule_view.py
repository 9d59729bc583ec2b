"""An explorer shows a schedule's draws, its cost, and what was recorded of it."""

import dataclasses

import numpy as np
import pytest

from lazyrich_helpers.analysis.tables import lws as lws_tables
from lazyrich_helpers.lws.schedules import (
    BottomQ,
    Full,
    TopBottom,
    TopK,
    TopKAllBottoms,
    TopKBottomQ,
)
from lazyrich_helpers.measures.costs import backward_cost
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.notebook import schedule_view
from lazyrich_helpers.notebook.schedule_view import (
    Schedules,
    layers_slider,
    probability_slider,
)
from tests import tiny

RANDOM = [Full(), *(TopKAllBottoms(k=k, rho=r) for k in (1, 2) for r in (0.1, 0.5))]
STATIC = [Full(), TopK(k=1), TopK(k=2), BottomQ(q=1), BottomQ(q=2)]


def runs(schedules, seeds=(0,)):
    return [
        dataclasses.replace(tiny.training(seed=seed), updates=schedule)
        for seed in seeds
        for schedule in schedules
    ]


def labels(explorer):
    return {c["name"]: c["labels"] for c in explorer.data["controls"]}


def test_a_stop_for_every_probability_of_every_schedule(store):
    results = tiny.results(store, *runs(RANDOM))
    made = probability_slider(results)
    rows = ["top 1 all bottoms", "top 2 all bottoms"]
    assert labels(made) == {"stop": ["0.1", "0.5", "1"], "row": rows}
    assert made.chosen("stop") == "0.1"
    table = lws_tables.lws_table(results.records).set_index("schedule")
    row = table[table.rho == 0.5].loc["top 1 all bottoms"]
    cell = made.data["cells"]["0,0,1"]
    assert cell["words"] == (
        f"top 1 all bottoms, ρ 0.5: {100 * row.backward:.0f} % of full training's "
        f"backward FLOPs; test accuracy {100 * row.test_accuracy:.1f} % (n = 1)."
    )
    assert cell["error"] == pytest.approx(100 * (1 - row.test_accuracy), abs=0.005)
    assert cell["cost"] == pytest.approx(row.backward, abs=5e-5)
    assert cell["curve"][-1] == pytest.approx(cell["error"], rel=0.005)
    assert made.data["networks"][0]["epochs"][-1] == 3


def test_the_ends_are_the_schedules_without_chance(store):
    own = [TopKBottomQ(k=1, q=1, rho=0.5), TopKAllBottoms(k=1, rho=0.5)]
    static = tiny.results(store, *runs([Full(), TopK(k=1), TopBottom(k=1, q=1)]))
    both = probability_slider(tiny.results(store, *runs(own)), static)
    assert labels(both)["stop"] == ["0", "0.5", "1"]
    ends = [both.data["cells"][f"0,{i},{j}"]["words"] for i in (0, 1) for j in (0, 2)]
    assert [words.split(":")[0] for words in ends] == [
        "top 1", "top 1 bottom 1", "top 1", "full"
    ]  # fmt: skip


def test_what_was_not_run_still_has_its_draws(store):
    results = tiny.results(store, *runs(RANDOM))
    nothing = probability_slider(dataclasses.replace(results, records=()))
    assert len(nothing.data["cells"]) == 4
    for cell in nothing.data["cells"].values():
        assert cell["words"].endswith("backward FLOPs; not run yet.")
        assert cell["error"] is None and len(cell["epochs"]) == 3


def test_static_schedules_have_buttons_for_where(store):
    made = layers_slider(tiny.results(store, *runs(STATIC)), start=2)
    assert labels(made) == {"stop": ["1", "2"], "row": ["top", "bottom"]}
    assert made.chosen("stop") == "2"
    assert made.data["cells"]["0,1,1"]["words"].startswith("bottom 2: ")
    assert layers_slider(tiny.results(store, *runs([Full()]))).data == "Not run yet."


def test_accuracies_are_of_all_seeds(store):
    schedule = TopKAllBottoms(k=1, rho=0.5)
    results = tiny.results(store, *runs([Full(), schedule], seeds=(0, 1)))
    table = lws_tables.lws_table(results.records)
    rows = table[table.schedule == "top 1 all bottoms"]
    assert rows.backward.nunique() == 2  # the seeds draw other epochs
    cell = Schedules(results).cell(schedule)
    assert cell["n"] == 2
    assert cell["error"] == pytest.approx(100 * (1 - rows.test_accuracy.mean()))
    assert cell["cost"] == pytest.approx(rows.backward.mean(), abs=5e-5)
    alone = Schedules(dataclasses.replace(results, records=())).cell(schedule)
    assert alone["cost"] == backward_cost(results.recipe.configs[1])


@pytest.mark.parametrize("schedule", [TopK(k=1), TopKAllBottoms(k=1, rho=0.5)])
def test_the_draws_are_the_first_seeds(store, schedule):
    cell = Schedules(tiny.results(store, *runs([Full(), schedule]))).cell(schedule)
    for epoch, letter in enumerate(cell["epochs"]):
        layers = schedule.plan(epoch, 0, 3, 0).layers
        drawn = cell["plans"][ord(letter) - ord("a")]
        assert {i for i in range(3) if drawn[i] == "1"} == layers


def test_other_widths_are_not_mixed_in(store):
    narrow = runs(RANDOM[:2])
    wide = [dataclasses.replace(c, model=ReluNet(width=20, depth=2)) for c in narrow]
    results = tiny.results(store, *narrow, *wide)
    made = probability_slider(results)
    (record,) = (r for r in results.records if r.config == narrow[1])
    accuracy = record.curves["num_correct"][-1] / record.origin["num_test"]
    cell = made.data["cells"]["0,0,0"]
    assert cell["n"] == 1 and cell["error"] == pytest.approx(100 * (1 - accuracy))
    assert len(made.data["networks"][0]["points"]) == 2


def test_the_papers_value_stands_beside_ours(store, monkeypatch):
    mine = {"dataset": "digits", "model": "relu_net", "init": "xavier_normal"}
    monkeypatch.setattr(schedule_view, "TABLE_1", mine)
    schedule = TopKAllBottoms(k=1, rho=0.5)
    network = Schedules(tiny.results(store, *runs([Full(), schedule])))
    cell = network.cell(schedule)
    assert cell["paper"] == {"cost": pytest.approx(0.5, abs=0.01), "error": 11.29}
    assert cell["words"].endswith("; in the paper 88.7 %.")
    monkeypatch.setitem(mine, "dataset", "cifar10")
    other = Schedules(tiny.results(store, *runs([Full(), schedule])))
    assert "paper" not in other.cell(schedule)


def test_the_overview_has_every_schedule_that_was_run(store):
    results = tiny.results(store, *runs(RANDOM))
    overview = Schedules(results).overview()
    assert len(overview["points"]) == len(RANDOM)
    (full,) = (point for point in overview["points"] if point["name"] == "full")
    assert full["cost"] == 1 and overview["full"][-1] == full["error"]
    assert np.isfinite([point["error"] for point in overview["points"]]).all()
