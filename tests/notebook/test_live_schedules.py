"""Live sliders train what they describe, once; a built page shows what is recorded."""

import asyncio
import dataclasses

import pytest

from lazyrich_helpers.lws.schedules import Full, TopK, TopKAllBottoms, TopKBottomQ
from lazyrich_helpers.notebook import live_schedules
from lazyrich_helpers.notebook.explorers import explore_schedules
from lazyrich_helpers.notebook.live_schedules import PROBABILITIES, ScheduleExplorer
from lazyrich_helpers.training.loop import count_correct, new_network, train
from tests import tiny


@pytest.fixture
def results(store):
    schedules = [Full(), TopKAllBottoms(k=1, rho=0.1)]
    configs = [dataclasses.replace(tiny.CONFIG, updates=s) for s in schedules]
    return tiny.results(store, *configs)


@pytest.fixture
def explorer(results):
    return ScheduleExplorer(results, "cpu")


def move(explorer, **places):
    explorer.state = {**explorer.state, **places}


def words(explorer):
    return explorer.live["cell"]["words"]


HALF = PROBABILITIES.index(0.5)


def test_sliders_name_every_schedule(explorer):
    assert explorer.config.updates == TopKAllBottoms(k=1, rho=0.1)
    move(explorer, q=2)
    assert explorer.config.updates == TopKBottomQ(k=1, q=2, rho=0.1)
    move(explorer, q=0, k=1)
    assert explorer.config.updates == TopK(k=2)


def test_recorded_schedules_are_not_trained_again(explorer, results, monkeypatch):
    monkeypatch.setattr(live_schedules, "train", None)
    explorer.settle()
    recorded = results.records[1]
    accuracy = recorded.curves["num_correct"][-1] / recorded.origin["num_test"]
    assert words(explorer).startswith("top 1 all bottoms, ρ 0.1")
    assert f"test accuracy {100 * accuracy:.1f} %" in words(explorer)


def test_a_new_schedule_is_trained_once_as_a_plain_run_would(explorer, monkeypatch):
    move(explorer, rho=HALF)  # outside an event loop it trains at once
    config = explorer.config
    data = config.data.load()
    network = new_network(config, data)
    list(train(network, data, config))
    accuracy = count_correct(network, data.test, "highest") / len(data.test)
    assert f"test accuracy {100 * accuracy:.1f} % (n = 1)" in words(explorer)
    monkeypatch.setattr(live_schedules, "train", None)
    move(explorer, rho=2)
    move(explorer, rho=HALF)
    assert words(explorer).startswith("top 1 all bottoms, ρ 0.5")


def test_what_it_saves_is_shown_before_it_is_trained(explorer):
    async def slide() -> tuple[str, str]:
        move(explorer, k=1)
        moving = words(explorer)
        await asyncio.sleep(1.5)
        return moving, words(explorer)

    moving, resting = asyncio.run(slide())
    assert moving.startswith("top 2 all bottoms")
    assert moving.endswith("not run yet. It will be trained when the sliders rest.")
    assert "test accuracy" in resting and "trained" not in resting


def test_a_built_page_has_what_is_recorded(results, monkeypatch):
    assert isinstance(explore_schedules(results, device="cpu"), ScheduleExplorer)
    monkeypatch.setenv("LAZYRICH_PAGE", "static")
    assert not isinstance(explore_schedules(results, device="cpu"), ScheduleExplorer)
