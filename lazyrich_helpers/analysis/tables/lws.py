"""Layer-Wise Sparse training as tables: what it reached, what it cost, what was said.

Cost is the backward pass's, in FLOPs, as a share of full training's: a bound that
a clock can be held against, the same on every machine.
"""

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from lazyrich_helpers.analysis.tables.tidy import (
    curves_table,
    one_setting,
    runs_table,
    tidy,
)
from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.lws.schedules import in_words
from lazyrich_helpers.measures.times import Clock
from lazyrich_helpers.places import PACKAGE

STARTS = {"xavier": ("xavier_normal",), "pretrain": ("imagenet_vgg11", "weights_file")}
"""The paper's word for a start → kinds of `init` that stand beside it."""
SHARES = ("clock_backward", "backward", "clock_total", "total")
"""Columns of what runs cost over full training's: the time and the operations of the
backward pass, and of whole steps. All but `backward` are `tables.timing.with_clock`'s.
"""

CLOSE = 0.01
"""Of test accuracy, that a run may lack where it is said to have come to full
training's."""


def lws_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run.

    Columns beside those of `tidy.runs_table`:
        schedule: Its name, from `schedules.in_words`.
        rho: The probability of updating the bottom layers; NaN where there is none.
        backward: Backward operations over full training's, of the plans drawn.
        lost: The test accuracy of full training from the same start with the same seed
            less this run's, 0 to 1; NaN where that is not there or diverged. A run
            that diverged has accuracy 0.
        early_loss: Mean training loss over the first tenth of the epochs, in nats; NaN
            where it was not finite.

    Runs may differ by learning rate and by where they start; each kind of start is of
    one setting.
    """
    records = list({record.run_id: record for record in records}.values())
    runs = runs_table(records)
    if runs.empty:
        names = ["schedule", "rho", "backward", "lost", "early_loss", "init"]
        return tidy([], [*names, "test_accuracy", "updates"])
    runs["schedule"] = [in_words(record.config.updates) for record in records]
    runs["backward"] = [record.costs["backward"] for record in records]
    if "rho" not in runs:
        runs["rho"] = math.nan
    one_setting(runs, "width", "updates", "lr", "init")
    for _, alike in runs.groupby(["init", "lr"]):
        one_setting(alike, "width", "updates")
    runs["early_loss"] = [_early_loss(record) for record in records]
    runs["lost"] = _of_full(runs, "test_accuracy") - runs.test_accuracy
    return runs


def _of_full(runs: pd.DataFrame, column: str) -> np.ndarray:
    """Return, for each run, a column of the full training that it is compared with."""
    names = ["init", "lr", "width", "seed"]
    trained = (runs.schedule == "full") & (runs.status == "ok")
    full = runs.loc[trained].set_index(names)[column]
    keys = pd.MultiIndex.from_arrays([runs[name] for name in names])
    return full.reindex(keys).to_numpy()


def clock_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run, as `lws_table`, with what it took.

    Further columns: `num_full`, the epochs that updated every layer; `minutes` of the
    whole training; `ratio`, to full training's with the same seed; `minutes_to`, until
    a test evaluation came within `CLOSE` of the accuracy that full training ended
    with, NaN where none did; and `minutes_before`, until the evaluation before it.

    Raises:
        ValueError: If the runs were not made alike: device, threads.
    """
    timed = [record for record in records if Clock.name in record.measures]
    table = lws_table(timed)
    if table.empty:
        return table
    made = sorted({_made_by(record) for record in timed})
    require(len(made) == 1, "the machine", "one in a table of times", made)
    table["num_full"] = [r.measures["updates"]["num_full"] for r in timed]
    table["minutes"] = [r.measures[Clock.name]["seconds"][-1] / 60 for r in timed]
    table["ratio"] = table.minutes / _of_full(table, "minutes")
    goals = _of_full(table, "test_accuracy") - CLOSE
    reached = [
        _minutes_to(record, goal) for record, goal in zip(timed, goals, strict=True)
    ]
    table[["minutes_before", "minutes_to"]] = reached
    return table


def _made_by(record: Record) -> str:
    threads = record.measures[Clock.name]["threads"]
    return f"{record.origin.get('device')}, {threads} threads"


def _minutes_to(record: Record, accuracy: float) -> tuple[float, float]:
    """Return the minutes between which the test accuracy became that, or NaN.

    At the second, an evaluation saw at least so much; at the first, the last one before
    it, or the start, less.
    """
    seconds = record.measures[Clock.name]["seconds"]
    correct, num = record.curves["num_correct"], record.origin["num_test"]
    before = 0.0
    for at, right in zip(seconds, correct, strict=True):
        if right is not None:
            if right / num >= accuracy:
                return before, at / 60
            before = at / 60
    return math.nan, math.nan


def _early_loss(record: Record) -> float:
    num = max(record.config.training.num_epochs // 10, 1)
    losses = record.curves["train_loss"][:num]
    return math.nan if None in losses else sum(losses) / len(losses)


def dynamics_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run and epoch, as `curves_table`, with what it had cost.

    Further columns: `schedule` and `rho`, as in `lws_table`; `error`, of the test
    images in percent; `spent`, the backward FLOPs so far, over those of full training
    for all the epochs; `minutes` so far, where a clock ran.
    """
    tables = []
    for record in records:
        curves = curves_table([record])
        num, clock = len(curves), record.measures.get(Clock.name, {})
        spent = np.cumsum(record.costs["backward_by_epoch"])[:num]
        own = {
            "schedule": in_words(record.config.updates),
            "rho": record.columns().get("rho", math.nan),
            "error": 100 * (1 - curves.accuracy),
            "spent": spent / record.config.training.num_epochs,
            "minutes": np.array(clock.get("seconds", [math.nan] * num))[:num] / 60,
        }
        tables.append(curves.assign(**own))
    names = ["schedule", "rho", "spent", "error", "train_loss"]
    return pd.concat(tables, ignore_index=True) if tables else tidy([], names)


def at_equal_cost(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run: its last evaluation, and full training's at that cost.

    From a `dynamics_table` of one width. Columns: `schedule`, `rho`, `seed`, `spent`
    and `error` of a run's last evaluation; `full_spent` and `full_error` of full
    training with the same seed, when it was last evaluated before it had spent more.
    NaN where it had not been yet.
    """
    looks = table.dropna(subset="error").sort_values("spent")
    full = looks.loc[looks.schedule == "full", ["seed", "spent", "error"]]
    full = full.rename(columns={"error": "full_error"})
    ends = looks.groupby("run_id").tail(1)
    found = pd.merge_asof(
        ends, full.assign(full_spent=full.spent), on="spent", by="seed"
    )
    return found.sort_values(["schedule", "rho", "seed"], ignore_index=True)


def paper_table_1() -> pd.DataFrame:
    """Return the paper's Table 1, one row per cell.

    Columns: `schedule` (as in `lws_table`) and its kind, `updates`, with `k`, `q` and
    `rho`; `init` (`xavier` or `pretrain`); `test_accuracy` and `lost` (0 to 1);
    `seconds` and `ratio` of back-propagation; of VGG-11 on CIFAR-10, 180 epochs, Tesla
    K40m, means over 5 runs. And `backward`, which is ours: the backward operations over
    full training's that the schedule needs on average.

    Source: Li & Banerjee (2021), Table 1.
    """
    with (PACKAGE / "analysis" / "table_1.csv").open() as file:
        cells = pd.read_csv(file)
    cells["test_accuracy"] /= 100
    cells["lost"] = 0.0 - cells.pop("diff") / 100  # never -0.0
    return cells.rename(columns={"time_s": "seconds"})


def beside_paper(table: pd.DataFrame, init: str = "xavier") -> pd.DataFrame:
    """Return Table 1 cell by cell: the paper's beside ours, one row per cell of it.

    Columns: `schedule`, `rho`; `paper` and `paper_lost`; `init`, where ours start;
    `ours` and `ours_lost`, means over seeds; `n` of `ours`, 0 for a cell that we have
    not run, where ours are NaN; `paper_ratio` of back-propagation time, and our
    `SHARES`, NaN where the table has none.
    Accuracies are in percent, losses in points, each against full training from the
    same start. (The paper prints what pre-trained networks lose against Xavier's full
    training: 0.09 points less.)

    Args:
        table: From `lws_table`, of one width and one start; its times from
            `tables.timing.with_clock`.
        init: The paper's rows: `xavier`, or `pretrain`, beside which a stand-in's may
            be as well; then the column `init` says so.

    Raises:
        ValueError: If the table's start is another, or there are several.
    """
    require(init in STARTS, "init", f"one of {', '.join(STARTS)}", init)
    kinds = sorted(table.init.unique())
    suits = len(kinds) <= 1 and set(kinds) <= set(STARTS[init])
    allowed = " or ".join(STARTS[init])
    require(suits, "init", f"{allowed} in a table beside the paper's {init}", kinds)
    names = {"schedule": "schedule", "rho": "rho", "test_accuracy": "paper"}
    names |= {"lost": "paper_lost", "ratio": "paper_ratio"}
    paper = paper_table_1().query("init == @init").reindex(columns=[*names])
    if init != "xavier":
        full = paper.loc[paper.schedule == "full"].test_accuracy.item()
        paper["lost"] = full - paper.test_accuracy
    paper[["test_accuracy", "lost"]] *= 100
    lacking = [name for name in SHARES if name not in table]
    cells = table.assign(
        **dict.fromkeys(lacking, math.nan),
        ours=100 * table.test_accuracy,
        ours_lost=100 * table.lost,
    ).groupby(["schedule", "rho"], dropna=False)
    means = {name: (name, "mean") for name in ("ours", "ours_lost", *SHARES)}
    ours = pd.DataFrame(cells.agg(**means, n=("ours", "count"), init=("init", "first")))
    both = paper.rename(columns=names).merge(
        ours.reset_index(), on=["schedule", "rho"], how="left"
    )
    return both.assign(n=both.n.fillna(0).astype(int))
