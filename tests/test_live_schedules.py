"""Live sliders train what they describe, once; a built page shows what is recorded."""

import asyncio
import dataclasses

import pytest

from lazyrich_helpers.lws.schedules import Full, TopK, TopKAllBottoms, TopKBottomQ
from lazyrich_helpers.notebook import live_schedules
from lazyrich_helpers.notebook.explorers import explore_schedules
from lazyrich_helpers.notebook.live_schedules import ScheduleExplorer
from lazyrich_helpers.training.loop import count_correct, new_network, train
from tests import tiny
from tests.test_widgets import image_of


@pytest.fixture
def results(store):
    schedules = [Full(), TopKAllBottoms(k=1, rho=0.1)]
    configs = [dataclasses.replace(tiny.CONFIG, updates=s) for s in schedules]
    return tiny.results(store, *configs)


@pytest.fixture
def explorer(results):
    return ScheduleExplorer(results, "cpu")


def alt(explorer):
    return image_of(explorer.shown)["alt"]


def test_sliders_name_every_schedule(explorer):
    assert explorer.config.updates == TopKAllBottoms(k=1, rho=0.1)
    explorer.q.value = 2
    assert explorer.config.updates == TopKBottomQ(k=1, q=2, rho=0.1)
    explorer.q.value, explorer.k.value = 0, 2
    assert explorer.config.updates == TopK(k=2)


def test_recorded_schedules_are_not_trained_again(explorer, monkeypatch):
    monkeypatch.setattr(live_schedules, "train", None)
    explorer.settle()
    assert "top 1 all bottoms, ρ 0.1" in alt(explorer)
    assert "test accuracy" in alt(explorer)


def test_a_new_schedule_is_trained_once_as_a_plain_run_would(explorer, monkeypatch):
    explorer.rho.value = 0.5  # outside an event loop it trains at once
    config = explorer.config
    data = config.data.load()
    network = new_network(config, data)
    list(train(network, data, config))
    accuracy = count_correct(network, data.test, "highest") / len(data.test)
    assert f"test accuracy {100 * accuracy:.1f} % (n = 1 seed)" in alt(explorer)
    monkeypatch.setattr(live_schedules, "train", None)
    explorer.rho.value = 0.1
    explorer.rho.value = 0.5
    assert "top 1 all bottoms, ρ 0.5" in alt(explorer)


def test_what_it_saves_is_shown_before_it_is_trained(explorer):
    async def move() -> tuple[str, str, str]:
        explorer.k.value = 2
        moving, note = alt(explorer), explorer.note.value
        await asyncio.sleep(1.5)
        return moving, note, alt(explorer)

    moving, note, resting = asyncio.run(move())
    assert "top 2 all bottoms" in moving and moving.endswith("not run yet.")
    assert "when the sliders rest" in note
    assert "test accuracy" in resting and explorer.note.value == ""


def test_a_built_page_has_frames_instead(results, monkeypatch):
    assert isinstance(explore_schedules(results, device="cpu"), ScheduleExplorer)
    monkeypatch.setenv("LAZYRICH_PAGE", "static")
    assert not isinstance(explore_schedules(results, device="cpu"), ScheduleExplorer)
