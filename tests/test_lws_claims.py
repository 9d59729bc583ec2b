"""Claims about sparse training get the verdict that hand-made losses deserve."""

import dataclasses

import pandas as pd
import pytest

from lazyrich_helpers import lws_claims
from lazyrich_helpers.exhibits import make_recipe
from lazyrich_helpers.lws_claims import (
    PRETRAINED_CIFAR10,
    RANDOM_CIFAR10,
    RANDOM_MNIST,
    RHOS,
    STATIC_CIFAR10,
    STATIC_MNIST,
)
from lazyrich_helpers.lws_tables import lws_table, paper_table_1
from lazyrich_helpers.records import Record
from lazyrich_helpers.timing import PHASES

NAN = float("nan")
MNIST = {claim.name: claim for claim in (*STATIC_MNIST, *RANDOM_MNIST)}
CIFAR10 = {claim.name: claim for claim in (*STATIC_CIFAR10, *RANDOM_CIFAR10)}
PRETRAINED = {claim.name: claim for claim in PRETRAINED_CIFAR10}
TOPS = [f"top {k}" for k in (1, 2, 3, 4)]
BOTTOMS = [f"bottom {q}" for q in (1, 2, 3, 4)]
BOTH = [f"top {k} bottom {k}" for k in (1, 2, 3, 4)]
FAMILIES = [
    "top 1 all bottoms",
    "top 4 all bottoms",
    "top 1 bottom 4",
    "top 4 bottom 4",
]


def table(losses, seeds=3, cost=0.3, init="xavier_normal"):
    """Return runs that lost so many points, from (schedule, ρ) or schedule → points."""
    rows = []
    for key, points in ({"full": 0.0} | losses).items():
        schedule, rho = key if isinstance(key, tuple) else (key, NAN)
        for seed in range(seeds):
            noisy = (points + 0.05 * (seed - seeds // 2)) / 100
            rows.append((schedule, rho, seed, 0.0 if key == "full" else noisy, cost))
    names = ["schedule", "rho", "seed", "lost", "backward"]
    fixed = {"width": 16, "lr": 0.001, "updates": "several", "init": init}
    return pd.DataFrame(rows, columns=names).assign(**fixed)


def points(names, *values):
    values = values if len(values) > 1 else values * len(names)
    return dict(zip(names, values, strict=True))


GOOD_STATIC = points([*TOPS[2:], *BOTH, "middle"], 0.5)


def at_tenth(*losses):
    """Return what each of the families loses at ρ = 0.1."""
    return {(f, 0.1): points for f, points in zip(FAMILIES, losses, strict=True)}


@pytest.mark.parametrize(
    ("claim", "losses", "holds"),
    [
        (MNIST["D1"], {"top 1 bottom 1": 0.4}, True),
        (MNIST["D1"], {"top 1 bottom 1": 3.0}, False),
        (MNIST["D1"], {"top 1": 0.1}, None),
        (MNIST["D2"], GOOD_STATIC, True),
        (MNIST["D2"], GOOD_STATIC | {"middle": 4.0}, False),
        (MNIST["D2"], {"top 3": 0.5}, None),
        (MNIST["E1"], {("top 1 all bottoms", 0.1): 0.5}, True),  # one is enough
        (MNIST["E1"], {(f, 0.1): 2 for f in FAMILIES[:2]}, False),
        (MNIST["E9"], {("top 1 bottom 1", 0.1): 0.5}, True),
        (MNIST["E9"], {("top 1 bottom 1", 0.3): 0.5}, None),
        (MNIST["E11"], {("top 4 all bottoms", 0.1): 0.5, "random uniform": 3}, False),
        (CIFAR10["D3"], points(TOPS, 50), True),
        (CIFAR10["D3"], points(TOPS, 50, 40, 30, 5), False),
        (CIFAR10["D4"], points(BOTTOMS, 40, 30, 20, 10), True),
        (CIFAR10["D4"], points(BOTTOMS, 10, 20, 30, 40), False),
        (CIFAR10["D5"], {"middle": 3}, True),
        (CIFAR10["D5"], {"middle": 8}, False),
        (CIFAR10["D6"], points(BOTH, 20, 10, 5, 1), True),
        (CIFAR10["D6"], points(BOTH, 20, 10, 5, 4), False),
        (CIFAR10["D6"], points(BOTH[:2], 20, 10), None),
        (CIFAR10["D6"], {"top 4 bottom 4": 1}, True),  # one is enough
        (CIFAR10["E2"], {(f, 0.1): 9 for f in FAMILIES[:2]}, True),
        (CIFAR10["E2"], {(f, 0.1): 2 for f in FAMILIES[:2]}, False),
        (CIFAR10["E6"], {"random uniform": 6, "random beta (2, 5)": 36}, True),
        (CIFAR10["E6"], {"random uniform": 6, "random beta (2, 5)": 6}, False),
        (CIFAR10["E7"], {(f, r): 9 - 10 * r for f in FAMILIES for r in RHOS}, True),
        (CIFAR10["E7"], {(f, r): 4 + 10 * r for f in FAMILIES for r in RHOS}, False),
        (CIFAR10["E7"], {(f, r): 9 for f in FAMILIES[:1] for r in RHOS}, None),
        (CIFAR10["E8"], at_tenth(11, 14, 15, 11), True),
        (CIFAR10["E8"], at_tenth(11, 14, 11, 15), False),
        (CIFAR10["E8"], at_tenth(14, 11, 15, 11), False),
        (CIFAR10["E11"], {("top 4 all bottoms", 0.1): 14, "random uniform": 6}, False),
    ],
)
def test_a_verdict_is_that_of_its_line(claim, losses, holds):
    verdict = claim.verdict(table(losses))
    assert verdict.holds is holds, verdict


ALL_BOTTOMS = [(f"top {k} all bottoms", rho) for k in (1, 4) for rho in (0.1, 0.3, 0.5)]


@pytest.mark.parametrize(
    ("times", "holds"),
    [
        ((0.4, 0.5, 0.6, 0.45, 0.55, 0.65), True),
        ((0.3, 0.3, 0.9, 0.3, 0.3, 0.9), True),  # on average
        ((0.1, 0.2, 0.3, 0.1, 0.2, 0.3), False),
        ((0.7, 0.8, 0.9, 0.7, 0.8, 0.9), False),
        ((0.4, 0.5, 0.6, 0.45, 0.55, NAN), None),
    ],
)
def test_whole_steps_take_half(times, holds):
    runs = table(points(ALL_BOTTOMS, 1))
    assert MNIST["E12"].verdict(runs).holds is None  # not timed
    runs = clocked(runs, dict(zip(ALL_BOTTOMS, times, strict=True)), "clock_total")
    assert MNIST["E12"].verdict(runs).holds is holds


def clocked(runs, times, column="clock_backward"):
    """Return runs with each cell's time, 1 for full training."""
    cells = zip(runs.schedule, runs.rho, strict=True)
    return runs.assign(**{column: [times.get(cell, 1.0) for cell in cells]})


@pytest.mark.parametrize(
    ("cost", "time", "holds"),
    [(0.3, 0.4, True), (0.3, 0.7, False), (0.7, 0.4, False), (0.3, NAN, True)],
)
def test_cheaper_is_asked_of_operations_and_of_the_clock(cost, time, holds):
    runs = table(points(ALL_BOTTOMS, 1), seeds=1, cost=cost)
    timed = clocked(runs, dict.fromkeys(ALL_BOTTOMS, time))
    if pd.isna(time):  # nothing was timed: operations decide
        timed["clock_backward"] = NAN
    verdict = MNIST["E4"].verdict(timed)
    assert verdict.holds is holds
    assert f"operations over full training's: top 1 all bottoms, ρ 0.1: {cost:.2f}" in (
        verdict.numbers
    )
    assert ("time over full training's: top 1" in verdict.numbers) != pd.isna(time)


def line(top, bend=0.0):
    """Return times on a straight line in ρ that ends at 1, or a bent one."""
    return {
        (schedule, rho): (1 - rho) * top + rho + bend * (rho == 0.3)
        for schedule, rho in ALL_BOTTOMS
    }


@pytest.mark.parametrize(
    ("top", "bend", "spread", "holds"),
    [
        (0.09, 0.0, 0.0, True),
        (0.09, 0.03, 0.0, True),
        (0.09, 0.08, 0.0, False),
        (0.4, -0.08, 0.0, False),
        (0.09, 0.0, 0.1, None),  # draws that differ too much to tell
    ],
)
def test_time_is_a_straight_line(top, bend, spread, holds):
    runs = table(points(ALL_BOTTOMS, 1))
    assert MNIST["E5"].verdict(runs).holds is None  # not timed
    runs = clocked(runs, line(top, bend))
    runs.clock_backward += spread * (runs.seed - 1)
    verdict = MNIST["E5"].verdict(runs)
    assert verdict.holds is holds, verdict
    assert "n = 3 seeds)" in verdict.numbers
    assert MNIST["E5"].verdict(runs[runs.seed == 0]).holds is None  # one seed


def test_the_line_ends_at_full_training_and_fits_best():
    runs = clocked(table(points(ALL_BOTTOMS, 1)), line(0.09, 0.05))
    runs = runs[runs.schedule != "full"]
    over = lws_claims.over_line(runs, "clock_backward")
    # T_top is too large by 0.05 * 0.7 / (0.81 + 0.49 + 0.25)
    expected = 0.05 * (runs.rho == 0.3) - (1 - runs.rho) * 0.05 * 0.7 / 1.55
    assert over.tolist() == pytest.approx(expected.tolist())


def test_the_papers_own_times_are_on_a_line():
    cells = paper_table_1()
    verdict = lws_claims.printed_times(cells)
    assert verdict.holds is True and "ρ 0.4 from xavier" in verdict.numbers
    bent = cells.schedule.eq("top 4 all bottoms") & cells.rho.eq(0.3)
    cells.loc[bent, "seconds"] += 300  # a tenth of full training
    assert lws_claims.printed_times(cells).holds is False


TABLE_1 = make_recipe("table-1", "paper", seeds=[0]).configs[0]


def timed(milliseconds, device):
    """Return steps that were timed: full training's, one of them slow."""
    steps = [milliseconds / 1000] * 4 + [1.0]
    seconds = dict.fromkeys(PHASES, steps)
    plans = {"full": {"layers": list(range(11)), "seconds": seconds}}
    measured = {"step_times": {"threads": 2, "plans": plans}}
    return Record(TABLE_1, "ok", {}, measured, {}, {"device": device})


@pytest.mark.parametrize(
    ("milliseconds", "device", "holds"),
    [
        (42.6, "Tesla K40m", True),
        (60.0, "Tesla K40m", False),
        (30.0, "Tesla K40m", False),
        (42.6, "CPU, Intel(R) Xeon(R) Processor", None),
    ],
)
def test_seconds_are_one_devices(milliseconds, device, holds):
    verdict = lws_claims.full_time(timed(milliseconds, device), TABLE_1)
    assert verdict.holds is holds and device in verdict.numbers
    total = milliseconds / 1000 * 180 * 391
    assert verdict.numbers.startswith(f"{total:,.0f} s for 70,380 steps")
    assert "42.6 ms a step" in verdict.numbers and "2,996 s" in verdict.says


def test_seconds_are_of_the_network_that_is_asked_about():
    narrow = dataclasses.replace(
        TABLE_1, model=dataclasses.replace(TABLE_1.model, width=8)
    )
    with pytest.raises(ValueError, match="timed must be steps of VGG11"):
        lws_claims.full_time(timed(42.6, "Tesla K40m"), narrow)


@pytest.mark.parametrize(
    ("easy", "hard", "seeds", "holds"),
    [(1, 9, 3, True), (9, 1, 3, False), (5, 5, 3, None), (1, 9, 1, None)],
)
def test_a_harder_task_loses_more(easy, hard, seeds, holds):
    runs = [table(points(lws_claims.HARD, lost), seeds=seeds) for lost in (easy, hard)]
    verdict = lws_claims.harder(*runs)
    assert verdict.holds is holds
    assert f"{easy}.0" in verdict.numbers and f"{hard}.0" in verdict.numbers
    assert verdict.numbers.count(f"n = {seeds}") == 2


def test_a_harder_task_is_compared_where_both_were_run():
    runs, nothing = table(points(lws_claims.HARD, 3)), lws_table([])
    for pair in ((runs, nothing), (nothing, runs), (runs, table({}))):
        verdict = lws_claims.harder(*pair)
        assert verdict.holds is None and verdict.numbers == "Not run yet."


def test_a_verdict_counts_the_seeds_of_its_own_cells():
    runs = table(points(BOTH, 0.4))
    few = runs[(runs.schedule != BOTH[0]) | (runs.seed == 1)]
    assert "n = 1 seed)" in MNIST["D1"].verdict(few).numbers
    assert "n = 1 to 3 seeds)" in MNIST["D8"].verdict(few).numbers


def test_one_seed_decides_no_accuracy():
    for claim, losses in [
        (MNIST["D1"], {"top 1 bottom 1": 0.1}),
        (CIFAR10["D3"], points(TOPS, 50)),
        (CIFAR10["D4"], points(BOTTOMS, 40, 30, 20, 10)),
    ]:
        verdict = claim.verdict(table(losses, seeds=1))
        assert verdict.holds is None and "n = 1 seed)" in verdict.numbers


def test_costs_need_but_one_run():
    cells = {(f, rho): 1 for f in FAMILIES[:2] for rho in (0.1, 0.3, 0.5)}
    assert MNIST["E4"].verdict(table(cells, seeds=1)).holds is True
    assert MNIST["E4"].verdict(table(cells, seeds=1, cost=0.8)).holds is False
    assert MNIST["D8"].verdict(table(points(BOTH, 1), cost=0.8)).holds is True
    assert MNIST["D8"].verdict(table(points(BOTH, 1), cost=0.3)).holds is False


def test_what_was_not_run_is_said():
    verdict = MNIST["D2"].verdict(table({"top 3": 0.5}))
    assert "top 3: 0.5 ± 0.1; 6 of 7 schedules not run yet" in verdict.numbers
    assert "w = 16, n = 3 seeds" in verdict.numbers


def test_only_schedules_may_differ():
    mixed = table({"top 1 bottom 1": 0.5})
    mixed.loc[0, "lr"] = 0.1
    with pytest.raises(ValueError, match="lr must be one value"):
        MNIST["D1"].verdict(mixed)


BEST = [("top 4 all bottoms", rho) for rho in RHOS[2:]]


@pytest.mark.parametrize(
    ("claim", "losses", "holds"),
    [
        (
            "E1",
            {("top 1 all bottoms", 0.1): 1.7, ("top 4 all bottoms", 0.1): 2.4},
            True,
        ),
        ("E1", {("top 1 all bottoms", 0.1): 9, ("top 4 all bottoms", 0.1): 9}, False),
        ("E1", {("top 1 all bottoms", 0.1): 9}, None),
        ("E3", points(BEST, -0.3), True),
        ("E3", points(BEST, -0.3, 0.4, -0.3), False),
        ("E3", points(BEST[:1], -0.3), None),
    ],
)
def test_pre_trained_networks_are_judged_from_imagenets_weights(claim, losses, holds):
    verdict = PRETRAINED[claim].verdict(table(losses, init="imagenet_vgg11"))
    assert verdict.holds is holds, verdict


def started(init, accuracy, early_loss, seeds=3):
    """Return full training's rows of a start, its seeds a tenth of a point apart."""
    rows = table({}, seeds=seeds, init=init)
    spread = 0.001 * (rows.seed % 2)
    return rows.assign(test_accuracy=accuracy + spread, early_loss=early_loss + spread)


@pytest.mark.parametrize(
    ("accuracy", "early_loss", "holds"),
    [(0.93, 0.5, True), (0.93, 2.5, False), (0.88, 0.5, False), (0.9, 0.5, None)],
)
def test_a_start_is_better_if_it_ends_better_and_is_faster(accuracy, early_loss, holds):
    plain = started("xavier_normal", 0.9, 2.0)
    own = started("imagenet_vgg11", accuracy, early_loss)
    if holds is None:  # the same on average, not for every seed
        own.test_accuracy += [0.01, -0.01, 0.0]
    verdict = PRETRAINED["E13"].verdict(pd.concat([plain, own]))
    assert verdict.holds is holds, verdict
    assert "w = 16, n = 3)" in verdict.numbers


@pytest.mark.parametrize(
    ("plain", "own", "holds"), [((11, 14), (2, 2), True), ((11, 14), (2, 15), False)]
)
def test_a_start_helps_where_less_is_lost(plain, own, holds):
    cells = [(f"top {k} all bottoms", 0.1) for k in (1, 4)]
    starts = [
        table(dict(zip(cells, losses, strict=True)), init=init)
        for init, losses in (("xavier_normal", plain), ("imagenet_vgg11", own))
    ]
    verdict = PRETRAINED["E10"].verdict(pd.concat(starts))
    assert verdict.holds is holds and "n = 3 seeds)" in verdict.numbers
    assert PRETRAINED["E10"].verdict(starts[0]).holds is None


def test_starts_are_compared_seed_by_seed():
    plain = started("xavier_normal", 0.9, 2.0, seeds=5)
    own = started("imagenet_vgg11", 0.93, 0.5)
    assert "n = 3)" in PRETRAINED["E13"].verdict(pd.concat([plain, own])).numbers
    apart = own.assign(seed=own.seed + 10)
    verdict = PRETRAINED["E13"].verdict(pd.concat([plain, apart]))
    assert verdict.holds is None and verdict.numbers.startswith("Not run yet")


def records_of(recipe):
    """Return what networks of a recipe leave that all do as well as can be."""
    for config in make_recipe(recipe, "laptop", seeds=[0, 1, 2], rhos=RHOS).configs:
        losses = [0.1] * config.training.num_epochs
        curves = {"epoch": [1], "train_loss": losses, "num_correct": [999]}
        yield Record(config, "ok", curves, {}, {}, {"num_test": 1000})


def test_a_proxys_records_decide_no_claim():
    proxy = lws_table(records_of("table-1-proxy"))
    assert len(proxy) == 3 * 13 and proxy.lost.notna().all()
    plain = lws_table(records_of("table-1"))
    every = (*PRETRAINED.values(), *CIFAR10.values(), *MNIST.values())
    for claim in every:
        verdict = claim.verdict(proxy)
        assert verdict.holds is None and verdict.word == "open", verdict
        assert verdict.numbers.startswith("Not run yet"), verdict
    both = pd.concat([proxy, plain.assign(train_size=240)])
    for claim in PRETRAINED.values():
        for records in (plain, both, lws_table([])):
            verdict = claim.verdict(records)
            assert verdict.holds is None, verdict
            assert verdict.numbers.startswith("Not run yet"), verdict
    for claim in CIFAR10.values():  # nor do they move a verdict of others
        assert claim.verdict(both) == claim.verdict(plain)


def test_real_records_do_decide():
    real = lws_table(records_of("table-1-pretrained"))
    found = {claim.name: claim.verdict(real) for claim in PRETRAINED.values()}
    assert "lost" in found["E1"].numbers and "lost" in found["E3"].numbers
    assert found["E1"].holds is True  # none of them lost anything


def test_one_start_is_of_one_setting():
    real = table({("top 1 all bottoms", 0.1): 1.0}, init="imagenet_vgg11")
    mixed = pd.concat([real.assign(sha256="0" * 8), real.assign(sha256="1" * 8)])
    for claim in PRETRAINED.values():
        with pytest.raises(ValueError, match="sha256 must be one value"):
            claim.verdict(mixed)


def anatomy(**changed):
    """Return ratios of steps as the paper has them, each within a hundredth."""
    tops = {f"top {k}": 0.01 * k for k in (1, 2, 3, 4)}
    bottoms = {f"bottom {q}": 0.5 + 0.05 * q for q in (1, 2, 3, 4)}
    both = {f"top {k} bottom {k}": 0.5 + 0.05 * k for k in (1, 2, 3, 4)}
    ratios = {"full": 1.0} | tops | bottoms | both | {"middle": 0.9} | changed
    table = pd.DataFrame({"plan": list(ratios), "ratio": list(ratios.values())})
    return table.assign(low=table.ratio - 0.01, high=table.ratio + 0.01)


def test_the_order_of_times():
    verdict = lws_claims.time_order(anatomy(), "VGG-5")
    assert verdict.holds is True and verdict.numbers.startswith("VGG-5, backward")
    assert lws_claims.time_order(anatomy(middle=0.6), "").holds is False
    assert lws_claims.time_order(anatomy(middle=1.2), "").holds is False
    faster_than_a_top = anatomy(**{"bottom 1": 0.03})
    assert lws_claims.time_order(faster_than_a_top, "").holds is False
    dear_ends = anatomy(**{"top 4 bottom 4": 0.85})
    assert lws_claims.time_order(dear_ends, "").holds is False
    assert lws_claims.time_order(anatomy(middle=0.995), "").holds is None
    wide = anatomy()
    wide.loc[wide.plan == "bottom 2", "high"] = 1.3
    assert lws_claims.time_order(wide, "").holds is None
