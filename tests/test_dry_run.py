"""A row for each run that is to do; few kinds are tried; no run is trained."""

import dataclasses
import math

import pytest

from lazyrich_helpers.lws.schedules import Full, TopKAllBottoms
from lazyrich_helpers.measures.costs import OVERHEAD, multiply_adds, operations
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.runner import dry_run as module
from lazyrich_helpers.runner.dry_run import MOST_TRIALS, dry_run, few, lines, nearest
from lazyrich_helpers.runner.dry_run import seconds_per_image as trial
from lazyrich_helpers.runner.memory import peak_bytes
from lazyrich_helpers.training.optimizers import Adam
from tests import tiny

pytestmark = pytest.mark.usefixtures("known_trial")


@pytest.fixture
def said() -> list[str]:
    """What was said of the trials."""
    return []


def wide(width: int):
    """Return the tiny config at another width."""
    return tiny.config(model=ReluNet(width=width, depth=2))


def test_a_row_for_each_run(store, said, known_trial):
    recipe = tiny.recipe(*tiny.APART)
    rows = dry_run(recipe, store, "cpu", said.append)
    assert [row.config for row in rows] == tiny.APART
    for row in rows:
        expected = operations(row.config, recipe.measures, eval_every=recipe.eval_every)
        assert row.operations == expected
        assert row.memory == peak_bytes(row.config)
        num_images = expected / (6 * multiply_adds(row.config))
        assert row.seconds == pytest.approx(0.5 * num_images)
    ((setting, num),) = known_trial
    assert (setting.model, setting.updates, num) == (tiny.CONFIG.model, Full(), 1)
    assert said == ["Ten steps of ReluNet(width=12, depth=2) (1 of 1)."]


def test_what_is_done_takes_nothing(store, said):
    tiny.finish(store, tiny.APART[0])
    recipe = tiny.recipe(*tiny.APART)
    before = tiny.contents(store.folder)
    left = dry_run(recipe, store, "cpu", said.append)
    assert [row.config for row in left] == tiny.APART[1:]
    assert tiny.contents(store.folder) == before
    tiny.finish(store, *tiny.APART)
    assert lines(dry_run(recipe, store, "cpu", said.append), "cpu") == [
        "  nothing to do."
    ]


def test_runs_trained_as_one_are_tried_as_one(store, said, known_trial):
    rows = dry_run(tiny.recipe(*tiny.SEEDS), store, "cpu", said.append)
    alone = dry_run(tiny.recipe(tiny.CONFIG), store, "cpu", said.append)
    assert [num for _, num in known_trial] == [3, 1]
    assert rows[0].seconds == pytest.approx(alone[0].seconds / 3)


def test_a_trial_serves_every_rate_length_and_schedule(store, said):
    sparse = TopKAllBottoms(k=1, rho=0.2)
    configs = [
        tiny.CONFIG,
        tiny.config(updates=sparse),
        tiny.training(num_epochs=6),
        tiny.config(optimizer=Adam(lr=0.001)),
        tiny.training(precision="bf16"),  # another kind
    ]
    full, some, long, *_ = dry_run(tiny.recipe(*configs), store, "cpu", said.append)
    assert len(said) == 2
    assert some.operations < full.operations < long.operations
    assert some.seconds < full.seconds < long.seconds


def test_of_many_kinds_a_few_are_tried_and_the_others_scaled(store, said, known_trial):
    configs = [wide(width) for width in range(1000, 3100, 100)]
    rows = dry_run(tiny.recipe(*configs), store, "cpu", said.append)
    assert len(said) == len(known_trial) == MOST_TRIALS
    widths = [setting.model.width for setting, _ in known_trial]
    assert (widths[0], widths[-1]) == (1000, 3000) and widths == sorted(widths)
    efforts = {w: multiply_adds(wide(w)) + OVERHEAD for w in range(1000, 3100, 100)}
    for row in rows:
        effort = efforts[row.config.model.width]
        near = min(
            (efforts[w] for w in widths), key=lambda e: abs(math.log(e / effort))
        )
        num_images = row.operations / (6 * multiply_adds(row.config))
        assert row.seconds == pytest.approx(0.5 * num_images * effort / near)


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


def test_like_stands_for_like():
    kinds = [(wide(width), 1) for width in (10, 100, 1000)]
    half = dataclasses.replace(
        wide(90), training=tiny.training(precision="bf16").training
    )
    assert nearest((wide(120), 1), kinds) == kinds[1]
    assert nearest((half, 1), kinds) == kinds[1]
    other = (half, 1)
    assert nearest((wide(90), 1), [*kinds, other]) == kinds[1]
    assert few(kinds, 2) == [kinds[0], kinds[2]] and few(kinds, 3) == kinds


def test_a_run_that_does_not_fit_is_named_and_not_tried(
    store, said, monkeypatch, known_trial
):
    recipe = tiny.recipe(wide(12), wide(2000))
    monkeypatch.setattr(module, "free", lambda device: 2e7)
    rows = dry_run(recipe, store, "cpu", said.append)
    assert math.isfinite(rows[0].seconds) and rows[1].seconds == math.inf
    assert len(known_trial) == 1
    small, large, total = lines(rows, "cpu")
    assert "about" in small and large.endswith(" GB, does not fit")
    assert "without the 1 that do not fit: 0.02 GB are free here" in total
    monkeypatch.setattr(module, "free", lambda device: 1e4)
    assert not any(
        map(
            math.isfinite,
            (r.seconds for r in dry_run(recipe, store, "cpu", said.append)),
        )
    )


def test_lines_are_short_and_end_with_a_sum(store, said):
    rows = dry_run(tiny.recipe(*tiny.APART), store, "cpu", said.append)
    *each, total = lines(rows, "cpu")
    assert len(each) == 3 and max(map(len, each)) < 120
    assert all(c.run_id in line for c, line in zip(tiny.APART, each, strict=True))
    assert total.startswith("All: ") and total.endswith("as busy as now.")
    seconds = sum(row.seconds for row in rows)
    assert f"about {module.duration(seconds)} here (cpu)" in total


@pytest.mark.parametrize(
    ("number", "words"), [(5e8, "0.5 G"), (3.4e12, "3.4 T"), (1.2e16, "12 P")]
)
def test_operations_in_words(number, words):
    assert module.in_operations(number) == f"{words} operations"
