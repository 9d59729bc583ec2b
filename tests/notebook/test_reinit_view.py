"""The γ/ε explorer holds what the records hold."""

import dataclasses

import numpy as np
import pytest

from lazyrich_helpers.analysis.tables.tidy import reinit_table
from lazyrich_helpers.measures.reinit_curves import FRACTIONS
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.notebook.reinit_view import SYMBOLS, reinit_slider
from lazyrich_helpers.training.optimizers import Adam
from tests import tiny


@pytest.fixture
def records(store):
    return tiny.results(store, *tiny.WIDTHS).records


def test_every_recorded_share_is_a_stop(records):
    data = reinit_slider(records).data
    assert data["stops"] == data["fractions"] == pytest.approx(FRACTIONS, rel=1e-5)
    gamma, epsilon, *_ = data["controls"]
    assert len(gamma["labels"]) == len(epsilon["labels"]) == len(FRACTIONS) == 40


def test_curves_are_means_over_seeds_by_width(records):
    data = reinit_slider(records).data
    table = reinit_table(records)
    for symbol, scenario in SYMBOLS.items():
        assert list(data["settings"][""][symbol]) == ["6", "12"]
        for width, values in data["settings"][""][symbol].items():
            rows = table[(table.width == int(width)) & (table.scenario == scenario)]
            means = 100 * rows.groupby("fraction").accuracy.mean()
            assert values == pytest.approx(means.tolist(), abs=0.005)
    assert data["settings"][""]["note"] == "500 test images, n = 2"


def test_movement_is_the_mean_histogram(records):
    moves = reinit_slider(records).data["settings"][""]["moves"]["12"]
    runs = [r.measures["movement"] for r in records if r.columns()["width"] == 12]
    for i, layer in enumerate(moves):
        own = [run["layers"][i] for run in runs]
        moved = [1 - one["num_unmoved"] / one["num_weights"] for one in own]
        assert sum(layer["bins"]) == pytest.approx(np.mean(moved), abs=0.01)
        medians = [np.log10(one["quantiles"][3] * one["sigma_0"]) for one in own]
        places = layer["low"] + (np.arange(len(layer["bins"])) + 0.5) / 4
        below = sum(layer["bins"] * (places < np.mean(medians) - 0.5))
        assert below < 0.5 < sum(layer["bins"] * (places < np.mean(medians) + 0.5))


def test_learning_rates_and_depths_are_buttons(store):
    runs = [
        tiny.CONFIG,
        tiny.config(optimizer=Adam(lr=0.001)),
        tiny.config(model=ReluNet(width=12, depth=1)),
    ]
    made = reinit_slider(tiny.results(store, *runs).records)
    labels = {c["name"]: c["labels"] for c in made.data["controls"]}
    assert labels["lr"] == ["0.03", "0.001"] and labels["depth"] == ["1", "2"]
    assert set(made.data["settings"]) == {"0,0", "1,0", "1,1"}  # one was not run


@pytest.mark.parametrize(("start", "label"), [(0.001, "0.1 %"), (0.6, "60 %")])
def test_it_starts_at_the_share_it_is_told(records, start, label):
    assert reinit_slider(records, start=start).chosen("γ") == label


def test_what_differs_otherwise_is_not_averaged(store):
    other = tiny.training(batch_size=64)
    records = tiny.results(store, tiny.CONFIG, other).records
    with pytest.raises(ValueError, match="batch_size must be one value"):
        reinit_slider(records)


def test_without_movement_the_curves_are_shown_alone(records):
    less = [
        dataclasses.replace(r, measures={"reinit": r.measures["reinit"]})
        for r in records
    ]
    assert reinit_slider(less).data["settings"][""]["moves"] == {}


def test_no_records_are_a_sentence():
    assert reinit_slider([]).data == "Not run yet."
