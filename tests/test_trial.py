"""An estimate is a short trial, of made-up images; it trains nothing of the run."""

import dataclasses

import pytest
import torch

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.lws.schedules import Full, TopKAllBottoms
from lazyrich_helpers.measures.activity import PERCENTS, Activity
from lazyrich_helpers.measures.criticality import Criticality
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.reinit_curves import FRACTIONS, Reinit
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.runner import trial
from lazyrich_helpers.runner.trial import estimate_seconds
from lazyrich_helpers.training.loop import EVAL_BATCH
from lazyrich_helpers.training.optimizers import Adam
from tests import tiny


def test_an_estimate_is_steps_and_passes(monkeypatch):
    monkeypatch.setattr(trial, "_trial", lambda config, device, num: (0.5, 7.0))
    config = tiny.training(num_epochs=10)  # 7 steps an epoch, 200 / 32
    assert estimate_seconds(config, (), "cpu", eval_every=5) == 70 * 0.5 + 3 * 7
    both = estimate_seconds(config, (Accuracy, Reinit), "cpu", eval_every=5)
    assert both == 70 * 0.5 + (3 + 3 + 2 * len(FRACTIONS)) * 7
    for depth in (2, 9):
        deep = dataclasses.replace(config, model=ReluNet(width=12, depth=depth))
        by_layer = estimate_seconds(deep, (Criticality,), "cpu", eval_every=5)
        resets = 1 + (depth + 1) * (1 + len(PERCENTS))  # of each layer, and of none
        assert by_layer == 70 * 0.5 + (3 + resets) * 7
    watched = estimate_seconds(config, (Activity,), "cpu", eval_every=5)
    assert watched == 2 * 70 * 0.5 + 3 * 7  # a gradient over all images every epoch


def test_networks_trained_as_one_are_watched_one_by_one(monkeypatch):
    monkeypatch.setattr(trial, "_trial", lambda config, device, num: (1 / num, 7.0))
    config = tiny.training(num_epochs=10)  # 70 steps
    for num in (1, 4):
        plain = estimate_seconds(config, (), "cpu", num=num)
        watched = estimate_seconds(config, (Activity,), "cpu", num=num)
        assert watched - plain == pytest.approx(70)


@pytest.fixture
def slowed(monkeypatch, offline):
    """Have a training's step take so many seconds, by its own account; no data is here.

    Returns a function of these seconds; what it returns fills with what is trained.
    """
    plain = trial.train

    def steps_take(seconds):
        trained = []

        def spy(network, data, config):
            num = -(-len(data.train) // config.training.batch_size)
            trained.append((num, config))
            for epoch in plain(network, data, config):
                yield dataclasses.replace(epoch, seconds=num * seconds)

        monkeypatch.setattr(trial, "train", spy)
        trial._trial.cache_clear()
        return trained

    yield steps_take
    trial._trial.cache_clear()


@pytest.mark.parametrize(("seconds", "num"), [(0.001, 10), (0.9, 2), (5.0, 1)])
def test_a_trial_is_ten_steps_or_those_of_two_seconds(slowed, seconds, num):
    trained = slowed(seconds)
    network = tiny.config(updates=TopKAllBottoms(k=1, rho=0.5))
    for seed in (3, 4):  # one trial serves all seeds, rates, lengths and schedules
        training = tiny.training(num_epochs=10_000 + seed, seed=seed).training
        config = dataclasses.replace(
            network, training=training, optimizer=Adam(lr=0.1 * seed)
        )
        assert trial.tried(config, "cpu").step == pytest.approx(seconds)
    assert [steps for steps, _ in trained] == [1, num]
    assert {setting for _, setting in trained} == {trial.trial_setting(config)}
    assert trial.trial_setting(config).updates == Full()


def test_data_need_not_be_there(slowed):
    slowed(0.1)
    config = make_recipe("table-1", "paper", widths=[2], seeds=[0]).configs[0]
    assert trial.tried(config, "cpu").evaluation > 0
    data = trial.made_up(config, "cpu", 2)
    assert data.train.images.shape == (256, 3, 32, 32)
    assert data.shift == config.data.padding and data.views == ()
    assert len(trial.made_up(config, "cpu", 10).test) == EVAL_BATCH


def test_a_trial_of_more_work_takes_longer():
    assert trial.Trial(1.0, 2.0, 3.0).times(2) == trial.Trial(2.0, 4.0, 6.0)


@pytest.mark.parametrize(("slow", "chosen"), [(1, 3), (3, 1)])
def test_a_long_group_uses_the_threads_that_are_faster(monkeypatch, slow, chosen):
    def time(config, device, num):
        return (2.0 if torch.get_num_threads() == slow else 1.0), 0.0

    monkeypatch.setattr(trial, "_time", time)
    torch.set_num_threads(3)
    long = tiny.training(num_epochs=1000)
    for config, num, expected in ((long, 5, chosen), (long, 1, 1), (tiny.CONFIG, 5, 1)):
        with trial.suitable_threads(config, "cpu", num):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == 3


def test_a_sparse_run_is_estimated_from_what_its_epochs_update(monkeypatch):
    monkeypatch.setattr(trial, "_trial", lambda *_: (0.3, 0.0))
    full = estimate_seconds(tiny.training(num_epochs=50), [Accuracy], "cpu")
    seconds = []
    for rho in (0.0, 0.3, 1.0):
        config = dataclasses.replace(
            tiny.training(num_epochs=50), updates=TopKAllBottoms(k=1, rho=rho)
        )
        seconds.append(estimate_seconds(config, [Accuracy], "cpu"))
    assert seconds[0] < seconds[1] < seconds[2] == pytest.approx(full)
    # Of the forward pass, what the top layer's is stays, and one over all images.
    assert full / 3 > seconds[0] > full / 3 / 50
