"""Claims about sparse training get the verdict that hand-made losses deserve."""

from dataclasses import replace

import pandas as pd
import pytest

from lazyrich_helpers.analysis.claims.amounts import Points, Several, Share
from lazyrich_helpers.analysis.claims.lws import (
    RANDOM_CIFAR10,
    RANDOM_MNIST,
    RHOS,
    STATIC_CIFAR10,
    STATIC_MNIST,
)
from lazyrich_helpers.analysis.claims.pretrained_lws import HARDER, PRETRAINED_CIFAR10
from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.analysis.tables.lws import lws_table
from lazyrich_helpers.experiments.exhibits import make_recipe
from tests import tiny

HOLDS, PARTLY, FAILS, UNDECIDED, NOT_RUN = Word
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


def table(losses, seeds=3, cost=0.3, init="xavier_normal", width=64):
    """Return runs that lost so many points, from (schedule, ρ) or schedule → points."""
    rows = []
    for key, points in ({"full": 0.0} | losses).items():
        schedule, rho = key if isinstance(key, tuple) else (key, NAN)
        for seed in range(seeds):
            noisy = (points + 0.05 * (seed - seeds // 2)) / 100
            rows.append((schedule, rho, seed, 0.0 if key == "full" else noisy, cost))
    names = ["schedule", "rho", "seed", "lost", "backward"]
    fixed = {"width": width, "lr": 0.001, "updates": "several", "init": init}
    return pd.DataFrame(rows, columns=names).assign(**fixed)


def points(names, *values):
    values = values if len(values) > 1 else values * len(names)
    return dict(zip(names, values, strict=True))


GOOD_STATIC = points([*TOPS[2:], *BOTH, "middle"], 0.5)


def at_tenth(*losses):
    """Return what each of the families loses at ρ = 0.1."""
    return {(f, 0.1): points for f, points in zip(FAMILIES, losses, strict=True)}


GOOD = {
    "D1": {"top 1 bottom 1": 0.4},
    "D2": GOOD_STATIC,
    "E1": {(f, 0.1): 0.5 for f in FAMILIES[:2]},
    "E9": {("top 1 bottom 1", 0.1): 0.5},
    "E11": {("top 4 all bottoms", 0.1): 0.5, "random uniform": 0.5},
    "D3": points(TOPS, 50),
    "D4": points(BOTTOMS, 40, 30, 20, 10),
    "D5": {"middle": 3},
    "D6": points(BOTH, 20, 10, 5, 1),
    "D9": points(BOTH, 0.5, 10, 5, 1),
    "E2": {(f, 0.1): 9 for f in FAMILIES[:2]},
    "E6": {"random uniform": 6, "random beta (2, 5)": 36},
    "E7": {(f, r): 9 - 10 * r for f in FAMILIES for r in RHOS},
    "E8": at_tenth(11, 14, 15, 11),
}
"""Claim → losses with which it holds."""
OWN = {**CIFAR10, **MNIST}


@pytest.mark.parametrize(
    ("claim", "losses", "word"),
    [
        *((OWN[name], losses, HOLDS) for name, losses in GOOD.items()),
        (MNIST["D1"], {"top 1 bottom 1": 3.0}, FAILS),
        (MNIST["D1"], {"top 1": 0.1}, NOT_RUN),
        (MNIST["D2"], GOOD_STATIC | {"middle": 4.0}, PARTLY),
        (MNIST["D2"], points(GOOD_STATIC, 4.0), FAILS),
        (MNIST["D2"], {"top 3": 0.5}, NOT_RUN),
        (MNIST["E1"], {("top 1 all bottoms", 0.1): 0.5}, HOLDS),  # one is enough
        (MNIST["E1"], {(f, 0.1): 2 for f in FAMILIES[:2]}, FAILS),
        (MNIST["E9"], {("top 1 bottom 1", 0.3): 0.5}, NOT_RUN),
        (CIFAR10["D3"], points(TOPS, 50, 40, 30, 5), PARTLY),
        (CIFAR10["D3"], points(TOPS, 5), FAILS),
        (CIFAR10["D4"], points(BOTTOMS, 10, 20, 30, 40), FAILS),
        (CIFAR10["D4"], points(BOTTOMS, 40, 41, 20, 10), HOLDS),
        (CIFAR10["D5"], {"middle": 8}, FAILS),
        (CIFAR10["D9"], points(BOTH, 20, 10, 5, 1), FAILS),
        (CIFAR10["D6"], points(BOTH, 20, 10, 5, 4), FAILS),
        (CIFAR10["D6"], points(BOTH[:2], 20, 10), NOT_RUN),
        (CIFAR10["D6"], {"top 4 bottom 4": 1}, HOLDS),  # one is enough
        (CIFAR10["E2"], {(f, 0.1): 2 for f in FAMILIES[:2]}, FAILS),
        (CIFAR10["E6"], {"random uniform": 6, "random beta (2, 5)": 6}, PARTLY),
        (CIFAR10["E6"], {"random uniform": 1, "random beta (2, 5)": 6}, FAILS),
        (CIFAR10["E7"], {(f, r): 4 + 10 * r for f in FAMILIES for r in RHOS}, FAILS),
        (CIFAR10["E7"], {(f, r): 9 for f in FAMILIES[:1] for r in RHOS}, NOT_RUN),
        (CIFAR10["E8"], at_tenth(14, 11, 11, 15), FAILS),
        (CIFAR10["E11"], {("top 4 all bottoms", 0.1): 14, "random uniform": 6}, FAILS),
    ],
)
def test_a_verdict_is_that_of_its_line(claim, losses, word):
    verdict = claim.verdict(table(losses))
    assert verdict.word is word, verdict


HARD = [(f, 0.1) for f in FAMILIES]
ALL_BOTTOMS = [(f"top {k} all bottoms", rho) for k in (1, 4) for rho in (0.1, 0.3, 0.5)]


@pytest.mark.parametrize(
    ("claim", "losses", "part"),
    [
        (MNIST["D2"], GOOD_STATIC | {"top 3": 4.0, "top 4 bottom 4": 4.0},
         "for top 4, top 1 bottom 1, top 2 bottom 2, top 3 bottom 3 and middle"),
        (MNIST["E11"], {("top 4 all bottoms", 0.1): 0.5, "random uniform": 3},
         "for top 4 all bottoms, ρ 0.1"),
        (CIFAR10["E8"], at_tenth(11, 14, 11, 15), "for all bottoms"),
        (CIFAR10["E8"], at_tenth(14, 11, 15, 11), "for the bottom 4"),
    ],
)  # fmt: skip
def test_what_holds_in_part_says_where(claim, losses, part):
    assert str(claim.verdict(table(losses))) == f"partly {part}"


def test_accuracy_that_falls_on_the_way_does_not_increase():
    """The whole order counts, not its two ends."""
    falling = dict(zip(RHOS, (9, 8, 7, 7.5, 5), strict=True))
    losses = {(f, rho): 9 - 10 * rho for f in FAMILIES for rho in RHOS}
    losses |= {("top 4 bottom 4", rho): lost for rho, lost in falling.items()}
    verdict = CIFAR10["E7"].verdict(table(losses))
    assert verdict.word is PARTLY
    assert verdict.part == "for top 1 all bottoms, top 4 all bottoms and top 1 bottom 4"


@pytest.mark.parametrize("claim", ["D1", "D2", "E9"])
def test_the_papers_width_is_not_run_at_another(claim):
    losses = GOOD[claim]
    verdict = MNIST[claim].verdict(table(losses, width=16))
    assert str(verdict) == "not run at w = 64; at 16: holds"
    assert "(w = 16, n = 3 seeds)" in verdict.numbers
    fails = MNIST[claim].verdict(table(dict.fromkeys(losses, 30.0), width=16))
    assert str(fails).endswith("at 16: does not hold")


@pytest.mark.parametrize(
    ("times", "word"),
    [
        ((0.4, 0.5, 0.6, 0.45, 0.55, 0.65), HOLDS),
        ((0.3, 0.3, 0.9, 0.3, 0.3, 0.9), HOLDS),  # on average
        ((0.1, 0.2, 0.3, 0.1, 0.2, 0.3), FAILS),
        ((0.7, 0.8, 0.9, 0.7, 0.8, 0.9), FAILS),
        ((0.4, 0.5, 0.6, 0.45, 0.55, NAN), NOT_RUN),
    ],
)
def test_whole_steps_take_half(times, word):
    runs = table(points(ALL_BOTTOMS, 1))
    assert MNIST["E12"].verdict(runs).word is NOT_RUN  # not timed
    runs = clocked(runs, dict(zip(ALL_BOTTOMS, times, strict=True)), "clock_total")
    assert MNIST["E12"].verdict(runs).word is word


def clocked(runs, times, column="clock_backward"):
    """Return runs with each cell's time, 1 for full training."""
    cells = zip(runs.schedule, runs.rho, strict=True)
    return runs.assign(**{column: [times.get(cell, 1.0) for cell in cells]})


@pytest.mark.parametrize(
    ("cost", "time", "word"),
    [
        (0.3, 0.4, HOLDS),
        (0.3, 0.7, FAILS),
        (0.7, 0.4, FAILS),
        (0.1, 0.3, FAILS),  # more than five times cheaper, and a fifth of that
        (0.3, 0.1, FAILS),
        (0.3, NAN, HOLDS),
    ],
)
def test_cheaper_is_asked_of_operations_and_of_the_clock(cost, time, word):
    runs = table(points(ALL_BOTTOMS, 1), seeds=1, cost=cost)
    timed = clocked(runs, dict.fromkeys(ALL_BOTTOMS, time))
    if pd.isna(time):  # nothing was timed: FLOPs decide
        timed["clock_backward"] = NAN
    verdict = MNIST["E4"].verdict(timed)
    assert verdict.word is word
    assert f"FLOPs over full training's: top 1 all bottoms, ρ 0.1: {cost:.2f}" in (
        verdict.numbers
    )
    assert ("full width) over full training's: top 1" in verdict.numbers) != pd.isna(
        time
    )


def test_where_it_is_cheaper_than_said():
    runs = table(points(ALL_BOTTOMS, 1), seeds=1)
    timed = clocked(runs, {cell: cell[1] for cell in ALL_BOTTOMS})
    assert str(MNIST["E4"].verdict(timed)) == "partly at ρ = 0.3 and 0.5"


@pytest.mark.parametrize(
    ("easy", "hard", "seeds", "word"),
    [
        (1, 9, 3, HOLDS),
        (9, 1, 3, FAILS),
        (5, 5, 3, UNDECIDED),
        (5, 5.2, 3, UNDECIDED),  # intervals overlap
        (1, 9, 1, UNDECIDED),
    ],
)
def test_a_harder_task_loses_more(easy, hard, seeds, word):
    runs = [table(points(HARD, lost), seeds=seeds) for lost in (easy, hard)]
    verdict = HARDER.verdict(*runs)
    assert verdict.word is word
    assert f"{easy:.1f}" in verdict.numbers and f"{hard:.1f}" in verdict.numbers
    assert verdict.numbers.count(f"n = {seeds}") == 2


def test_narrower_networks_say_so_of_a_harder_task():
    runs = [table(points(HARD, lost), width=16) for lost in (1, 9)]
    assert str(HARDER.verdict(*runs)) == "holds at w = 16"


def test_a_harder_task_is_compared_where_both_were_run():
    runs, nothing = table(points(HARD, 3)), lws_table([])
    for pair in ((runs, nothing), (nothing, runs), (runs, table({}))):
        verdict = HARDER.verdict(*pair)
        assert verdict.word is NOT_RUN and verdict.numbers == "Not run yet."


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
        assert verdict.word is UNDECIDED and "n = 1 seed)" in verdict.numbers


def test_costs_need_but_one_run():
    cells = {(f, rho): 1 for f in FAMILIES[:2] for rho in (0.1, 0.3, 0.5)}
    assert MNIST["E4"].verdict(table(cells, seeds=1)).word is HOLDS
    assert MNIST["E4"].verdict(table(cells, seeds=1, cost=0.8)).word is FAILS
    assert MNIST["D8"].verdict(table(points(BOTH, 1), cost=0.8)).word is HOLDS
    assert MNIST["D8"].verdict(table(points(BOTH, 1), cost=0.3)).word is FAILS


def test_what_was_not_run_is_said():
    verdict = MNIST["D2"].verdict(table({"top 3": 0.5}))
    assert "top 3: 0.5 ± 0.1; 6 of 7 schedules not run yet" in verdict.numbers
    assert "w = 64, n = 3 seeds" in verdict.numbers


def test_only_schedules_may_differ():
    mixed = table({"top 1 bottom 1": 0.5})
    mixed.loc[0, "lr"] = 0.1
    with pytest.raises(ValueError, match="lr must be one value"):
        MNIST["D1"].verdict(mixed)


BEST = [("top 4 all bottoms", rho) for rho in RHOS[2:]]


@pytest.mark.parametrize(
    ("claim", "losses", "word"),
    [
        (
            "E1",
            {("top 1 all bottoms", 0.1): 1.7, ("top 4 all bottoms", 0.1): 2.4},
            HOLDS,
        ),
        ("E1", {("top 1 all bottoms", 0.1): 9, ("top 4 all bottoms", 0.1): 9}, FAILS),
        ("E1", {("top 1 all bottoms", 0.1): 9}, NOT_RUN),
        ("E3", points(BEST, -0.3), HOLDS),
        ("E3", points(BEST, -0.3, 0.4, -0.3), PARTLY),
        ("E3", points(BEST, 0.4), FAILS),
        ("E3", points(BEST[:1], -0.3), NOT_RUN),
    ],
)
def test_pre_trained_networks_are_judged_from_imagenets_weights(claim, losses, word):
    verdict = PRETRAINED[claim].verdict(table(losses, init="imagenet_vgg11"))
    assert verdict.word is word, verdict


def started(init, accuracy, early_loss, seeds=3):
    """Return full training's rows of a start, its seeds a tenth of a point apart."""
    rows = table({}, seeds=seeds, init=init)
    spread = 0.001 * (rows.seed % 2)
    return rows.assign(test_accuracy=accuracy + spread, early_loss=early_loss + spread)


@pytest.mark.parametrize(
    ("accuracy", "early_loss", "found"),
    [
        (0.93, 0.5, "holds"),
        (0.93, 2.5, "partly in generalising"),
        (0.88, 0.5, "partly in converging"),
        (0.88, 2.5, "does not hold"),
        (0.9, 0.5, "undecided"),
    ],
)
def test_a_start_is_better_if_it_ends_better_and_is_faster(accuracy, early_loss, found):
    plain = started("xavier_normal", 0.9, 2.0)
    own = started("imagenet_vgg11", accuracy, early_loss)
    if found == "undecided":  # the same on average, not for every seed
        own.test_accuracy += [0.01, -0.01, 0.0]
    verdict = PRETRAINED["E13"].verdict(pd.concat([plain, own]))
    assert str(verdict) == found, verdict
    assert "w = 64, n = 3)" in verdict.numbers


@pytest.mark.parametrize(
    ("plain", "own", "found"),
    [
        ((11, 14), (2, 2), "holds"),
        ((11, 14), (2, 15), "partly for top 1 all bottoms, ρ 0.1"),
        ((11, 14), (12, 15), "does not hold"),
    ],
)
def test_a_start_helps_where_less_is_lost(plain, own, found):
    cells = [(f"top {k} all bottoms", 0.1) for k in (1, 4)]
    starts = [
        table(dict(zip(cells, losses, strict=True)), init=init)
        for init, losses in (("xavier_normal", plain), ("imagenet_vgg11", own))
    ]
    verdict = PRETRAINED["E10"].verdict(pd.concat(starts))
    assert str(verdict) == found and "n = 3 seeds)" in verdict.numbers
    assert PRETRAINED["E10"].verdict(starts[0]).word is NOT_RUN


def test_starts_are_compared_seed_by_seed():
    plain = started("xavier_normal", 0.9, 2.0, seeds=5)
    own = started("imagenet_vgg11", 0.93, 0.5)
    assert "n = 3)" in PRETRAINED["E13"].verdict(pd.concat([plain, own])).numbers
    apart = own.assign(seed=own.seed + 10)
    verdict = PRETRAINED["E13"].verdict(pd.concat([plain, apart]))
    assert verdict.word is NOT_RUN and verdict.numbers.startswith("Not run yet")


def records_of(recipe):
    """Return what networks of a recipe leave that all do as well as can be."""
    for config in make_recipe(recipe, "laptop", seeds=[0, 1, 2], rhos=RHOS).configs:
        yield tiny.record(config, 999)


def test_a_stand_ins_records_decide_no_claim():
    ours = lws_table(records_of("table-1-standin"))
    assert len(ours) == 3 * 11 and ours.lost.notna().all()
    plain = lws_table(records_of("table-1"))
    every = (*PRETRAINED.values(), *CIFAR10.values(), *MNIST.values())
    for claim in every:
        verdict = claim.verdict(ours)
        assert verdict.word is NOT_RUN, verdict
        assert verdict.numbers.startswith("Not run yet"), verdict
    both = pd.concat([ours, plain.assign(train_size=240)])
    for claim in PRETRAINED.values():
        for records in (plain, both, lws_table([])):
            verdict = claim.verdict(records)
            assert verdict.word is NOT_RUN, verdict
            assert verdict.numbers.startswith("Not run yet"), verdict
    for claim in CIFAR10.values():  # nor do they move a verdict of others
        alone = claim.verdict(plain)
        assert replace(claim.verdict(both), scope=alone.scope) == alone


def test_real_records_do_decide():
    real = lws_table(records_of("table-1-pretrained"))
    found = {claim.name: claim.verdict(real) for claim in PRETRAINED.values()}
    assert "lost" in found["E1"].numbers and "lost" in found["E3"].numbers
    assert found["E1"].word is HOLDS  # none of them lost anything


def test_one_start_is_of_one_setting():
    real = table({("top 1 all bottoms", 0.1): 1.0}, init="imagenet_vgg11")
    mixed = pd.concat([real.assign(sha256="0" * 8), real.assign(sha256="1" * 8)])
    for claim in PRETRAINED.values():
        with pytest.raises(ValueError, match="sha256 must be one value"):
            claim.verdict(mixed)


OTHERS = [
    ("D1", "k", 2),
    ("D1", "line", Points(0.2)),
    ("D2", "ks", Several((2, 3))),
    ("D2", "ends", Several((1, 5))),
    ("D2", "line", Points(0.2)),
    ("D3", "ks", Several((1, 5))),
    ("D3", "line", Points(60)),
    ("D4", "qs", Several((4, 1))),
    ("D5", "line", Points(2)),
    ("D6", "ends", Several((1, 2))),
    ("D6", "line", Points(0.5)),
    ("D9", "k", 2),
    ("D9", "line", Points(0.2)),
    ("E1", "ks", Several((2, 3))),
    ("E1", "rho", 0.2),
    ("E1", "line", Points(0.2)),
    ("E2", "ks", Several((1, 2))),
    ("E2", "rho", 0.2),
    ("E2", "line", Points(10)),
    ("E6", "uniform", Points(8)),
    ("E6", "beta", Points(40)),
    ("E7", "k", 2),
    ("E7", "more", 3),
    ("E7", "q", 3),
    ("E7", "rhos", Several((0.5, 0.1))),
    ("E8", "k", 2),
    ("E8", "more", 3),
    ("E8", "q", 3),
    ("E8", "rho", 0.2),
    ("E9", "k", 4),
    ("E9", "q", 4),
    ("E9", "rho", 0.3),
    ("E9", "line", Points(0.2)),
    ("E11", "k", 1),
    ("E11", "rho", 0.3),
    ("E11", "line", Points(0.2)),
]
RUN = clocked(table(points(ALL_BOTTOMS, 1)), dict.fromkeys(ALL_BOTTOMS, 0.5))
WHOLE = clocked(RUN, dict.fromkeys(ALL_BOTTOMS, 0.5), "clock_total")
LONG = clocked(table(points(ALL_BOTTOMS, 1)), dict.fromkeys(ALL_BOTTOMS, 0.55))
SHORT = clocked(RUN.assign(backward=0.2), dict.fromkeys(ALL_BOTTOMS, 0.2))
ENDS = table(points(BOTH, 1), cost=0.6)
EASY_AND_HARD = [table(points(HARD, lost)) for lost in (1, 9)]
TENTH = [(f, 0.1) for f in FAMILIES[:2]]
BETTER = table(points(BEST, -0.3), init="imagenet_vgg11")
SUITS = table(points(TENTH, 1), init="imagenet_vgg11")
STARTS = pd.concat([SUITS, table(points(TENTH, 9))])
NUMBERS = [
    *((OWN[c], n, value, table(GOOD[c])) for c, n, value in OTHERS),
    (MNIST["E4"], "ks", Several((1, 2)), RUN),
    (MNIST["E4"], "rhos", Several((0.1, 0.2)), RUN),
    (MNIST["E4"], "least", 3, RUN),
    (MNIST["E4"], "most", 3, SHORT),
    (MNIST["E4"], "slack", Share(0.0), LONG),
    (MNIST["E12"], "low", Share(0.55), WHOLE),
    (MNIST["E12"], "high", Share(0.45), WHOLE),
    (MNIST["E12"], "ks", Several((1, 2)), WHOLE),
    (MNIST["E12"], "rhos", Several((0.1, 0.2)), WHOLE),
    (MNIST["D8"], "low", Share(0.7), ENDS),
    (MNIST["D8"], "high", Share(0.5), ENDS),
    (MNIST["D8"], "ends", Several((1, 5)), ENDS),
    (HARDER, "ks", Several((1, 2)), *EASY_AND_HARD),
    (HARDER, "q", 3, *EASY_AND_HARD),
    (HARDER, "rho", 0.2, *EASY_AND_HARD),
    (PRETRAINED["E3"], "k", 1, BETTER),
    (PRETRAINED["E3"], "rhos", RHOS, BETTER),
    (PRETRAINED["E1"], "line", Points(0.5), SUITS),
    (PRETRAINED["E1"], "ks", Several((2, 3)), SUITS),
    (PRETRAINED["E1"], "rho", 0.2, SUITS),
    (PRETRAINED["E10"], "ks", Several((1, 2)), STARTS),
    (PRETRAINED["E10"], "rho", 0.2, STARTS),
]
