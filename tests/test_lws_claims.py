"""Claims about sparse training get the verdict that hand-made losses deserve."""

import pandas as pd
import pytest

from lazyrich_helpers.lws_claims import (
    RANDOM_CIFAR10,
    RANDOM_MNIST,
    RHOS,
    STATIC_CIFAR10,
    STATIC_MNIST,
)

NAN = float("nan")
MNIST = {claim.name: claim for claim in (*STATIC_MNIST, *RANDOM_MNIST)}
CIFAR10 = {claim.name: claim for claim in (*STATIC_CIFAR10, *RANDOM_CIFAR10)}
TOPS = [f"top {k}" for k in (1, 2, 3, 4)]
BOTTOMS = [f"bottom {q}" for q in (1, 2, 3, 4)]
BOTH = [f"top {k} bottom {k}" for k in (1, 2, 3, 4)]
FAMILIES = [
    "top 1 all bottoms",
    "top 4 all bottoms",
    "top 1 bottom 4",
    "top 4 bottom 4",
]


def table(losses, seeds=3, cost=0.3):
    """Return runs that lost so many points, from (schedule, ρ) or schedule → points."""
    rows = []
    for key, points in ({"full": 0.0} | losses).items():
        schedule, rho = key if isinstance(key, tuple) else (key, NAN)
        for seed in range(seeds):
            noisy = (points + 0.05 * (seed - seeds // 2)) / 100
            rows.append((schedule, rho, seed, 0.0 if key == "full" else noisy, cost))
    names = ["schedule", "rho", "seed", "lost", "backward"]
    fixed = {"width": 16, "lr": 0.001, "updates": "several"}
    return pd.DataFrame(rows, columns=names).assign(**fixed)


def points(names, *values):
    values = values if len(values) > 1 else values * len(names)
    return dict(zip(names, values, strict=True))


GOOD_STATIC = points([*TOPS[2:], *BOTH, "middle"], 0.5)


@pytest.mark.parametrize(
    ("claim", "losses", "holds"),
    [
        (MNIST["D1"], {"top 1 bottom 1": 0.4}, True),
        (MNIST["D1"], {"top 1 bottom 1": 3.0}, False),
        (MNIST["D1"], {"top 1": 0.1}, None),
        (MNIST["D2"], GOOD_STATIC, True),
        (MNIST["D2"], GOOD_STATIC | {"middle": 4.0}, False),
        (MNIST["D2"], {"top 3": 0.5}, None),
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
        (CIFAR10["E8"], {("top 1 bottom 4", 0.1): 9, ("top 4 bottom 4", 0.1): 5}, True),
        (
            CIFAR10["E8"],
            {("top 1 bottom 4", 0.1): 4, ("top 4 bottom 4", 0.1): 5},
            False,
        ),
    ],
)
def test_a_verdict_is_that_of_its_line(claim, losses, holds):
    verdict = claim.verdict(table(losses))
    assert verdict.holds is holds, verdict


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
    assert "top 3: 0.5 ± 0.1; top 4: not run yet" in verdict.numbers
    assert "w = 16, n = 3 seeds" in verdict.numbers


def test_only_schedules_may_differ():
    mixed = table({"top 1 bottom 1": 0.5})
    mixed.loc[0, "lr"] = 0.1
    with pytest.raises(ValueError, match="lr must be one value"):
        MNIST["D1"].verdict(mixed)
