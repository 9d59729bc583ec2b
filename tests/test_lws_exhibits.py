"""Section 6's recipes hold the paper's schedules, each once a seed."""

import collections
import dataclasses

import pytest

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.models.initialization import XavierNormal

TABLE_1 = {  # rows that start from Xavier, by schedule: Li & Banerjee (2021), Table 1
    "full": 1,
    "random_uniform": 1,
    "random_beta": 1,
    "top_k_bottom_q": 10,
    "top_k_all_bottoms": 10,
}
FIGURE_7 = {"full": 1, "top_k": 4, "bottom_q": 4, "top_bottom": 4, "middle": 1}
FIGURE_7_BLOCKS = FIGURE_7 | {"top_k": 2, "bottom_q": 2, "top_bottom": 2}
ALL_BOTTOMS = {"full": 1, "top_k_all_bottoms": 4}
FIGURE_10 = TABLE_1 | {"top_k_bottom_q": 12, "top_k_all_bottoms": 6}


def columns(name, budget="paper", **choices):
    return [c.columns() for c in make_recipe(name, budget, **choices).configs]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("table-1", TABLE_1),
        ("table-1-pretrained", TABLE_1),
        ("table-1-standin", TABLE_1),
        ("figure-7-vgg5", FIGURE_7),
        ("figure-7-vgg11", FIGURE_7),
        ("figure-7-vgg5-blocks", FIGURE_7_BLOCKS),
        ("figure-10-vgg5", FIGURE_10),
        ("all-bottoms-vgg5", ALL_BOTTOMS),
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
    assert (
        len(columns("kept-views-vgg11", "smoke", seeds=[3])) == 1
    )  # digits: no shifts


def test_all_bottoms_are_runs_of_figure_10():
    few, all_of_them = (
        {config.run_id for config in make_recipe(name, "paper", seeds=[0]).configs}
        for name in ("all-bottoms-vgg5", "figure-10-vgg5")
    )
    assert len(few) == 5 and few < all_of_them


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


def test_vgg5_is_trained_whole_in_both_figures_but_once():
    static = make_recipe("figure-7-vgg5", "paper", seeds=[0]).configs
    random = make_recipe("figure-10-vgg5", "paper", seeds=[0]).configs
    assert len({config.run_id for config in (*static, *random)}) == 34
    expected = {"model": "vgg5", "dataset": "mnist", "train_size": 10_000}
    expected |= {"optimizer": "adam", "lr": 0.001, "num_epochs": 100, "width": 64}
    for config in (*static, *random):
        assert expected.items() <= config.columns().items()


def test_probabilities_and_layers_can_be_chosen():
    found = columns("table-1", seeds=[0], rhos=[0.25], ks=[2])
    assert {row["rho"] for row in found if "rho" in row} == {0.25}
    assert {row["k"] for row in found if "k" in row} == {2}
    with pytest.raises(ValueError, match="rhos must be a list of different values"):
        columns("table-1", rhos=[0.1, 0.1])
    with pytest.raises(ValueError, match=r"rho must be in \[0, 1\]; got 2"):
        columns("table-1", rhos=[2])
    with pytest.raises(ValueError, match="a choice must be one of"):
        columns("figure-2", rhos=[0.1])


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
    some = {"train_size": 10_000}
    assert without_start("table-1-standin") == without_start("table-1", **some)
    for name, expected in {
        "table-1-pretrained": {"init": "imagenet_vgg11", "sha256": "8a719046"},
        "table-1-standin": {
            "init": "weights_file",
            "file": "vgg11-cifar10-10000-w64.pt",
        },
    }.items():
        assert all(expected.items() <= row.items() for row in columns(name))


def test_a_stand_in_is_pre_trained_on_images_that_are_left():
    for budget in ("smoke", "laptop", "paper"):
        (source,) = make_recipe("pretrain-standin", budget).configs
        config, *_ = make_recipe("table-1-standin", budget, seeds=[0]).configs
        own = config.data
        assert source.data.skipped == 2 * own.train_size
        assert source.data.train_size == 3 * own.train_size
        if own.dataset == "digits":
            assert len(source.data.load().train) == 3 * own.train_size
        assert config.updates == Full()  # the first schedule
        same = dataclasses.replace(config, data=source.data, init=XavierNormal())
        assert same == source
    assert source.data.kind == "remaining_cropped_images"
    assert source.data.skipped + source.data.train_size == 50_000  # all of CIFAR-10
