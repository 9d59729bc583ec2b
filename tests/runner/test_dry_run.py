"""A row for each run that is to do; few networks are tried; no run is trained."""

import dataclasses
import math

import pytest

from lazyrich_helpers.lws.schedules import Full, TopKAllBottoms
from lazyrich_helpers.measures.costs import OVERHEAD, multiply_adds, operations
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.runner import dry_run as module
from lazyrich_helpers.runner.dry_run import MOST_TRIALS, dry_run, lines
from lazyrich_helpers.runner.dry_run import seconds_per_image as trial
from lazyrich_helpers.runner.memory import peak_bytes
from lazyrich_helpers.training.optimizers import Adam
from tests import tiny

pytestmark = pytest.mark.usefixtures("known_trial")


def wide(width: int):
    """Return the tiny config at another width."""
    return tiny.config(model=ReluNet(width=width, depth=2))


def rows_of(store, *configs):
    """Return the rows, and what was said of the trials."""
    said: list[str] = []
    return dry_run(tiny.recipe(*configs), store, "cpu", said.append), said


def test_a_row_for_each_run_that_is_not_there(store, known_trial):
    tiny.finish(store, tiny.APART[0])
    before = tiny.contents(store.folder)
    rows, said = rows_of(store, *tiny.APART)
    assert [row.config for row in rows] == tiny.APART[1:]
    for row in rows:
        expected = operations(row.config, tiny.MEASURES, eval_every=5)
        assert row.operations == expected
        assert row.memory == peak_bytes(row.config)
        num_images = expected / (6 * multiply_adds(row.config))
        assert row.seconds == pytest.approx(0.5 * num_images)
    ((setting, num),) = known_trial
    assert (setting.model, setting.updates, num) == (tiny.CONFIG.model, Full(), 1)
    assert said == ["Ten steps of ReluNet(width=12, depth=2)."]
    assert tiny.contents(store.folder) == before
    *each, total = lines(rows, "cpu")
    assert len(each) == 2 and max(map(len, each)) < 120
    assert all(r.config.run_id in line for r, line in zip(rows, each, strict=True))
    assert total.startswith("All: ") and total.endswith("as busy as now.")
    seconds = sum(row.seconds for row in rows)
    assert f"about {module.duration(seconds)} here (cpu)" in total
    assert lines([], "cpu") == ["  nothing to do."]


def test_runs_trained_as_one_are_tried_as_one(store, known_trial):
    rows, _ = rows_of(store, *tiny.SEEDS)
    alone, _ = rows_of(store, tiny.CONFIG)
    assert [num for _, num in known_trial] == [3, 1]
    assert rows[0].seconds == pytest.approx(alone[0].seconds / 3)


def test_a_trial_serves_every_rate_length_and_schedule(store):
    configs = [
        tiny.CONFIG,
        tiny.config(updates=TopKAllBottoms(k=1, rho=0.2)),
        tiny.training(num_epochs=6),
        tiny.config(optimizer=Adam(lr=0.001)),
        tiny.training(precision="bf16"),  # another setting
    ]
    (full, some, long, *_), said = rows_of(store, *configs)
    assert len(said) == 2
    assert some.operations < full.operations < long.operations
    assert some.seconds < full.seconds < long.seconds


def test_of_many_widths_a_few_are_tried_and_the_others_scaled(store, known_trial):
    every = range(1000, 3100, 100)
    rows, said = rows_of(store, *map(wide, every))
    assert len(said) == len(known_trial) == MOST_TRIALS
    widths = [setting.model.width for setting, _ in known_trial]
    assert (widths[0], widths[-1]) == (1000, 3000) and widths == sorted(widths)
    efforts = {w: multiply_adds(wide(w)) + OVERHEAD for w in every}
    for row in rows:
        own = efforts[row.config.model.width]
        near = min((efforts[w] for w in widths), key=lambda e: abs(math.log(e / own)))
        num_images = row.operations / (6 * multiply_adds(row.config))
        assert row.seconds == pytest.approx(0.5 * num_images * own / near)


@pytest.fixture
def real_trial(monkeypatch):
    """Undo `known_trial`; returns what is trained instead."""
    trained, plain = [], module.train

    def spy(network, data, config):
        trained.append((len(data.train), len(data.test), config.training.num_epochs))
        for epoch in plain(network, data, config):
            yield dataclasses.replace(epoch, seconds=64.0)

    monkeypatch.setattr(module, "train", spy)
    return trained


def test_a_trial_is_ten_steps_of_the_first_images(real_trial):
    setting = module._setting(tiny.training(num_epochs=50, batch_size=16))
    assert trial(setting, 1, "cpu") == 64.0 / 160
    assert real_trial == [(16, 16, 1), (160, 160, 1)]
    assert trial(setting, 3, "cpu") > 0


def test_a_run_that_does_not_fit_is_named_and_not_tried(
    store, monkeypatch, known_trial
):
    monkeypatch.setattr(module, "free", lambda device: 2e7)
    rows, _ = rows_of(store, wide(12), wide(2000))
    assert math.isfinite(rows[0].seconds) and rows[1].seconds == math.inf
    assert len(known_trial) == 1
    small, large, total = lines(rows, "cpu")
    assert "about" in small and large.endswith(" GB, does not fit")
    assert "without the 1 that do not fit: 0.02 GB are free here" in total
    monkeypatch.setattr(module, "free", lambda device: 1e4)
    rows, _ = rows_of(store, wide(12), wide(2000))
    assert [row.seconds for row in rows] == [math.inf] * 2
