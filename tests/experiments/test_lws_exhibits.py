"""Section 6's recipes hold the paper's schedules, each once a seed; all else alike."""

import collections
import dataclasses
import math

import pytest

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.recipes import BUDGETS
from lazyrich_helpers.experiments.vgg5_exhibits import VGG5_LAYERS
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.measures.costs import plans_of
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.training.loop import epoch_plans

TABLE_1 = {  # rows that start from Xavier, by schedule: Li & Banerjee (2021), Table 1
    "full": 1,
    "random_uniform": 1,
    "random_beta": 1,
    "top_k_bottom_q": 10,
    "top_k_all_bottoms": 10,
}
STANDIN = {"full": 2, "top_k_all_bottoms": 12, "top_k_bottom_q": 6}  # from two starts
FIGURE_7 = {"full": 1, "top_k": 4, "bottom_q": 4, "top_bottom": 4, "middle": 1}
FIGURE_7_BLOCKS = FIGURE_7 | {"top_k": 2, "bottom_q": 2, "top_bottom": 2}
ALL_BOTTOMS = {"full": 1, "top_k_all_bottoms": 4}
NEIGHBOURS = ("full", "top_k_all_bottoms", "freeze_out", "layer_freezing")
NEIGHBOURS = dict.fromkeys((*NEIGHBOURS, "lisa", "badam"), 1)
FIGURE_10 = TABLE_1 | {"top_k_bottom_q": 12, "top_k_all_bottoms": 6}


def columns(name, budget="paper", **choices):
    return [c.columns() for c in make_recipe(name, budget, **choices).configs]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("table-1", TABLE_1),
        ("table-1-pretrained", TABLE_1),
        ("table-1-standin", STANDIN),
        ("figure-7-vgg5", FIGURE_7),
        ("figure-7-vgg11", FIGURE_7),
        ("figure-7-vgg5-blocks", FIGURE_7_BLOCKS),
        ("figure-10-vgg5", FIGURE_10),
        ("all-bottoms-vgg5", ALL_BOTTOMS),
        ("training-times-vgg5", NEIGHBOURS),
    ],
)
def test_every_schedule_once_a_seed_and_first_the_first_seed(name, rows):
    found = columns(name, seeds=[3, 4])
    counts = collections.Counter(row["updates"] for row in found)
    assert counts == {kind: 2 * num for kind, num in rows.items()}
    seeds = [row["seed"] for row in found]
    assert seeds == sorted(seeds) and found[0]["updates"] == Full.kind


def test_kept_views_are_a_row_of_table_1_from_fewer_shifts():
    found = columns("kept-views-vgg11", seeds=[3])
    assert [row.pop("num_views") for row in found] == [0, 4, 16]
    (row,) = [
        row
        for row in columns("table-1", seeds=[3])
        if (row["updates"], row.get("k"), row.get("rho"))
        == ("top_k_all_bottoms", 4, 0.1)
    ]
    assert row.pop("num_views") == 0 and found == [row] * 3
    assert len(columns("kept-views-vgg11", "smoke")) == 1  # digits are not shifted


def test_table_1_is_the_papers():
    found = columns("table-1", seeds=[0])
    assert {row["rho"] for row in found if "rho" in row} == {0.1, 0.2, 0.3, 0.4, 0.5}
    ends = {(row["k"], row["q"]) for row in found if row["updates"] == "top_k_bottom_q"}
    assert ends == {(1, 4), (4, 4)}
    expected = {"lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "num_epochs": 180}
    expected |= {"lr_decay": 0.5, "decay_every": 30, "batch_size": 128, "width": 64}
    expected |= {"model": "vgg11", "data": "cropped_images", "train_size": 50_000}
    assert all(expected.items() <= row.items() for row in found)
    assert all(row.get("draw", "epoch") == "epoch" for row in found)


def test_figures_of_vgg5_share_their_runs():
    names = (
        "figure-7-vgg5",
        "figure-10-vgg5",
        "all-bottoms-vgg5",
        "training-times-vgg5",
    )
    runs = [make_recipe(name, "paper", seeds=[0]).configs for name in names]
    assert len({config.run_id for own in runs for config in own}) == 15 + 19 + 4
    expected = {"model": "vgg5", "dataset": "mnist", "train_size": 10_000}
    expected |= {"optimizer": "adam", "lr": 0.001, "num_epochs": 100, "width": 64}
    for config in sum(runs, ()):
        assert expected.items() <= config.columns().items()


def test_probabilities_and_layers_can_be_chosen():
    found = columns("table-1", seeds=[0], rhos=[0.25], ks=[2])
    assert {row["rho"] for row in found if "rho" in row} == {0.25}
    assert {row["k"] for row in found if "k" in row} == {2}


def test_the_timed_training_draws_what_its_probability_says():
    full, sometimes, *_ = make_recipe("training-times-vgg5", "paper").configs
    assert isinstance(full.updates, Full) and full.training == sometimes.training
    seed, num_epochs = full.training.seed, full.training.num_epochs
    plans = [sometimes.updates.plan(e, 0, 12, seed).layers for e in range(num_epochs)]
    assert num_epochs == 100 and sum(0 in layers for layers in plans) == 10


def without_start(name, **choices):
    configs = make_recipe(name, "paper", seeds=[0, 1], **choices).configs
    return [dataclasses.replace(config, init=XavierNormal()) for config in configs]


def test_starts_are_all_that_tells_the_tables_apart():
    assert without_start("table-1-pretrained") == without_start("table-1")
    of_table = without_start("table-1", train_size=10_000)
    found = without_start("table-1-standin", train_size=10_000)
    assert all(found.count(config) == 2 for config in found)  # once from each start
    assert all(config in of_table for config in found)
    assert {row["sha256"] for row in columns("table-1-pretrained")} == {"8a719046"}
    files = [row["file"] for row in columns("table-1-standin", seeds=[0])]
    names = [f"vgg11-cifar10-10000-w64-{task}.pt" for task in ("turns", "classes")]
    assert files == [name for name in names for _ in range(10)]


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_stand_in_is_pre_trained_on_images_that_are_left(budget):
    *_, source = make_recipe("pretrain-standin", budget).configs
    config, *_ = make_recipe("table-1-standin", budget, seeds=[0]).configs
    own = config.data
    assert source.data.skipped == 2 * own.train_size
    assert source.data.train_size == 3 * own.train_size
    if own.dataset == "digits":
        assert len(source.data.load().train) == 3 * own.train_size
    assert config.updates == Full()  # the first schedule
    assert source == dataclasses.replace(
        config, data=source.data, init=XavierNormal(), training=source.training
    )
    seen = source.training.num_epochs * source.data.train_size
    assert seen <= max(3, config.training.num_epochs) * own.train_size


def test_both_stand_ins_see_the_same_images_and_as_many_as_the_table():
    turns, classes = make_recipe("pretrain-standin", "paper").configs
    assert turns.data.kind == "turned_images"
    assert classes.data.kind == "remaining_cropped_images"
    for run in (turns, classes):
        assert run.data.skipped == 20_000
        assert run.training.num_epochs * run.data.train_size == 180 * 10_000
    # All of CIFAR-10, each of the others at four turns.
    assert classes.data.skipped + classes.data.train_size == 50_000
    assert turns.data.train_size == 4 * classes.data.train_size


def test_the_methods_numbers_are_their_authors_at_the_papers_scale():
    full, sparse, freeze_out, freezing, lisa, badam = (
        config.updates.to_dict()
        for config in make_recipe("training-times-vgg5", "paper", seeds=[0]).configs
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
    for choices in ({}, {"num_epochs": 1, "train_size": 150}):
        for config in make_recipe("training-times-vgg5", budget, **choices).configs:
            assert len(config.blueprint().layers) == VGG5_LAYERS
            num = config.columns()["train_size"]
            for epoch in range(config.training.num_epochs):
                assert epoch_plans(config, epoch, num, VGG5_LAYERS)


@pytest.mark.parametrize("budget", ["laptop", "paper"])
def test_badam_visits_every_layer(budget):
    plans = plans_of(make_recipe("training-times-vgg5", budget).configs[5])
    visited = [plan.layers for epoch in plans for plan in epoch]
    assert frozenset().union(*visited) == set(range(VGG5_LAYERS))
