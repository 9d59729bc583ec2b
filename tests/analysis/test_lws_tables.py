"""Costs as drawn, losses beside the same seed's full training, the paper's cells."""

import dataclasses
import math

import pandas as pd
import pytest

from lazyrich_helpers.analysis.tables.lws import (
    _minutes_to,
    at_equal_cost,
    beside_paper,
    dynamics_table,
    lws_table,
    paper_table_1,
)
from lazyrich_helpers.analysis.tables.tidy import one_setting
from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.lws.plans import UpdateSchedule
from lazyrich_helpers.lws.schedules import (
    RandomUniform,
    TopK,
    TopKAllBottoms,
    TopKBottomQ,
    in_words,
)
from lazyrich_helpers.measures.costs import backward_cost
from lazyrich_helpers.models.imagenet import ImageNetVGG11
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.models.weights_file import WeightsFile
from lazyrich_helpers.training.run_config import RunConfig
from tests import tiny
from tests.tiny import record


def test_losses_are_paired_by_seed():
    runs = []
    for seed, right in ((0, 900), (1, 800)):
        config = tiny.config(seed=seed)
        runs.append(record(config, right))
        sparse = dataclasses.replace(config, updates=TopKAllBottoms(k=1, rho=0.1))
        runs.append(record(sparse, right - 10 * (seed + 1)))
    alone = tiny.config(seed=2, updates=RandomUniform())
    table = lws_table([*runs, record(alone, 700)]).set_index(["schedule", "seed"])
    assert table.lost["full"].tolist() == [0, 0]
    sparse = table.loc["top 1 all bottoms"]
    assert sparse.lost.tolist() == pytest.approx([0.01, 0.02])
    assert sparse.rho.tolist() == [0.1, 0.1] and table.rho["full"].isna().all()
    assert table.lost["random uniform"].isna().all()
    other = dataclasses.replace(tiny.CONFIG.optimizer, lr=0.5)
    faster = lws_table([*runs, record(tiny.config(optimizer=other), 1)])
    assert faster.lost.tolist() == pytest.approx([0, 0.01, 0, 0.02, 0])  # its own
    longer = tiny.config(num_epochs=9, updates=TopK(k=1))
    with pytest.raises(ValueError, match="num_epochs must be one value"):
        lws_table([*runs, record(longer, 1)])


def test_a_run_of_two_recipes_counts_once_and_a_diverged_one_counts():
    config = tiny.config()
    sparse = tiny.config(updates=TopK(k=1))
    lost = dataclasses.replace(record(sparse, None), status="diverged")
    table = lws_table([record(config, 900), lost, record(config, 900)])
    assert len(table) == 2
    assert table.set_index("schedule").lost["top 1"] == pytest.approx(0.9)


def test_nothing_is_lost_against_full_training_that_diverged():
    full = dataclasses.replace(record(tiny.config(), None), status="diverged")
    table = lws_table([full, record(tiny.config(updates=TopK(k=1)), 900)])
    assert table.lost.isna().all()


def test_runs_on_other_images_are_not_mixed():
    part = images("cifar10", train_size=100)
    parts = [tiny.cropped(part, num_views=num) for num in (0, 8)]
    with pytest.raises(ValueError, match="num_views must be one value"):
        lws_table([record(tiny.config(data=part), 900) for part in parts])


def test_a_table_of_nothing_has_its_columns():
    assert lws_table([]).empty
    assert {"schedule", "rho", "backward", "lost"} <= {*lws_table([]).columns}


def test_the_papers_table_is_whole():
    cells = paper_table_1()
    assert len(cells) == 44 and not cells.test_accuracy.isna().any()
    full = cells.query("schedule == 'full'").set_index("init")
    assert full.test_accuracy["xavier"] == pytest.approx(0.908)
    assert full.ratio["xavier"] == 1
    # every ratio is its time over full training's, and every loss its accuracy's
    ratio = cells.seconds / full.seconds["xavier"]
    assert (ratio - cells.ratio).abs().max() < 0.0051
    assert (0.90805 - cells.test_accuracy - cells.lost).abs().max() < 1.1e-4
    recipe = make_recipe("table-1", "paper", seeds=[0])
    ours = lws_table([record(config, 500) for config in recipe.configs])
    keys = {(s, r) for s, r in zip(ours.schedule, ours.rho.fillna(0), strict=True)}
    starts = [cells.query("init == @init") for init in ("xavier", "pretrain")]
    xavier, pretrain = (
        set(zip(rows.schedule, rows.rho.fillna(0), strict=True)) for rows in starts
    )
    assert keys == xavier and len(pretrain) == 21
    assert xavier - pretrain == {("random uniform", 0), ("random beta (2, 5)", 0)}


def test_ours_stands_beside_the_papers():
    rows = [
        ("full", float("nan"), 0, 0.80, 0.0, 1.0),
        ("full", float("nan"), 1, 0.82, 0.0, 1.0),
        ("top 1 all bottoms", 0.1, 0, 0.70, 0.10, 0.12),
        ("top 1 all bottoms", 0.1, 1, 0.70, 0.12, 0.08),
        ("top 3", float("nan"), 0, 0.3, 0.5, 0.01),  # not in the paper's table
        ("top 1 all bottoms", 0.1, 2, 0.70, float("nan"), 0.10),  # no full training
    ]
    names = ["schedule", "rho", "seed", "test_accuracy", "lost", "backward"]
    table = pd.DataFrame(rows, columns=names).assign(init="xavier_normal")
    found = beside_paper(table)
    assert len(found) == 23 and found[found.n > 0].rho.fillna(0).tolist() == [0, 0.1]
    assert found[found.n == 0].ours.isna().all() and found.paper.notna().all()
    found = found[found.n > 0].set_index("schedule")
    assert list(found.index) == ["full", "top 1 all bottoms"]
    cell = found.loc["top 1 all bottoms"]
    assert (cell.paper, cell.paper_lost, cell.paper_ratio) == (79.79, 11.01, 0.18)
    assert (cell.ours, cell.n) == (70, 3) and cell.backward == pytest.approx(0.10)
    assert cell.ours_lost == pytest.approx(11)
    assert found.clock_backward.isna().all()  # no clock
    timed = beside_paper(table.assign(clock_backward=[1, 1, 0.2, 0.3, 0.1, 0.25]))
    assert timed.clock_backward.dropna().tolist() == pytest.approx([1, 0.25])
    beside = beside_paper(table.assign(init="imagenet_vgg11"), init="pretrain")
    cell = beside[beside.n > 0].set_index("schedule").loc["top 1 all bottoms"]
    assert (cell.paper, cell.paper_ratio, cell.init) == (89.17, 0.18, "imagenet_vgg11")
    # against full training from the same start, 90.89, not from Xavier's, 90.80
    assert cell.paper_lost == pytest.approx(90.89 - 89.17)
    assert beside.paper_lost.iloc[0] == 0 and cell.ours_lost == pytest.approx(11)


@pytest.mark.parametrize(("init", "num_cells"), [("xavier", 23), ("pretrain", 21)])
def test_of_what_was_not_run_the_papers_half_stands_alone(init, num_cells):
    found = beside_paper(lws_table([]), init=init)
    assert len(found) == num_cells and (found.n == 0).all()
    assert found.paper.notna().all() and found.ours.isna().all()


def test_dynamics_go_by_what_the_epochs_cost():
    full = record(tiny.config(num_epochs=3), 900)
    updates = TopKAllBottoms(k=1, rho=0.5)
    sparse = record(tiny.config(seed=1, updates=updates), 800)
    several = {"epoch": [1, 2], "train_loss": [2.0, 1.0], "num_correct": [None, 700]}
    found = dynamics_table([full, dataclasses.replace(sparse, curves=several)])
    assert found.schedule.tolist() == ["full", *["top 1 all bottoms"] * 2]
    share = backward_cost(tiny.config(updates=TopK(k=1)))
    assert [0 in updates.plan(e, 0, 3, 1).layers for e in range(3)] == [1, 0, 0]
    assert found.spent.tolist() == pytest.approx([1 / 3, 1 / 3, (1 + share) / 3])
    assert found.error.fillna(0).tolist() == pytest.approx([10, 0, 30])
    assert found.minutes.isna().all()
    clocked = dataclasses.replace(
        full, measures=full.measures | {"clock": {"seconds": [90.0]}}
    )
    assert dynamics_table([clocked]).minutes.tolist() == [1.5]
    assert found.rho.isna().tolist() == [True, False, False]
    assert dynamics_table([]).empty


def test_minutes_are_to_the_first_look_that_is_as_good():
    clock = {"clock": {"seconds": [60.0, 120.0, 180.0, 240.0]}}
    run = record(tiny.config(), 900)
    curves = {"num_correct": [None, 700, 800, 900]}
    run = dataclasses.replace(
        run, measures=clock, curves=curves, origin={"num_test": 1000}
    )
    found = [_minutes_to(run, goal) for goal in (0.6, 0.75, 0.8, 0.9)]
    assert found == [(0, 2), (2, 3), (2, 3), (3, 4)]
    assert all(map(math.isnan, _minutes_to(run, 0.95)))


def test_full_training_is_evaluated_when_it_had_spent_no_more():
    table = pd.DataFrame(
        [
            ("a", "full", 0, 1.0, 50),
            ("a", "full", 0, 2.0, 40),
            ("a", "full", 0, 3.0, None),  # an epoch without an evaluation
            ("a", "full", 0, 4.0, 10),
            ("b", "full", 1, 2.0, 20),
            ("c", "top 1", 0, 1.0, 70),
            ("c", "top 1", 0, 3.5, 30),
            ("d", "top 1", 1, 1.5, 60),
            ("e", "top 2", 0, 2.0, 90),
            ("f", "top 2", 2, 9.0, 80),
        ],
        columns=["run_id", "schedule", "seed", "spent", "error"],
    ).assign(rho=math.nan)
    found = at_equal_cost(table).set_index("run_id")
    assert found.full_spent.fillna(-1).to_dict() == {
        "a": 4, "b": 2, "c": 2, "d": -1, "e": 2, "f": -1
    }  # fmt: skip
    assert found.loc["c", ["error", "full_error"]].tolist() == [30, 40]
    assert found.loc["d"].isna().full_error


MANY_EPOCHS = 500
"""So many draws settle random beta's mean cost to about 0.006."""


def mean_cost(config: RunConfig) -> float:
    """Return `backward_cost` as it is on average, rather than as one seed drew it."""
    updates = config.updates
    if isinstance(updates, TopKBottomQ | TopKAllBottoms):  # linear in ρ
        never, always = (
            _cost(config, dataclasses.replace(updates, rho=rho), 1) for rho in (0, 1)
        )
        return (1 - updates.rho) * never + updates.rho * always
    if isinstance(updates, RandomUniform):
        depths = range(1, len(config.blueprint().layers) + 1)
        return sum(_cost(config, TopK(k=k), 1) for k in depths) / len(depths)
    return _cost(config, updates, MANY_EPOCHS)


def _cost(config: RunConfig, updates: UpdateSchedule, num_epochs: int) -> float:
    training = dataclasses.replace(config.training, num_epochs=num_epochs)
    return backward_cost(
        dataclasses.replace(config, updates=updates, training=training)
    )


def test_the_papers_times_beside_its_operations():
    cells = paper_table_1()
    for config in make_recipe("table-1", "paper", seeds=[0]).configs:
        columns = config.columns() | {"schedule": in_words(config.updates)}
        own = cells[cells.schedule == columns["schedule"]]
        if "rho" in columns:
            own = own[own.rho == columns["rho"]]
        assert set(own.updates) == {columns["updates"]}
        assert own.backward.tolist() == [mean_cost(config)] * len(own) != []
        for name in ("k", "q"):
            assert set(own[name].dropna()) == {columns.get(name)} - {None}
    table = cells.query("init == 'xavier'").set_index(["schedule", "rho"])
    cell = table.loc[("top 1 all bottoms", 0.1)]
    assert cell.ratio == 0.18
    assert cell.backward == pytest.approx(0.1, abs=0.001)  # the top costs next to none
    uniform = table.loc["random uniform"]
    # with the floor of 0.09 that its other times have; Li & Banerjee print 0.45
    assert 0.09 + 0.91 * uniform.backward.iloc[0] == pytest.approx(0.436, abs=1e-3)


def test_a_stand_in_beside_the_paper_says_so_and_starts_are_not_mixed():
    rows = [("full", float("nan"), 0, 0.80, 0.0, 1.0)]
    names = ["schedule", "rho", "seed", "test_accuracy", "lost", "backward"]
    table = pd.DataFrame(rows, columns=names)
    ours, plain = table.assign(init="weights_file"), table.assign(init="xavier_normal")
    found = beside_paper(ours, init="pretrain")
    assert found.init.dropna().tolist() == ["weights_file"]
    with pytest.raises(ValueError, match=r"^init must be one of .* got 'imagenet'"):
        beside_paper(table, init="imagenet")
    mixed = pd.concat([ours, ours.assign(init="imagenet_vgg11")])
    for wrong, init in [(ours, "xavier"), (plain, "pretrain"), (mixed, "pretrain")]:
        with pytest.raises(
            ValueError, match=f"^init must be .* beside the paper's {init}"
        ):
            beside_paper(wrong, init=init)


def test_losses_are_against_full_training_from_the_same_start():
    starts = [XavierNormal(), WeightsFile(file="a.pt", sha256="1" * 8)]
    starts.append(ImageNetVGG11())
    runs = []
    for right, init in zip((600, 700, 800), starts, strict=True):
        runs.append(record(tiny.config(init=init), right))
        sparse = tiny.config(init=init, updates=TopK(k=1))
        runs.append(record(sparse, right - 50))
    table = lws_table(runs).set_index(["schedule", "init"])
    assert table.lost["full"].tolist() == [0, 0, 0]
    assert table.lost["top 1"].tolist() == pytest.approx([0.05] * 3)
    alone = lws_table([runs[0], runs[3]]).set_index("schedule")
    assert alone.lost.isna()["top 1"]
    other = tiny.config(init=WeightsFile(file="a.pt", sha256="2" * 8))
    with pytest.raises(ValueError, match="sha256 must be one value"):
        lws_table([*runs, record(other, 1)])
    longer = tiny.config(num_epochs=9, init=starts[1])
    with pytest.raises(ValueError, match="num_epochs must be one value"):
        lws_table([runs[0], record(longer, 1)])
    with pytest.raises(ValueError, match="init must be one value"):
        one_setting(lws_table(runs).drop(columns="updates"))  # as a plot asks


def test_early_loss_is_of_the_first_tenth():
    config = tiny.config(num_epochs=20)
    losses = [3.0, 1.0, *[0.5] * 18]
    curves = {"epoch": [*range(1, 21)], "train_loss": losses, "num_correct": [9] * 20}
    done = dataclasses.replace(record(config, 900), curves=curves)
    assert lws_table([done]).early_loss.item() == 2.0
    lost = dataclasses.replace(done, curves=curves | {"train_loss": [3.0, None]})
    assert lws_table([lost]).early_loss.isna().item()
    assert lws_table([record(tiny.CONFIG, 900)]).early_loss.item() == 0.5
