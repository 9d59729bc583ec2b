"""The paper's claims about the seconds of steps: D7, E5 and E14.

Source: Li & Banerjee (2021), Sections 6.1 and 6.2, Table 1.
"""

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Several, Share
from lazyrich_helpers.analysis.claims.everywhere import everywhere, over, word_of
from lazyrich_helpers.analysis.claims.lws_cells import cell_name, cells_for
from lazyrich_helpers.analysis.claims.lws_checks import ENDS
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Word
from lazyrich_helpers.analysis.tables.lws import paper_table_1
from lazyrich_helpers.analysis.tables.statistics import median_interval, signed
from lazyrich_helpers.analysis.tables.timing import recorded_times, step_ratios
from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.measures.times import StepTimes
from lazyrich_helpers.training.run_config import RunConfig, num_steps


def _time_order(times: pd.DataFrame, *, ks: Several, alike: float) -> Finding:
    """Compare the times of plans, paired step by step, by intervals of the median."""
    templates = ("top {ks}", "bottom {ks}", "top {ks} bottom {ks}")
    top, bottom, ends = (cells_for([each], {"ks": ks}) for each in templates)
    lower = [*bottom, *ends, "middle"]
    static = [*top, *lower]
    ratios = step_ratios(times, "backward")

    def faster(plans: list[str], than: str) -> list[bool | None]:
        own = step_ratios(times, "backward", to=than)[plans]
        return [_beside(pd.Series(own[plan]), 1.0) for plan in plans]

    def similar(one: str, other: str) -> bool | None:
        low, high = median_interval(pd.Series(ratios[one] - ratios[other]))
        if -alike <= low and high <= alike:
            return True
        return None if low <= alike and high >= -alike else False

    answers = {
        "that all are faster": faster(static, "full"),
        "that the top is fastest": [a for each in lower for a in faster(top, each)],
        "that bottom q are as the top and bottom q": list(map(similar, ends, bottom)),
        "that the middle is slowest": faster([*bottom, *ends], "middle"),
    }
    words = {what: word_of(everywhere(own)) for what, own in answers.items()}
    listed = "; ".join(_median(each, pd.Series(ratios[each])) for each in static)
    numbers = "Backward time over full training's, medians with their 95 % intervals: "
    numbers += f"{listed} (n = {len(ratios)} steps)."
    return over(words, lambda good: f"in {Several(good)}", numbers)


def _beside(values: pd.Series, line: float) -> bool | None:
    """Return whether the median is below the line; None if its interval spans it."""
    low, high = median_interval(values)
    return None if low <= line <= high else high < line


def _median(plan: str, values: pd.Series) -> str:
    low, high = median_interval(values)
    return f"{plan}: {values.median():.2f} ({low:.2f} to {high:.2f})"


TIME_ORDER = Claim(
    "D7",
    "In the backward pass every choice of layers is faster than full training; the "
    "top layers are fastest, the bottom q take about as long as the top and bottom q "
    "(we ask, for {ks} layers: to {alike} of full training's), the middle is usually "
    "slowest",
    _time_order,
    {"ks": ENDS, "alike": Share(0.1)},
)
"""About a `tables.timing.times_table` of one network."""


def over_line(table: pd.DataFrame, column: str) -> pd.Series:
    """Return what each row's `column` has over T(ρ) = (1 - ρ) T_top + ρ T_full.

    T_full is 1; T_top is, for each schedule, what makes the squares of these least.
    """
    rest, shallow = table[column] - table.rho, 1 - table.rho
    groups = table.schedule
    squares = (shallow * shallow).groupby(groups).transform("sum")
    return rest - shallow * (shallow * rest).groupby(groups).transform("sum") / squares


def _on_a_line(cells: pd.DataFrame, *, line: float) -> Finding:
    full = cells.loc[cells.schedule == "full"].set_index("init").seconds
    rows = cells.loc[cells.updates == "top_k_all_bottoms"]
    rows = rows.assign(time=rows.seconds / rows.init.map(full))
    parts = [part for _, part in rows.groupby("init")]
    off = pd.concat([over_line(part, "time") for part in parts])
    worst = rows.loc[off.abs().idxmax()]
    most = max(off.tolist(), key=abs)
    found = cell_name(worst.schedule, worst.rho)
    return Finding(
        word_of(abs(most) <= line),
        f"The paper's {len(rows)} times, on a {PRINTED_ON}: furthest from the line is "
        f"{found} from {worst.init}, {worst.time:.3f} of full training's, by "
        f"{signed(most, 3)}.",
    )


PRINTED_ON = "Tesla K40m"
"""The device of the paper's seconds."""
PRINTED_LINE = Claim(
    "E5",
    "Back-propagation's time is affine in ρ: (1 − ρ) T_top + ρ T_full, a formula that "
    "is ours and not the paper's (we ask of its printed times: with top k all bottoms "
    "to {line:g} of full training's, with the T_top that fits best)",
    _on_a_line,
    {"line": 0.03},
)
"""About `tables.lws.paper_table_1`, means without a spread, as they are."""


def _full_time(
    timed: Record,
    config: RunConfig,
    *,
    seconds: float,
    pretrained: float,
    within: float,
) -> Finding:
    same = timed.config.model == config.model
    require(same, "timed", f"steps of {config.model}", timed.config.model)
    times, _ = recorded_times(timed)
    steps = times.query("plan == 'full' and phase == 'backward'").seconds
    median = steps.median()
    low, high = (1000 * end for end in median_interval(steps))
    num, device = num_steps(config), timed.origin["device"]
    threads = timed.measures[StepTimes.name]["threads"]
    printed = (seconds, pretrained)
    near = all(abs(num * median - each) <= within * each for each in printed)
    there = PRINTED_ON in device
    return Finding(
        word_of(near) if there else Word.NOT_RUN,
        f"{num * median:,.0f} s for {num:,} steps of {1000 * median:.0f} ms (n = "
        f"{len(steps)} steps, 95 % interval of the median {low:.0f} to {high:.0f}) on "
        f"{device}, {threads} threads. The paper's come to "
        f"{1000 * seconds / num:.1f} ms a step.",
        "" if there else f"on a {PRINTED_ON}",
    )


_printed = paper_table_1().query("schedule == 'full'").set_index("init").seconds
FULL_TIME = Claim(
    "E14",
    "Full training of VGG-11 takes {seconds:,.0f} s of back-propagation, and from "
    f"pre-trained weights {{pretrained:,.0f}} s, on a {PRINTED_ON} (we ask: on that, "
    "to {within})",
    _full_time,
    {
        "seconds": _printed["xavier"],
        "pretrained": _printed["pretrain"],
        "within": Share(0.1),
    },
)
"""About a record with `StepTimes`, and the training whose steps are counted, of the
same network. Seconds are a device's: on any but the paper's it is not run, and says
what they are."""
