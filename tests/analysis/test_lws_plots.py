"""Pictures of schedules show their plans; bars and markers show their tables."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lazyrich_helpers.analysis.figures import lws as lws_plots
from lazyrich_helpers.analysis.figures.lws import (
    FAMILIES,
    static_error_against_cost,
)
from lazyrich_helpers.analysis.figures.style import legend_above
from lazyrich_helpers.lws.schedules import (
    BottomQ,
    Full,
    Middle,
    RandomBeta,
    RandomUniform,
    TopBottom,
    TopK,
    TopKAllBottoms,
    TopKBottomQ,
    in_words,
)
from lazyrich_helpers.measures.updates import updated_layers
from tests import tiny

NAN = float("nan")


@pytest.fixture
def table():
    def rows(schedule, *results):
        fields = schedule.to_dict()
        columns = {"schedule": in_words(schedule), "updates": fields.pop("kind")}
        names = ("seed", "test_accuracy", "backward")
        return [
            columns | fields | dict(zip(names, row, strict=True)) for row in results
        ]

    return pd.DataFrame(
        [
            *rows(Full(), (0, 0.90, 1.0), (1, 0.94, 1.0)),
            *rows(TopKAllBottoms(k=1, rho=0.1), (0, 0.80, 0.12), (1, 0.84, 0.08)),
            *rows(TopKAllBottoms(k=1, rho=0.5), (0, 0.90, 0.5)),
            *rows(TopKBottomQ(k=4, q=4, rho=0.1), (0, 0.70, 0.2)),
            *rows(TopKBottomQ(k=4, q=1, rho=0.1), (0, 0.65, 0.1)),
            *rows(RandomUniform(), (0, 0.60, 0.4)),
            *rows(TopK(k=4), (0, 0.30, 0.0)),
            *rows(Middle(), (0, 0.85, 0.9)),
        ]
    ).assign(lr=0.1)


def test_a_picture_has_a_row_per_layer_and_a_column_per_epoch(ax):
    schedule = TopBottom(k=1, q=2)
    updated = updated_layers(schedule, num_layers=5, num_epochs=3, seed=0)
    lws_plots.layer_picture(updated, ax)
    (image,) = ax.images
    shown = np.asarray(image.get_array())
    assert shown[:, 0].tolist() == [1, 1, 0, 0, 1] and shown.shape == (5, 3)
    assert image.origin == "lower"
    assert tuple(image.get_extent()) == (0.5, 3.5, 0.5, 5.5)


def test_a_picture_shows_what_was_drawn():
    schedule = RandomUniform()
    shown = updated_layers(schedule, num_layers=6, num_epochs=9, seed=4)
    for epoch in range(9):
        layers = schedule.plan(epoch, 0, 6, 4).layers
        assert set(shown[:, epoch].nonzero()[0]) == layers


def test_bars_are_means_from_chance_upwards(ax, table):
    lws_plots.accuracy_bars(table, ax)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[:3] == ["full", "top 1 all bottoms, ρ 0.1", "top 1 all bottoms, ρ 0.5"]
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches]
    assert ends == pytest.approx([92, 82, 90, 70, 65, 60, 30, 85])
    assert {bar.get_x() for bar in ax.patches} == {10}
    assert ax.lines[-1].get_xdata()[0] == pytest.approx(92)


def test_error_stands_over_cost_and_markers_grow_with_the_probability(ax, table):
    lws_plots.error_against_cost(table, ax)
    drawn = [c for c in ax.collections if hasattr(c, "get_sizes")]
    places = {
        (round(x, 3), round(y, 3)): part.get_sizes()[0]
        for part in drawn
        for x, y in part.get_offsets()
    }
    assert places[0.1, 18.0] == 30 and places[0.5, 10.0] == 90
    assert {(1.0, 8.0), (0.2, 30.0), (0.4, 40.0), (0.0, 70.0)} <= set(places)
    named = ax.get_legend_handles_labels()[1]
    assert len(named) == len({*named}) == 7 and ax.get_yscale() == "log"
    looks = {  # of the legend's markers
        (
            tuple(part.get_edgecolors()[0]),
            len(part.get_facecolors()),
            part.get_paths()[0].vertices.tobytes(),
        )
        for part in drawn
        if not len(part.get_offsets())
    }
    assert len(looks) == 7


def test_a_measured_cost_names_its_axis(ax, table):
    timed = table.assign(seconds=5.0)
    lws_plots.error_against_cost(timed, ax, "seconds", "seconds of training")
    assert ax.get_xlabel() == "seconds of training"


def look(schedule):
    return lws_plots.look(pd.DataFrame([tiny.config(updates=schedule).columns()]))


def test_any_schedule_has_a_look():
    others = [Full(), TopK(k=2), Middle(), RandomUniform(), RandomBeta()]
    others += [TopKAllBottoms(k=2, rho=0.1), TopKBottomQ(k=2, q=2, rho=0.1)]
    others += [TopKBottomQ(k=2, q=1, rho=0.1), tiny.Mask(mask="1")]
    assert len({look(each) for each in others}) == len(others)
    assert look(TopKBottomQ(k=4, q=12, rho=0.1)) == look(TopBottom(k=2, q=2))
    assert look(BottomQ(q=1)) == look(BottomQ(q=2))


def test_one_layer_at_the_top_is_hollow_and_ten_are_not():
    one, ten = (look(TopKAllBottoms(k=k, rho=0.1)) for k in (1, 10))
    assert (one.hollow, ten.hollow) == (True, False)
    faces = [each.style["facecolors"] for each in (one, ten)]
    assert faces == ["none", ten.color]
    assert one[:2] == ten[:2]


def test_settings_are_not_mixed(ax, table):
    mixed = pd.concat([table, table.assign(lr=0.2)])
    for draw in (lws_plots.accuracy_bars, lws_plots.error_against_cost):
        with pytest.raises(ValueError, match="lr must be one value"):
            draw(mixed, ax)


def test_phases_are_stacked_and_the_mark_is_the_bound(ax):
    rows = [
        ("full", 1.0, 10.0, 20.0, 2.0, 33.0, 1.0),
        ("top 1", 1.0, 10.0, 1.0, 0.5, 12.5, 0.4),
    ]
    names = ["plan", *lws_plots.PHASE_COLORS, "total", "total_bound"]
    lws_plots.phase_bars(pd.DataFrame(rows, columns=names), ax)
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches]
    assert ends[-2:] == [33.0, 12.5] and len(ends) == 8
    (marks,) = ax.lines
    assert list(marks.get_xdata()) == pytest.approx([33.0, 13.2])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["full", "top 1"]


def test_trainings_are_drawn_over_what_was_spent():
    rows = [
        (schedule, rho, seed, epoch, epoch * cost, 2.0 / epoch + seed, error)
        for schedule, rho, cost in [("top 4 all bottoms", 0.5, 0.6), ("full", NAN, 1.0)]
        for seed in (0, 1)
        for epoch, error in ((1, NAN), (2, 50 - 20.0 * seed), (3, 20.0))
    ]
    names = ["schedule", "rho", "seed", "epoch", "spent", "train_loss", "error"]
    table = pd.DataFrame(rows, columns=names).assign(updates="any", width=16)
    figure, (left, right) = plt.subplots(1, 2)
    lws_plots.courses(table, left, value="train_loss")
    lws_plots.courses(table, right, "epoch", "epochs")
    sparse, full = left.lines
    assert list(full.get_xdata()) == [1, 2, 3] and full.get_color() == "black"
    assert list(sparse.get_xdata()) == pytest.approx([0.6, 1.2, 1.8])
    assert sparse.get_linestyle() != full.get_linestyle()
    assert list(full.get_ydata()) == pytest.approx([2.5, 1.5, 2 / 3 + 0.5])
    assert list(right.lines[0].get_xdata()) == [2, 3]
    assert list(right.lines[0].get_ydata()) == pytest.approx([40, 20])
    legend_above(figure)
    (legend,) = figure.legends  # of both panels, each line once
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["top 4 all bottoms, ρ 0.5", "full"]


def test_static_schedules_are_named_by_family_and_numbered(ax):
    kinds = {TopK(k=1): 0.5, TopK(k=4): 0.6, BottomQ(q=1): 0.2}
    kinds[TopBottom(k=1, q=1)] = 0.7
    rows = [
        {"schedule": in_words(each), "updates": each.to_dict()["kind"], "lr": 0.1}
        | {"seed": 0, "test_accuracy": accuracy, "backward": 0.1 * place, "rho": NAN}
        for place, (each, accuracy) in enumerate(kinds.items())
    ]
    static_error_against_cost(pd.DataFrame(rows), ax)
    found = {handle.get_label() for handle in ax.get_legend_handles_labels()[0]}
    assert found == {"top layers", "bottom layers", "as many at either end"}
    assert sorted(text.get_text() for text in ax.texts) == ["1", "1", "1", "4"]


def test_numbers_of_markers_that_meet_stand_side_by_side(ax):
    rows = [
        {"schedule": f"top {k}", "updates": "top_k", "lr": 0.1, "seed": 0, "rho": NAN}
        | {"test_accuracy": accuracy, "backward": 0.0}
        for k, accuracy in ((1, 0.2), (2, 0.21), (3, 0.6))
    ]
    static_error_against_cost(pd.DataFrame(rows), ax)
    left = {text.get_text(): text.xyann[0] for text in ax.texts}
    assert left["1"] == left["3"] < left["2"]


def test_families_of_static_schedules_have_looks_of_their_own():
    looks = [
        lws_plots.look(pd.DataFrame([{"updates": kind, "k": 1, "q": 1}]))
        for kind in FAMILIES
    ]
    assert len({(each.color, each.marker) for each in looks}) == len(looks)
    assert not any(each.hollow for each in looks)
