"""Live sliders and recorded ones show the same; what they show is recomputed."""

import asyncio

import pytest

from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.notebook import explorers
from lazyrich_helpers.notebook.explorers import explore, first_layer, trained_networks
from lazyrich_helpers.notebook.live import PREVIEW_IMAGES, ReinitExplorer, Resettable
from lazyrich_helpers.notebook.reinit_view import SYMBOLS, reinit_slider
from lazyrich_helpers.runner.kept import load_trained
from lazyrich_helpers.training.optimizers import Adam
from tests import tiny


@pytest.fixture
def results(store):
    return tiny.results(store, *tiny.WIDTHS)


def networks(records, store):
    return [load_trained(record, store, "cpu") for record in records]


@pytest.fixture
def explorer(results, store):
    return ReinitExplorer(networks(results.records, store), results.records)


def move(explorer, **places):
    explorer.state = {**explorer.state, **places}


def test_live_values_are_the_recorded_ones_at_every_recorded_share(explorer, results):
    recorded = reinit_slider(results.records).data
    curves = recorded["settings"][""]
    for place, fraction in enumerate(recorded["fractions"]):
        stop = explorer.data["stops"].index(fraction)
        move(explorer, γ=stop, ε=stop)
        for symbol in SYMBOLS:
            values = {width: curve[place] for width, curve in curves[symbol].items()}
            assert explorer.live[symbol] == values, fraction
    assert explorer.live["note"] == curves["note"] == "500 test images, n = 2"


def test_shares_between_the_recorded_ones_can_be_chosen(explorer, results, store):
    (place,) = (i for i, s in enumerate(explorer.data["stops"]) if 0.355 > s > 0.354)
    assert explorer.data["stops"][place] not in explorer.data["fractions"]
    move(explorer, γ=place)
    nets = map(Resettable, networks(results.records[:2], store))
    accuracies = [
        n.accuracy("active", explorer.data["stops"][place], 500) for n in nets
    ]
    assert explorer.live["γ"]["6"] == pytest.approx(50 * sum(accuracies))
    assert explorer.live["state"] == explorer.state


def test_while_a_slider_moves_one_network_of_the_width_is_shown(explorer):
    """In an event loop, as in a notebook, everything else waits until it rests."""

    async def slide() -> tuple[dict, dict]:
        move(explorer, width=0)
        move(explorer, γ=90)
        moving = explorer.live
        await asyncio.sleep(0.6)
        return moving, explorer.live

    moving, resting = asyncio.run(slide())
    assert list(moving["γ"]) == ["6"] and list(moving["ε"]) == ["6", "12"]
    assert moving["note"] == f"{min(PREVIEW_IMAGES, 500)} test images, n = 1"
    assert list(resting["γ"]) == ["6", "12"]
    assert resting["note"] == "500 test images, n = 2"


def test_another_learning_rate_is_evaluated_at_once(store):
    rates = [tiny.config(optimizer=Adam(lr=lr)) for lr in (0.03, 0.001)]
    records = tiny.results(store, *rates).records
    explorer = ReinitExplorer(networks(records, store), records)
    before = explorer.live["γ"]
    move(explorer, lr=1)
    assert explorer.chosen("lr") == "0.001" and explorer.live["γ"] != before


def test_a_width_that_a_learning_rate_lacks_shows_no_number(store):
    """Its networks diverged, say; the sliders go on."""
    runs = [
        tiny.CONFIG,
        tiny.config(optimizer=Adam(lr=0.001), model=ReluNet(width=6, depth=2)),
    ]
    records = tiny.results(store, *runs).records
    explorer = ReinitExplorer(networks(records, store), records)
    assert explorer.chosen("lr") == "0.03"

    async def slide() -> dict:
        move(explorer, width=0)
        move(explorer, γ=90)
        return explorer.live

    live = asyncio.run(slide())
    assert live["γ"] == {} and live["note"] == "no network of this width"


def test_a_built_page_gets_records_and_a_notebook_networks(monkeypatch, results, store):
    monkeypatch.setattr(explorers, "store_for", lambda _: store)
    assert len(trained_networks(results, device="cpu")) == 4
    live = explore(results, device="cpu", start=0.5)
    assert isinstance(live, ReinitExplorer) and live.chosen("γ") == "50 %"
    monkeypatch.setenv("LAZYRICH_PAGE", "static")
    monkeypatch.setattr(explorers, "load_trained", None)  # nor are networks read
    static = explore(results, device="cpu", start=0.5)
    assert not isinstance(static, ReinitExplorer) and static.chosen("γ") == "50 %"


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
    assert "not kept here" in first_layer(results).data
    assert not isinstance(explore(results, device="cpu"), ReinitExplorer)


def test_the_first_layer_is_the_widest_networks(monkeypatch, results, store):
    monkeypatch.setattr(explorers, "store_for", lambda _: store)
    read, plain = [], Store.read_weights
    monkeypatch.setattr(
        Store, "read_weights", lambda self, name: read.append(name) or plain(self, name)
    )
    made = first_layer(results)
    assert len(made.data["frames"]) == 10 and made.chosen("stop") == "10 %"
    widest = max(results.records, key=lambda record: record.columns()["width"])
    assert read == [widest.run_id]  # a wide one fills memory: no other is read
