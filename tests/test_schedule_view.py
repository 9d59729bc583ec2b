"""A picture of a schedule shows its draws, its cost, and what was recorded of it."""

import dataclasses

import numpy as np
import pytest

from lazyrich_helpers.analysis.lws_tables import lws_table
from lazyrich_helpers.lws.schedules import BottomQ, Full, TopK, TopKAllBottoms
from lazyrich_helpers.measures.costs import backward_cost
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.notebook.schedule_view import (
    ScheduleView,
    layers_slider,
    probability_slider,
    shown_of,
)
from tests import tiny
from tests.test_widgets import image_of

RANDOM = [Full(), *(TopKAllBottoms(k=k, rho=r) for k in (1, 2) for r in (0.0, 0.5))]
STATIC = [Full(), TopK(k=1), TopK(k=2), BottomQ(q=1), BottomQ(q=2)]


def runs(schedules, seeds=(0,)):
    return [
        dataclasses.replace(tiny.training(seed=seed), updates=schedule)
        for seed in seeds
        for schedule in schedules
    ]


def alts(slider):
    stacks = slider.children[-1].children
    return [[image_of(frame)["alt"] for frame in stack.children] for stack in stacks]


def test_a_frame_for_every_probability_of_every_family(store):
    results = tiny.results(store, *runs(RANDOM))
    slider = probability_slider(results)
    buttons, control, _ = slider.children
    assert [label for label, _ in control.options] == ["0", "0.5"]
    assert [label for label, _ in buttons.options] == [
        "top 1 all bottoms",
        "top 2 all bottoms",
    ]
    table = lws_table(results.records).set_index("schedule")
    row = table[table.rho == 0.5].loc["top 1 all bottoms"]
    assert alts(slider)[0][1] == (
        f"top 1 all bottoms, ρ 0.5: {100 * row.backward:.0f} % of full training's "
        f"backward pass; test accuracy {100 * row.test_accuracy:.1f} % (n = 1 seed)."
    )


def test_what_was_not_run_still_has_its_picture(store):
    results = tiny.results(store, *runs(RANDOM))
    lacking = dataclasses.replace(results, records=results.records[:-1])
    shown = alts(probability_slider(lacking))
    assert shown[1][1].endswith("backward pass; not run yet.")
    nothing = dataclasses.replace(results, records=())
    assert all(
        alt.endswith("not run yet.") for row in alts(probability_slider(nothing))
        for alt in row
    )  # fmt: skip


def test_static_schedules_have_buttons_for_where(store):
    slider = layers_slider(tiny.results(store, *runs(STATIC)))
    buttons, control, _ = slider.children
    assert [label for label, _ in buttons.options] == ["top", "bottom"]
    assert [label for label, _ in control.options] == ["1", "2"]
    assert alts(slider)[1][1].startswith("bottom 2: ")


def test_accuracies_are_of_all_seeds(store):
    results = tiny.results(
        store, *runs([Full(), TopKAllBottoms(k=1, rho=0.5)], seeds=(0, 1))
    )
    table = lws_table(results.records)
    shown = shown_of(table, results.recipe.configs[1])
    expected = table[table.schedule == "top 1 all bottoms"].test_accuracy.tolist()
    assert list(shown.accuracies) == expected and len(expected) == 2
    assert "n = 2 seeds" in str(shown)
    assert len(set(shown.costs)) == 2  # the seeds draw other epochs
    assert shown.cost == pytest.approx(sum(shown.costs) / 2)
    alone = shown_of(table[:0], shown.config)
    assert alone.cost == backward_cost(shown.config)


def test_pictures_differ_and_come_back_the_same(store):
    results = tiny.results(store, *runs(RANDOM))
    table = lws_table(results.records)
    view = ScheduleView(table, results.recipe.configs[0])
    first, second = (shown_of(table, results.recipe.configs[i]) for i in (1, 3))
    once = np.asarray(view.picture(first)).astype(int)
    other = np.asarray(view.picture(second)).astype(int)
    again = np.asarray(view.picture(first)).astype(int)
    assert np.array_equal(once, again)
    changed = np.abs(once - other).max(2) > 60
    top, bottom = np.array_split(changed, 2)
    assert top.any() and bottom.any()


@pytest.mark.parametrize("schedule", [TopK(k=1), TopKAllBottoms(k=1, rho=0.5)])
def test_the_upper_panel_holds_the_draws(store, schedule):
    results = tiny.results(store, *runs([Full(), schedule]))
    table = lws_table(results.records)
    view = ScheduleView(table, results.recipe.configs[0])
    view.picture(shown_of(table, results.recipe.configs[1]))
    (image,) = view._plan.images
    array = np.asarray(image.get_array())
    for epoch in range(3):
        layers = schedule.plan(epoch, 0, 3, 0).layers
        assert set(array[:, epoch].nonzero()[0]) == layers


def test_other_widths_are_not_mixed_in(store):
    narrow = runs(RANDOM[:2])
    wide = [dataclasses.replace(c, model=ReluNet(width=20, depth=2)) for c in narrow]
    results = tiny.results(store, *narrow, *wide)
    table = lws_table(results.records)
    for config in (narrow[1], wide[1]):
        shown = shown_of(table, config)
        (record,) = (r for r in results.records if r.config == config)
        correct = record.curves["num_correct"][-1]
        assert shown.accuracies == (correct / record.origin["num_test"],)
    _, stack = probability_slider(results).children  # one family: no buttons
    (frame,) = stack.children
    assert image_of(frame)["alt"] == str(shown_of(table, narrow[1]))
