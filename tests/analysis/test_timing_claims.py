"""Claims about the seconds of steps get the verdict that hand-made times deserve."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lazyrich_helpers.analysis.claims.amounts import Several, Share
from lazyrich_helpers.analysis.claims.timing import (
    FULL_TIME,
    PRINTED_LINE,
    TIME_ORDER,
    over_line,
)
from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.analysis.tables.lws import paper_table_1
from lazyrich_helpers.analysis.tables.timing import (
    recorded_times,
    relative,
    times_table,
)
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.measures.timing import PHASES
from lazyrich_helpers.notebook.chapter import recorded

HOLDS, PARTLY, FAILS, UNDECIDED, NOT_RUN = Word
ALL_BOTTOMS = [(f"top {k} all bottoms", rho) for k in (1, 4) for rho in (0.1, 0.3, 0.5)]


def printed(top: float, bend: float = 0.0) -> pd.DataFrame:
    """Return times on a line in ρ that ends at full training, or on a bent one."""
    cells = [
        (schedule, rho, 100 * ((1 - rho) * top + rho + bend * (rho == 0.3)))
        for schedule, rho in ALL_BOTTOMS
    ]
    cells.append(("full", float("nan"), 100.0))
    table = pd.DataFrame(cells, columns=["schedule", "rho", "seconds"])
    kinds = table.schedule.where(table.schedule == "full", "top_k_all_bottoms")
    return table.assign(init="xavier", updates=kinds)


@pytest.mark.parametrize(
    ("top", "bend", "word"),
    [
        (0.09, 0.0, HOLDS),
        (0.09, 0.03, HOLDS),
        (0.09, 0.08, FAILS),
        (0.4, -0.08, FAILS),
    ],
)
def test_time_is_a_straight_line(top, bend, word):
    assert PRINTED_LINE.verdict_on(printed(top, bend)).word is word


def test_the_line_ends_at_full_training_and_fits_best():
    rows = printed(0.09, 0.05)
    rows = rows[rows.schedule != "full"]
    over = over_line(rows.assign(seconds=rows.seconds / 100), "seconds")
    # T_top is too large by 0.05 * 0.7 / (0.81 + 0.49 + 0.25)
    expected = 0.05 * (rows.rho == 0.3) - (1 - rows.rho) * 0.05 * 0.7 / 1.55
    assert over.tolist() == pytest.approx(expected.tolist())


def test_the_papers_own_times_are_on_a_line():
    cells = paper_table_1()
    verdict = PRINTED_LINE.verdict_on(cells)
    assert verdict.word is HOLDS and "ρ 0.4 from xavier" in verdict.numbers
    assert "by −0.025." in verdict.numbers
    bent = cells.schedule.eq("top 4 all bottoms") & cells.rho.eq(0.3)
    cells.loc[bent, "seconds"] += 300  # a tenth of full training
    assert PRINTED_LINE.verdict_on(cells).word is FAILS


TABLE_1 = make_recipe("table-1", "paper", seeds=[0]).configs[0]


def timed(milliseconds: float, device: str) -> Record:
    """Return steps that were timed: full training's, one of them slow."""
    steps = [milliseconds / 1000] * 4 + [1.0]
    seconds = dict.fromkeys(PHASES, steps)
    plans = {"full": {"layers": list(range(11)), "seconds": seconds}}
    measured = {"step_times": {"threads": 2, "plans": plans}}
    return Record(TABLE_1, "ok", {}, measured, {}, {"device": device})


@pytest.mark.parametrize(
    ("milliseconds", "device", "found"),
    [
        (42.6, "Tesla K40m", "holds"),
        (60.0, "Tesla K40m", "does not hold"),
        (30.0, "Tesla K40m", "does not hold"),
        (42.6, "CPU, Intel(R) Xeon(R) Processor", "not run on a Tesla K40m"),
    ],
)
def test_seconds_are_one_devices(milliseconds, device, found):
    verdict = FULL_TIME.verdict_on(timed(milliseconds, device), TABLE_1)
    assert str(verdict) == found and device in verdict.numbers
    total = milliseconds / 1000 * 180 * 391
    assert verdict.numbers.startswith(f"{total:,.0f} s for 70,380 steps")
    assert "42.6 ms a step" in verdict.numbers and "2,996 s" in verdict.says


def test_seconds_are_of_the_network_that_is_asked_about():
    narrow = dataclasses.replace(
        TABLE_1, model=dataclasses.replace(TABLE_1.model, width=8)
    )
    with pytest.raises(ValueError, match="timed must be steps of VGG11"):
        FULL_TIME.verdict_on(timed(42.6, "Tesla K40m"), narrow)


RATIOS = {"full": 1.0, "middle": 0.9}
RATIOS |= {f"top {k}": 0.01 * k for k in (1, 2, 3, 4)}
RATIOS |= {f"bottom {q}": 0.5 + 0.05 * q for q in (1, 2, 3, 4)}
RATIOS |= {f"top {k} bottom {k}": 0.5 + 0.05 * k for k in (1, 2, 3, 4)}
"""As the paper has them."""


def steps(num: int = 20, noise: float = 0.02, **changed: float) -> pd.DataFrame:
    """Return the times of steps, each with its own Gaussian noise."""
    rng = np.random.default_rng(0)
    seconds = {
        plan: {"backward": ratio * (1 + rng.normal(0, noise, num))}
        for plan, ratio in (RATIOS | changed).items()
    }
    return times_table(seconds)


def test_the_order_of_times():
    verdict = TIME_ORDER.verdict_on(steps())
    assert verdict.word is HOLDS, verdict
    assert verdict.numbers.endswith("(n = 20 steps).")
    for changed, lost in [
        ({"middle": 0.6}, "that the middle is slowest"),
        ({"bottom 1": 0.03}, "that the top is fastest"),
        ({"middle": 0.01}, "that the top is fastest"),
        ({"top 4 bottom 4": 0.88}, "that bottom q are as the top and bottom q"),
        ({"middle": 1.2}, "that all are faster"),
    ]:
        verdict = TIME_ORDER.verdict_on(steps(**changed))
        assert verdict.word is PARTLY and lost not in verdict.part, verdict
    assert TIME_ORDER.verdict_on(steps(middle=0.999)).word is UNDECIDED
    assert (
        TIME_ORDER.verdict_on(steps(num=5)).word is UNDECIDED
    )  # too few for intervals


def test_single_slow_steps_do_not_hide_a_median():
    """Quartiles of steps overlap where medians are well apart."""
    noisy = steps(num=1000, noise=0.15)
    assert TIME_ORDER.verdict_on(noisy).word is HOLDS
    quartiles = relative(noisy, "backward").set_index("plan")
    assert quartiles.high["middle"] > 1


def test_recorded_steps_are_in_the_papers_order():
    for name in ("step-times-vgg5", "step-times-vgg11"):
        (record,) = recorded(name, precision="fp32").records
        assert TIME_ORDER.verdict_on(recorded_times(record)[0]).word is HOLDS


APART = steps(**{"top 4 bottom 4": 0.75})
THERE = timed(42.6, "Tesla K40m"), TABLE_1
NUMBERS = [
    (PRINTED_LINE, "line", 0.02, paper_table_1()),
    (TIME_ORDER, "alike", Share(0.01), APART),
    (TIME_ORDER, "ks", Several((1, 2, 3)), steps(**{"top 4 bottom 4": 0.88})),
    (FULL_TIME, "seconds", 5000.0, *THERE),
    (FULL_TIME, "pretrained", 5000.0, *THERE),
    (FULL_TIME, "within", Share(0.0001), *THERE),
]
