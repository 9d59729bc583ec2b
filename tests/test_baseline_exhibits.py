"""The neighbours' recipe trains VGG-5 by each method once a seed, all else alike."""

import math

import pytest

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.recipes import BUDGETS
from lazyrich_helpers.experiments.vgg5_exhibits import VGG5_LAYERS
from lazyrich_helpers.measures.costs import backward_cost
from lazyrich_helpers.training.loop import epoch_plans

KINDS = ["full", "top_k_all_bottoms", "freeze_out", "layer_freezing", "lisa", "badam"]


def configs(budget="paper", **choices):
    return make_recipe("neighbours-vgg5", budget, **choices).configs


def test_every_method_once_a_seed_and_first_the_first_seed():
    found = [config.columns() for config in configs(seeds=[3, 4])]
    assert [row["updates"] for row in found] == KINDS * 2
    assert [row["seed"] for row in found] == [3] * 6 + [4] * 6
    expected = {"model": "vgg5", "dataset": "mnist", "train_size": 10_000}
    expected |= {"optimizer": "adam", "lr": 0.001, "num_epochs": 100, "width": 64}
    assert all(expected.items() <= row.items() for row in found)


def test_its_first_runs_are_those_of_figure_10():
    ours = {config.run_id for config in configs()[:2]}
    assert ours < {c.run_id for c in make_recipe("figure-10-vgg5", "paper").configs}


def test_the_methods_numbers_are_their_authors_at_the_papers_scale():
    full, sparse, freeze_out, freezing, lisa, badam = (
        config.updates.to_dict() for config in configs(seeds=[0])
    )
    assert (full, sparse["k"], sparse["rho"]) == ({"kind": "full"}, 1, 0.1)
    assert freeze_out["total_epochs"] == freezing["total_epochs"] == 100
    steps = {part["steps_per_epoch"] for part in (freeze_out, lisa, badam)}
    assert steps == {math.ceil(10_000 / 128)}
    assert {"t_0": 0.8, "how_scale": "cubic", "scale_lr": True}.items() <= (
        freeze_out.items()
    )
    assert (freezing["freeze_start"], freezing["freeze_level"]) == (0.5, 1.0)
    assert (lisa["activated_layers"], lisa["interval_steps"]) == (2, 20)
    assert badam["switch_block_every"] == 50 and badam["top_awake"]


@pytest.mark.parametrize("budget", BUDGETS)
def test_schedules_fit_their_training(budget):
    for config in configs(budget):
        assert len(config.blueprint().layers) == VGG5_LAYERS
        num = config.columns()["train_size"]
        for epoch in range(config.training.num_epochs):
            assert epoch_plans(config, epoch, num, VGG5_LAYERS)
        assert 0 < backward_cost(config) <= 1
    shorter = configs(budget, num_epochs=1, train_size=150)
    assert all(epoch_plans(config, 0, 150, VGG5_LAYERS) for config in shorter)


@pytest.mark.parametrize("budget", ["laptop", "paper"])
def test_badam_visits_every_layer(budget):
    config = configs(budget)[5]
    num = config.columns()["train_size"]
    plans = [
        plan
        for epoch in range(config.training.num_epochs)
        for plan in epoch_plans(config, epoch, num, VGG5_LAYERS)
    ]
    assert frozenset().union(*(plan.layers for plan in plans)) == set(range(12))
