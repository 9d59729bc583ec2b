"""Effort adds up; an estimate is a short trial, and trains nothing of the run."""

import dataclasses
import time

import pytest
import torch

from lazyrich_helpers import planning
from lazyrich_helpers.activity import PERCENTS, Activity
from lazyrich_helpers.convnets import ConvNet
from lazyrich_helpers.criticality import Criticality
from lazyrich_helpers.exhibits import make_recipe
from lazyrich_helpers.measures import Accuracy
from lazyrich_helpers.models import ReluNet
from lazyrich_helpers.planning import (
    TRIAL_STEPS,
    estimate_seconds,
    grouped,
    multiply_adds,
    work,
)
from lazyrich_helpers.reinit import FRACTIONS, Reinit
from lazyrich_helpers.schedules import Full, TopKAllBottoms
from lazyrich_helpers.train import new_network, train
from tests import tiny


def test_effort_is_proportional_to_epochs_and_grows_with_width():
    assert work(tiny.training(num_epochs=6)) == 2 * work(tiny.training(num_epochs=3))
    wide = tiny.config(model=ReluNet(width=500, depth=2))
    assert work(wide) > work(tiny.CONFIG) > 0


def test_effort_is_that_of_every_place_a_kernel_visits():
    dense = tiny.config(model=ReluNet(width=7, depth=2))
    assert multiply_adds(dense) == 64 * 7 + 7 * 7 + 7 * 10
    # 8 × 8 places, 4 × 4 places, then 2 × 2 pixels of 5 channels
    conv = tiny.config(model=ConvNet(width=5, depth=2))
    assert multiply_adds(conv) == 64 * 9 * 5 + 16 * 9 * 25 + 10 * 20


def test_an_estimate_is_steps_and_passes(monkeypatch):
    monkeypatch.setattr(planning, "_trial", lambda config, device, num: (0.5, 7.0))
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
    monkeypatch.setattr(planning, "_trial", lambda config, device, num: (1 / num, 7.0))
    config = tiny.training(num_epochs=10)  # 70 steps
    for num in (1, 4):
        plain = estimate_seconds(config, (), "cpu", num=num)
        watched = estimate_seconds(config, (Activity,), "cpu", num=num)
        assert watched - plain == pytest.approx(70)


def test_the_trial_is_ten_steps_whatever_the_run(monkeypatch):
    trials = []
    plain = planning.train

    def spy(network, data, config, **options):
        trials.append((len(data.train), config.training))
        return plain(network, data, config, **options)

    monkeypatch.setattr(planning, "train", spy)
    planning._trial.cache_clear()
    for seed in (3, 4):
        config = tiny.training(num_epochs=10_000, seed=seed, batch_size=16)
        assert 0 < estimate_seconds(config, (), "cpu") < 10_000
    ((num_train, settings),) = trials  # one trial serves all seeds
    assert num_train == TRIAL_STEPS * 16
    assert settings == dataclasses.replace(config.training, seed=0, num_epochs=2)


def test_an_estimate_is_of_the_right_size():
    # The least of three, within a factor of five: the machine may be busy.
    long = tiny.training(num_epochs=20)
    wide = dataclasses.replace(long, model=ReluNet(width=300, depth=2))
    data = wide.data.load()
    estimates, actual = [], []
    for _ in range(3):
        planning._trial.cache_clear()
        estimates.append(estimate_seconds(wide, (), "cpu", eval_every=20))
        network = new_network(wide, data)
        start = time.perf_counter()
        for _ in train(network, data, wide, eval_every=20):
            pass
        actual.append(time.perf_counter() - start)
    assert min(actual) / 5 < min(estimates) < 5 * min(actual)


def test_small_runs_that_differ_by_seed_are_grouped(monkeypatch):
    monkeypatch.setattr(planning, "MOST_TOGETHER", 2)
    wide = [
        dataclasses.replace(c, model=ReluNet(width=2000, depth=2)) for c in tiny.SEEDS
    ]
    zero, one, two = tiny.SEEDS
    configs = [zero, wide[0], one, tiny.APART[0], wide[1], two]
    expected = [[zero, one], [two], [wide[0]], [wide[1]], [tiny.APART[0]]]
    assert planning.grouped(configs, "cpu") == expected


def test_a_gpu_takes_larger_networks_together():
    def most(width, device, **parts):
        config = tiny.config(model=ReluNet(width=width, depth=2), **parts)
        return planning.most_together(config, device)

    assert most(10, "cpu") == planning.MOST_TOGETHER and most(2000, "cpu") == 1
    assert most(10, "cuda") == planning.MOST_TOGETHER_ON_GPU
    assert 1 < most(2000, "cuda") < planning.MOST_TOGETHER_ON_GPU
    assert most(20_000, "cuda") == 1
    assert most(10, "cuda", updates=tiny.Mask(mask="101")) == 1
    convolves = tiny.config(model=ConvNet(width=2, depth=1))
    assert planning.most_together(convolves, "cuda") == 1


@pytest.mark.parametrize(("slow", "chosen"), [(1, 3), (3, 1)])
def test_a_long_group_uses_the_threads_that_are_faster(monkeypatch, slow, chosen):
    def time(config, device, num):
        return (2.0 if torch.get_num_threads() == slow else 1.0), 0.0

    monkeypatch.setattr(planning, "_time", time)
    torch.set_num_threads(3)
    long = tiny.training(num_epochs=1000)
    for config, num, expected in ((long, 5, chosen), (long, 1, 1), (tiny.CONFIG, 5, 1)):
        with planning.suitable_threads(config, "cpu", num):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == 3


def test_cropped_images_are_trained_one_by_one():
    configs = make_recipe("table-1", "paper", seeds=[0, 1]).configs
    groups = grouped([c for c in configs if isinstance(c.updates, Full)], "cuda")
    assert [len(group) for group in groups] == [1, 1]


def test_a_sparse_run_is_estimated_from_what_its_epochs_update(monkeypatch):
    monkeypatch.setattr(planning, "_trial", lambda *_: (0.3, 0.0))
    full = estimate_seconds(tiny.training(num_epochs=50), [Accuracy], "cpu")
    seconds = []
    for rho in (0.0, 0.3, 1.0):
        config = dataclasses.replace(
            tiny.training(num_epochs=50), updates=TopKAllBottoms(k=1, rho=rho)
        )
        seconds.append(estimate_seconds(config, [Accuracy], "cpu"))
    assert seconds[0] < seconds[1] < seconds[2] == pytest.approx(full)
    assert seconds[0] > full / 3  # the forward pass stays
