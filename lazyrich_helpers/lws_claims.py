"""The paper's claims about Layer-Wise Sparse training (D1 to D8, E1 to E14).

They judge a `lws_tables.lws_table` of one width. Losses are in points of test accuracy
against full training from the same start with the same seed; a claim holds where the
95 % interval over seeds lies beyond the line it states. The lines are ours.

A claim looks at runs from the start that it is about, and at no others: what is said of
pre-trained networks (E1, E3, E10, E13) is judged by those that start from ImageNet's
weights, and stays open without them. Networks pre-trained here, on other images
(`proxy`), are no claim's.

What steps took on the clock is judged without intervals, as operations are: E4, E12.
E5 is about draws as well, so that it has one. E14's seconds are one device's.

Source: Li & Banerjee (2021), Sections 6.1 and 6.2.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from lazyrich_helpers.claims import (
    Claim,
    Judge,
    Verdict,
    above,
    everywhere,
    interval,
    widths_of,
)
from lazyrich_helpers.config import RunConfig, require
from lazyrich_helpers.imagenet import ImageNetVGG11
from lazyrich_helpers.initialization import XavierNormal
from lazyrich_helpers.lws_tables import cell_name, paper_table_1
from lazyrich_helpers.planning import num_steps
from lazyrich_helpers.records import Record
from lazyrich_helpers.schedules import TopKAllBottoms
from lazyrich_helpers.step_times import StepTimes
from lazyrich_helpers.tables import one_setting
from lazyrich_helpers.timing_tables import recorded_times

Cell = tuple[str, float | None]
"""A schedule's name, and its probability where it has one."""


def of_cell(table: pd.DataFrame, cell: Cell, column: str) -> pd.Series:
    """Return a column by seed, of one schedule; empty where it was not run."""
    schedule, rho = cell
    rows = table.loc[table.schedule == schedule]
    rows = rows.loc[rows.rho.isna() if rho is None else rows.rho == rho]
    return pd.Series(rows[column].to_numpy(), rows.seed.to_numpy(), dtype=float)


def lost(table: pd.DataFrame, cell: Cell) -> pd.Series:
    """Return points of test accuracy lost against full training, by seed."""
    return 100 * of_cell(table, cell, "lost")


def name(cell: Cell) -> str:
    """Return a cell's name, as in `top 1 all bottoms, ρ 0.1`."""
    schedule, rho = cell
    return cell_name(schedule, math.nan if rho is None else rho)


def _said(values: pd.Series) -> str:
    mean, half = interval(values)
    return f"{mean:.1f}" + (f" ± {half:.1f}" if half < float("inf") else "")


def _judged(
    table: pd.DataFrame,
    cells: Iterable[Cell],
    answer: Callable[[pd.Series], bool | None],
) -> tuple[bool | None, str]:
    """Ask a question of what each cell lost; return whether all hold, and the numbers.

    A cell that was not run leaves it open.
    """
    chosen = {cell: lost(table, cell) for cell in cells}
    answers = [answer(values) if len(values) else None for values in chosen.values()]
    said = {cell: _said(values) for cell, values in chosen.items() if len(values)}
    return everywhere(answers), _numbers("Points lost", said, len(chosen), table)


def _numbers(
    what: str, said: Mapping[Cell, str], num_cells: int, table: pd.DataFrame
) -> str:
    """Return what was found of each cell, and how many were not run."""
    if not said:
        return "Not run yet."
    listed = "; ".join(f"{name(cell)}: {text}" for cell, text in said.items())
    if left := num_cells - len(said):
        listed += f"; {left} of {num_cells} schedules not run yet"
    return f"{what}: {listed} ({_settings(table, said)})."


def _settings(table: pd.DataFrame, cells: Iterable[Cell]) -> str:
    """Return the width, and how many seeds these cells have; each has one."""
    seeds = [of_cell(table, cell, "seed").nunique() for cell in cells]
    low, high = min(seeds), max(seeds)
    num = f"n = {low}" if low == high else f"n = {low} to {high}"
    return f"w = {widths_of(table)[-1]:,}, {num} seed" + ("s" if high > 1 else "")


def loses_less(cells: Iterable[Cell], points: float) -> Judge:
    """Return the test that each of the cells loses less than so many points."""
    chosen = list(cells)
    return lambda table: _judged(table, chosen, lambda v: above(-v, -points))


def loses_more(cells: Iterable[Cell], points: float) -> Judge:
    """Return the test that each of the cells loses more than so many points."""
    chosen = list(cells)
    return lambda table: _judged(table, chosen, lambda v: above(v, points))


def improves(cells: Iterable[Cell]) -> Judge:
    """Return the test that the last of the cells loses less than the first."""
    chosen = list(cells)

    def judge(table: pd.DataFrame) -> tuple[bool | None, str]:
        _, numbers = _judged(table, chosen, lambda _: None)
        gain = (lost(table, chosen[0]) - lost(table, chosen[-1])).dropna()
        return above(gain, 0.0) if len(gain) else None, numbers

    return judge


def some_loses_less(cells: Iterable[Cell], points: float) -> Judge:
    """Return the test that at least one of the cells loses less than so many points."""
    chosen = list(cells)

    def judge(table: pd.DataFrame) -> tuple[bool | None, str]:
        each = [
            _judged(table, [cell], lambda v: above(-v, -points))[0] for cell in chosen
        ]
        _, numbers = _judged(table, chosen, lambda _: None)
        if True in each:
            return True, numbers
        return (None if None in each else False), numbers

    return judge


COSTS = {
    "backward": "Backward operations over full training's",
    "clock_backward": "Backward time over full training's",
}
"""Columns of what going backward costs, and what to call them. The time is from
`timing_tables.with_clock`."""


def costs_between(cells: Iterable[Cell], low: float, high: float) -> Judge:
    """Return the test that each cell's backward pass costs a share in [low, high].

    In operations, and in time where steps were timed. Both follow from the network and
    the draws, so that one run decides.
    """
    chosen = list(cells)

    def judge(table: pd.DataFrame) -> tuple[bool | None, str]:
        found = [
            _within(table, chosen, low, high, column)
            for column in COSTS
            if column in table and len(table[column].dropna())
        ]
        said = dict.fromkeys(numbers for _, numbers in found)
        return everywhere([holds for holds, _ in found]), " ".join(said)

    return judge


def _within(
    table: pd.DataFrame, cells: list[Cell], low: float, high: float, column: str
) -> tuple[bool | None, str]:
    costs, numbers = _means(table, cells, column, COSTS[column])
    answers = [low <= costs[c] <= high if c in costs else None for c in cells]
    return everywhere(answers), numbers


def takes_on_average(cells: Iterable[Cell], low: float, high: float) -> Judge:
    """Return the test that the cells' `clock_total`, on average, is in [low, high].

    That is a column of the time of all steps over full training's, from
    `timing_tables.with_clock`; as with operations one run of each decides.
    """
    chosen = list(cells)
    what = "Time of all steps over full training's"

    def judge(table: pd.DataFrame) -> tuple[bool | None, str]:
        if "clock_total" not in table:
            return None, "Not timed yet."
        times, numbers = _means(table, chosen, "clock_total", what)
        if len(times) < len(chosen):
            return None, numbers
        mean = sum(times.values()) / len(times)
        return low <= mean <= high, f"{numbers[:-1]}, {mean:.2f} on average."

    return judge


LINE = 0.03
"""How far from its straight line a time may lie, over full training's."""


def over_line(table: pd.DataFrame, column: str) -> pd.Series:
    """Return what each run's `column` has over T(ρ) = (1 - ρ) T_top + ρ T_full.

    T_full is 1; T_top is, for each schedule, what makes the squares of these least.
    """
    rest, shallow = table[column] - table.rho, 1 - table.rho
    groups = table.schedule
    squares = (shallow * shallow).groupby(groups).transform("sum")
    return rest - shallow * (shallow * rest).groupby(groups).transform("sum") / squares


def takes_affine_time(cells: Iterable[Cell]) -> Judge:
    """Return the test that the cells' `clock_backward` is on a line in ρ, to `LINE`.

    Runs differ from their ρ by what they drew, so it asks for an interval over seeds.
    """
    chosen = list(cells)
    what = "Backward time over full training's, and what that is over the line"

    def judge(table: pd.DataFrame) -> tuple[bool | None, str]:
        if "clock_backward" not in table:
            return None, "Not timed yet."
        rows = table.loc[table.schedule.isin([schedule for schedule, _ in chosen])]
        rows = rows.assign(over=over_line(rows, "clock_backward"))
        answers, said = [], {}
        for cell in chosen:
            over = of_cell(rows, cell, "over").dropna()
            answers.append(_close(over) if len(over) else None)
            if len(over):
                mean, half = interval(over)
                spread = f" ± {half:.2f}" if half < float("inf") else ""
                time = of_cell(rows, cell, "clock_backward").mean()
                said[cell] = f"{time:.2f} ({mean:+.3f}{spread})"
        return everywhere(answers), _numbers(what, said, len(chosen), rows)

    return judge


def _close(over: pd.Series) -> bool | None:
    """Return whether the mean is within `LINE` of 0; None if its interval spans it."""
    return everywhere([above(over, -LINE), above(-over, -LINE)])


def _means(
    table: pd.DataFrame, cells: list[Cell], column: str, what: str
) -> tuple[dict[Cell, float], str]:
    """Return a column's mean for each of the cells that were run, and the numbers."""
    values = {cell: of_cell(table, cell, column).dropna() for cell in cells}
    means = {cell: float(each.mean()) for cell, each in values.items() if len(each)}
    said = {cell: f"{mean:.2f}" for cell, mean in means.items()}
    return means, _numbers(what, said, len(cells), table)


def all_of(*judges: Judge) -> Judge:
    """Return the test that each of these holds."""

    def judge(table: pd.DataFrame) -> tuple[bool | None, str]:
        found = [one(table) for one in judges]
        once = dict.fromkeys(numbers for _, numbers in found)
        return everywhere([holds for holds, _ in found]), " ".join(once)

    return judge


XAVIER, PRETRAINED = XavierNormal.kind, ImageNetVGG11.kind
RHOS = (0.1, 0.2, 0.3, 0.4, 0.5)
FEW_RHOS = (0.1, 0.3, 0.5)
"""Those of our runs of VGG-5."""
TOPS: list[Cell] = [(f"top {k}", None) for k in (1, 2, 3, 4)]
BOTTOMS: list[Cell] = [(f"bottom {q}", None) for q in (1, 2, 3, 4)]
BOTH: list[Cell] = [(f"top {k} bottom {k}", None) for k in (1, 2, 3, 4)]
MIDDLE: Cell = ("middle", None)
CHEAPER = (
    "Back-propagation is 2 to 5 times cheaper (we ask: with top k all bottoms at "
    "ρ = 0.1 to 0.5 it takes at most 0.6 of the operations, and of the time: a half "
    "and some luck)"
)
AFFINE = (
    "Back-propagation's time is affine in ρ: (1 - ρ) T_top + ρ T_full, a formula that "
    "is ours and not the paper's (we ask: with top k all bottoms to "
    f"{LINE} of full training's, with the T_top that fits best)"
)
HALVED = (
    "The time of the whole training is about halved, since the forward pass stays (we "
    "ask: with top k all bottoms at ρ = 0.1 to 0.5, and nothing kept between steps, "
    "they take 0.4 to 0.65 of full training's time on average)"
)


def all_bottoms(rhos: Iterable[float]) -> list[Cell]:
    """Return top 1 and top 4 all bottoms at each ρ."""
    return [(f"top {k} all bottoms", rho) for k in (1, 4) for rho in rhos]


def _from(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the runs of one kind of start; ValueError if they are of several."""
    rows = table.loc[table.init == kind]
    one_setting(rows, "width", "updates")
    return rows


def starting_from(kind: str, judge: Judge) -> Judge:
    """Return the same test of the runs that start so, whatever others are there."""

    def of_them(table: pd.DataFrame) -> tuple[bool | None, str]:
        rows = _from(table, kind)
        return (None, f"Not run yet from {kind}.") if rows.empty else judge(rows)

    return of_them


def _claim(
    number: str, says: str, judge: Judge, start: str = XAVIER, **options: Any
) -> Claim:
    """Return a claim about networks of one start."""
    judge = starting_from(start, judge)
    return Claim(number, says, judge, compares=("updates", "init"), **options)


STATIC_MNIST = (
    _claim(
        "D1",
        "On MNIST training the top and the bottom layer of VGG-5 almost attains full "
        "training (we ask: less than 1 point is lost)",
        loses_less(BOTH[:1], 1.0),
    ),
    _claim(
        "D2",
        "Training the top 3 or 4, the top and bottom k, or the middle loses at most 2 "
        "points",
        loses_less([*TOPS[2:], *BOTH, MIDDLE], 2.0),
    ),
    _claim(
        "D8",
        "Training top and bottom is only mildly faster (we ask: at least half of the "
        "backward operations, and of the time)",
        costs_between(BOTH, 0.5, 1.0),
    ),
)
"""Claims about Figures 7 (a) and 8 (a)."""

STATIC_CIFAR10 = (
    _claim(
        "D3",
        "On CIFAR-10 training the top layers of VGG-11 alone does not work well (we "
        "ask: for k up to 4 more than 10 points are lost)",
        loses_more(TOPS, 10.0),
    ),
    _claim(
        "D4",
        "Training bottom layers alone takes more of them (we ask: the bottom 4 lose "
        "less than the bottom 1 alone)",
        improves(BOTTOMS),
    ),
    _claim(
        "D5",
        "Training the middle loses less than 5 points",
        loses_less([MIDDLE], 5.0),
    ),
    _claim(
        "D6",
        "Some combination of top and bottom layers almost equals full training (we "
        "ask: less than 2 points are lost)",
        some_loses_less(BOTH, 2.0),
    ),
)
"""Claims about Figure 7 (b)."""

PRESERVED = _claim(
    "E11",
    "Top k all bottoms with a large k, at ρ = 0.1, and random uniform preserve the "
    "accuracy (we ask: less than 1 point is lost)",
    loses_less([("top 4 all bottoms", 0.1), ("random uniform", None)], 1.0),
)
"""Figure 10 says so of both data sets; the paper's Table 1 contradicts it for one."""

RANDOM_MNIST = (
    _claim(
        "E1",
        "Top k all bottoms with a suitable k matches full training of VGG-5 already at "
        "ρ = 0.1 (we ask: for k = 1 or 4 less than 1 point is lost)",
        some_loses_less(all_bottoms([0.1]), 1.0),
    ),
    _claim(
        "E9",
        "On MNIST accuracy takes only a slight hit even with the very bottom layer at "
        "ρ = 0.1 (it does not say with how many at the top; we ask: top 1 bottom 1 "
        "loses less than 1 point)",
        loses_less([("top 1 bottom 1", 0.1)], 1.0),
    ),
    PRESERVED,
    _claim("E4", CHEAPER, costs_between(all_bottoms(FEW_RHOS), 0.0, 0.6)),
    _claim("E5", AFFINE, takes_affine_time(all_bottoms(FEW_RHOS))),
    _claim("E12", HALVED, takes_on_average(all_bottoms(FEW_RHOS), 0.4, 0.65)),
)
"""Claims about Figures 9 to 12 (a)."""

RANDOM_CIFAR10 = (
    _claim(
        "E2",
        "From Xavier's initialization, top k all bottoms at ρ = 0.1 does not match "
        "full training of VGG-11 (we ask: more than 5 points are lost)",
        loses_more(all_bottoms([0.1]), 5.0),
    ),
    _claim("E4", CHEAPER, costs_between(all_bottoms(RHOS), 0.0, 0.6)),
    _claim("E5", AFFINE, takes_affine_time(all_bottoms(RHOS))),
    _claim(
        "E6",
        "Random uniform loses some accuracy, random beta most of it (we ask: more than "
        "2, and more than 20 points)",
        all_of(
            loses_more([("random uniform", None)], 2.0),
            loses_more([("random beta (2, 5)", None)], 20.0),
        ),
    ),
    _claim(
        "E7",
        "Accuracy increases with ρ in every family (we ask: from ρ = 0.1 to 0.5)",
        all_of(
            *(
                improves([(family, rho) for rho in RHOS])
                for family in (
                    "top 1 all bottoms",
                    "top 4 all bottoms",
                    "top 1 bottom 4",
                    "top 4 bottom 4",
                )
            )
        ),
    ),
    _claim(
        "E8",
        "With the bottom 4, four layers at the top are better than one, with all "
        "bottoms one is better than four (we ask: at ρ = 0.1)",
        all_of(
            improves([("top 1 bottom 4", 0.1), ("top 4 bottom 4", 0.1)]),
            improves([("top 4 all bottoms", 0.1), ("top 1 all bottoms", 0.1)]),
        ),
    ),
    PRESERVED,
    _claim("E12", HALVED, takes_on_average(all_bottoms(RHOS), 0.4, 0.65)),
)
"""Claims about Table 1's rows that start from Xavier's initialization, and their part
of Figures 9 and 12."""


HARD: list[Cell] = [
    (f"top {k} {bottoms}", 0.1)
    for k in (1, 4)
    for bottoms in ("bottom 4", "all bottoms")
]
"""Few updates of the bottom layers, which a harder task may not forgive."""


def harder(easy: pd.DataFrame, hard: pd.DataFrame) -> Verdict:
    """Judge E10 by two `lws_tables.lws_table`s: of MNIST, and of CIFAR-10.

    It is open where the intervals of what a cell lost overlap, or it has one seed.
    """
    answers: list[bool | None] = []
    said = {}
    tables = [_from(table, XAVIER) for table in (easy, hard) if not table.empty]
    for cell in HARD:
        values = [lost(table, cell) for table in tables]
        if sum(not each.empty for each in values) < 2:
            answers.append(None)
            continue
        (one, one_half), (two, two_half) = (interval(each) for each in values)
        apart = abs(two - one) > one_half + two_half
        answers.append(two > one if apart else None)
        said[cell] = f"{_said(values[0])} and {_said(values[1])}"
    what = "Points lost on MNIST and on CIFAR-10"
    if said:
        what = f"Points lost on MNIST ({_settings(easy, said)}) and on CIFAR-10"
    return Verdict(
        "E10",
        "The harder the task, the more and the more frequent updates the bottom needs "
        "(we ask: with four layers at the bottom or all, at ρ = 0.1, more is lost on "
        "CIFAR-10 than on MNIST)",
        everywhere(answers),
        _numbers(what, said, len(HARD), hard),
    )


ALIKE = 0.1
"""Of full training's time: what two times may differ by and be about the same."""


def time_order(table: pd.DataFrame, network: str) -> Verdict:
    """Judge D7, which layers are cheap going backward, by a `timing_tables.anatomy`.

    It is open where the quartiles of steps on one machine do not keep them apart.

    Args:
        table: Of a network.
        network: Its name.
    """
    static = [name for name, _ in (*TOPS, *BOTTOMS, *BOTH, MIDDLE)]
    rows = table.set_index("plan").loc[static]
    tops = rows.loc[[name for name, _ in TOPS]]
    others = rows.drop(tops.index)
    middle, rest = rows.loc[MIDDLE[0]], others.drop(MIDDLE[0])
    gaps = [(1.0, rows), (others.ratio.min(), tops), (middle.ratio, rest)]
    holds = all(faster.ratio.max() < line for line, faster in gaps)
    pairs = zip(BOTTOMS, BOTH, strict=True)
    between = [rows.ratio[both] - rows.ratio[one] for (one, _), (both, _) in pairs]
    holds = holds and max(map(abs, between)) <= ALIKE
    apart = rows.high.max() < 1 and tops.high.max() < others.low.min()
    apart = apart and rest.high.max() < middle.low
    listed = "; ".join(f"{plan}: {ratio:.2f}" for plan, ratio in rows.ratio.items())
    return Verdict(
        "D7",
        "Every choice of layers is faster than full training going backward, the top "
        "layers are fastest, the bottom q take about as long as the top and bottom q "
        f"(we ask: to {ALIKE}), and the middle is usually the slowest of these",
        (True if apart else None) if holds else False,
        f"{network}, backward time over full training's: {listed}.",
    )


def printed_times(cells: pd.DataFrame) -> Verdict:
    """Judge E5 by times that the paper prints, means without a spread, as they are.

    Args:
        cells: From `lws_tables.paper_table_1`.
    """
    full = cells.loc[cells.schedule == "full"].set_index("init").seconds
    rows = cells.loc[cells.updates == TopKAllBottoms.kind]
    rows = rows.assign(time=rows.seconds / rows.init.map(full))
    parts = [part for _, part in rows.groupby("init")]
    over = pd.concat([over_line(part, "time") for part in parts])
    worst = rows.loc[over.abs().idxmax()]
    found = name((worst.schedule, worst.rho))
    return Verdict(
        "E5",
        AFFINE,
        bool(over.abs().max() <= LINE),
        f"The paper's {len(rows)} times, on a {PRINTED_ON}: furthest from the line is "
        f"{found} from {worst.init}, {worst.time:.3f} of full training's, by "
        f"{over[over.abs().idxmax()]:+.3f}.",
    )


PRINTED_ON = "Tesla K40m"
"""The device of the paper's seconds."""


def full_time(timed: Record, config: RunConfig) -> Verdict:
    """Judge E14, the seconds of full training going backward, by steps that were timed.

    Seconds are a device's: on any but the paper's it is open, and says what they are.

    Args:
        timed: With `StepTimes`; of the network that `config` trains.
        config: The training, whose steps are counted.
    """
    same = timed.config.model == config.model
    require(same, "timed", f"steps of {config.model}", timed.config.model)
    printed = paper_table_1().query("schedule == 'full'").seconds.tolist()
    times, _ = recorded_times(timed)
    steps = times.query("plan == 'full' and phase == 'backward'").seconds
    low, median, high = steps.quantile([0.25, 0.5, 0.75])
    num, device = num_steps(config), timed.origin["device"]
    threads = timed.measures[StepTimes.name]["threads"]
    near = all(abs(num * median - each) <= 0.1 * each for each in printed)
    return Verdict(
        "E14",
        f"Full training of VGG-11 takes {printed[0]:,.0f} s going backward, and from "
        f"pre-trained weights {printed[1]:,.0f} s, on a {PRINTED_ON} (we ask: on that, "
        "to a tenth)",
        near if PRINTED_ON in device else None,
        f"{num * median:,.0f} s for {num:,} steps of {1000 * median:.0f} ms (n = "
        f"{len(steps)} steps, quartiles {1000 * low:.0f} to {1000 * high:.0f}) on "
        f"{device}, {threads} threads. The paper's come to "
        f"{1000 * printed[0] / num:.1f} ms a step.",
    )


def _starts_better(table: pd.DataFrame) -> tuple[bool | None, str]:
    full = table.loc[table.schedule == "full"]
    own, plain = (_from(full, kind).set_index("seed") for kind in (PRETRAINED, XAVIER))
    gain = (100 * (own.test_accuracy - plain.test_accuracy)).dropna()
    early = (plain.early_loss - own.early_loss).dropna()
    if gain.empty or early.empty:
        return None, f"Not run yet with the same seeds from {XAVIER} and {PRETRAINED}."
    numbers = (
        f"Against {XAVIER}, full training from {PRETRAINED} gains {_said(gain)} points "
        f"of test accuracy, and {_said(early)} nats of training loss over the first "
        f"tenth of the epochs (w = {widths_of(table)[-1]:,}, n = {len(gain)})."
    )
    return everywhere([above(gain, 0.0), above(early, 0.0)]), numbers


def _start_helps(table: pd.DataFrame) -> tuple[bool | None, str]:
    answers, said, cells = [], {}, all_bottoms([0.1])
    for cell in cells:
        here, plain = (lost(_from(table, kind), cell) for kind in (PRETRAINED, XAVIER))
        less = (plain - here).dropna()
        answers.append(above(less, 0.0) if len(less) else None)
        said |= {cell: _said(less)} if len(less) else {}
    what = f"Points less lost from {PRETRAINED} than from {XAVIER}"
    own = _from(table, PRETRAINED)
    return everywhere(answers), _numbers(what, said, len(cells), own)


PRETRAINED_CIFAR10 = (
    _claim(
        "E1",
        "From pre-trained weights, top k all bottoms with a suitable k matches full "
        "training of VGG-11 already at ρ = 0.1 (we ask: for k = 1 or 4 less than 2 "
        "points are lost)",
        some_loses_less(all_bottoms([0.1]), 2.0),
        start=PRETRAINED,
    ),
    _claim(
        "E3",
        "From pre-trained weights, top 4 all bottoms is slightly better than full "
        "training (we ask: at ρ = 0.3, 0.4 and 0.5)",
        loses_less([("top 4 all bottoms", rho) for rho in RHOS[2:]], 0.0),
        start=PRETRAINED,
    ),
    Claim(
        "E10",
        "Pre-training allows a lower ρ (we ask: at ρ = 0.1 top k all bottoms lose less "
        "than from Xavier's initialization, for k = 1 and 4)",
        _start_helps,
        compares=("updates", "init"),
    ),
    Claim(
        "E13",
        "Trained whole, pre-trained networks generalise better and converge faster (we "
        "ask: better test accuracy, and lower training loss over the first tenth of "
        "the epochs)",
        _starts_better,
        compares=("updates", "init"),
    ),
)
"""Claims about Table 1's rows that start from pre-trained networks; E10 and E13 judge a
table that also has those which start from Xavier's initialization."""
