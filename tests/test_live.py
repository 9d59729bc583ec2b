"""Live sliders and drawn frames are one figure; what they show is recomputed."""

import asyncio

import pytest
from ipywidgets import ToggleButtons

from lazyrich_helpers.analysis.tables import reinit_table
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.reinit_curves import FRACTIONS, reinit_counts
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.notebook import explorers
from lazyrich_helpers.notebook.explorers import explore, first_layer, trained_networks
from lazyrich_helpers.notebook.live import PREVIEW_IMAGES, ReinitExplorer, Resettable
from lazyrich_helpers.notebook.widgets import log_fractions, reinit_slider
from lazyrich_helpers.reinit.reinitialization import movement_order
from lazyrich_helpers.runner.kept import load_trained
from lazyrich_helpers.training.optimizers import Adam
from tests import tiny
from tests.test_widgets import image_of


@pytest.fixture
def results(store):
    return tiny.results(store, *tiny.WIDTHS)


@pytest.fixture
def explorer(results, store):
    nets = [load_trained(record, store, "cpu") for record in results.records]
    return ReinitExplorer(nets, reinit_table(results.records))


def test_live_and_frames_show_the_same_picture_at_every_share_above_zero(
    explorer, results
):
    table = reinit_table(results.records)
    _, stack = reinit_slider(table[table.lr == 0.03]).children
    fractions = log_fractions(table)
    assert len(fractions) == len(stack.children) == 12
    for fraction, frame in list(zip(fractions, stack.children, strict=True))[1:]:
        for share in explorer.shares.values():
            share.value = 100 * fraction
        explorer.settle()
        assert explorer.shown.value == frame.value, fraction


def test_live_accuracy_is_the_measured_one(results, store):
    trained = load_trained(results.records[0], store, "cpu")
    order = movement_order(trained.initial, trained.final)
    for scenario in ("active", "lazy"):
        counts = reinit_counts(trained, order, FRACTIONS, scenario)
        net = Resettable(load_trained(results.records[0], store, "cpu"))
        for fraction, count in zip(FRACTIONS, counts, strict=True):
            assert net.accuracy(scenario, fraction, 500) == count / 500


def test_any_share_can_be_chosen_not_only_recorded_ones(explorer):
    before = explorer.shown.value
    explorer.shares["active"].value = 37.3
    explorer.settle()
    alt = image_of(explorer.shown)["alt"]
    assert "γ = 37 %" in alt and explorer.shown.value != before


def test_while_a_slider_moves_one_network_of_the_width_is_shown(explorer):
    """In an event loop, as in a notebook, everything else waits until it rests."""

    async def move() -> tuple[str, str]:
        explorer.width.value = 6
        explorer.shares["active"].value = 20.0
        moving = image_of(explorer.shown)["alt"]
        note = explorer._picks["active"].note
        assert note == f"{min(PREVIEW_IMAGES, 500)} test images, n = 1"
        await asyncio.sleep(0.6)
        return moving, image_of(explorer.shown)["alt"]

    moving, resting = asyncio.run(move())
    gamma = moving.split("ε")[0]
    assert "at width 6" in gamma and "at width 12" not in gamma
    assert "at width 12" in resting.split("ε")[0]
    assert explorer._picks["active"].note == "500 test images, n = 2"


def test_learning_rates_have_buttons(store):
    rates = [tiny.config(optimizer=Adam(lr=lr)) for lr in (0.03, 0.001)]
    records = tiny.results(store, *rates).records
    nets = [load_trained(record, store, "cpu") for record in records]
    explorer = ReinitExplorer(nets, reinit_table(records))
    assert isinstance(explorer.lr, ToggleButtons)
    assert [label for label, _ in explorer.lr.options] == ["0.03", "0.001"]
    before = explorer.shown.value
    explorer.lr.value = 0.001
    assert explorer.shown.value != before


def test_a_built_page_gets_frames_and_a_notebook_sliders(monkeypatch, results, store):
    monkeypatch.setattr(explorers, "store_for", lambda _: store)
    assert len(trained_networks(results, device="cpu")) == 4
    assert isinstance(explore(results, device="cpu"), ReinitExplorer)
    monkeypatch.setenv("LAZYRICH_PAGE", "static")
    monkeypatch.setattr(explorers, "load_trained", None)  # nor are networks read
    assert not isinstance(explore(results, device="cpu"), ReinitExplorer)


def test_a_bar_says_how_far_the_reading_of_networks_is(
    monkeypatch, results, store, capsys
):
    monkeypatch.setattr(explorers, "store_for", lambda _: store)
    explore(results, device="cpu")
    # of reading them, then of ordering their parameters
    assert capsys.readouterr().err.count(" 0%|") == 2


def test_without_weights_the_records_still_show(monkeypatch, results, store):
    monkeypatch.setattr(explorers, "store_for", lambda _: store)
    for path in store.weights.iterdir():
        path.unlink()
    assert trained_networks(results, device="cpu") == []
    assert "not kept here" in first_layer(results).value
    assert not isinstance(explore(results, device="cpu"), ReinitExplorer)


def test_a_width_that_a_learning_rate_lacks_shows_no_number(store):
    """Its networks diverged, say; the sliders go on."""
    runs = [
        tiny.CONFIG,
        tiny.config(optimizer=Adam(lr=0.001), model=ReluNet(width=6, depth=2)),
    ]
    records = tiny.results(store, *runs).records
    nets = [load_trained(record, store, "cpu") for record in records]
    explorer = ReinitExplorer(nets, reinit_table(records))
    assert explorer.lr.value == 0.03

    async def move() -> str:
        explorer.width.value = 6
        explorer.shares["active"].value = 20.0
        return explorer._picks["active"].note

    assert asyncio.run(move()) == "no network of this width"


def test_the_first_layer_is_the_widest_networks(monkeypatch, results, store):
    monkeypatch.setattr(explorers, "store_for", lambda _: store)
    read, plain = [], Store.read_weights
    monkeypatch.setattr(
        Store, "read_weights", lambda self, name: read.append(name) or plain(self, name)
    )
    control, stack = first_layer(results).children
    assert len(control.options) == len(stack.children) == 10
    widest = max(results.records, key=lambda record: record.columns()["width"])
    assert read == [widest.run_id]  # a wide one fills memory: no other is read
