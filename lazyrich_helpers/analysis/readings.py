"""What is left of a finding when the text is read otherwise: tables of `readings`."""

from collections.abc import Iterable

import pandas as pd

from lazyrich_helpers.analysis.question import Runs
from lazyrich_helpers.analysis.reinit_claims import A1
from lazyrich_helpers.analysis.reinit_effects import at_extreme, by_seed, lost
from lazyrich_helpers.analysis.statistics import with_interval
from lazyrich_helpers.analysis.tables import reinit_table
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.measures.reinit_curves import WeightsReinit

COMPARES = ("precision", "arithmetic", "gain")
"""Columns, as in `tables.one_setting`, in which the readings differ."""


def readings_table(
    main: Iterable[Record], half: Iterable[Record], others: Iterable[Record]
) -> pd.DataFrame:
    """Return `tables.reinit_table` of every reading, with a column `reading`.

    Args:
        main: Of `exhibits.figure_2`: the book's own reading.
        half: Of the same in bf16.
        others: Of `exhibits.readings`, which multiply by other kernels than `main`.
    """
    others = tuple(others)
    usual = [record for record in others if record.columns()["gain"] == 1]
    small = [record for record in others if record.columns()["gain"] != 1]
    tables = {
        "as in this book": reinit_table(main),
        "bf16 autocast": reinit_table(half),
        "fp32, other kernels": reinit_table(usual),
        "biases not ranked": reinit_table(usual, WeightsReinit),
        "printed variance": reinit_table(small),
    }
    named = [table.assign(reading=name) for name, table in tables.items()]
    return pd.concat([table for table in named if not table.empty] or named[:1])


def effects(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the paper describes, in points: a row per rate, width and reading.

    From a `readings_table`. `lost` is what resetting the 0.1 % most active costs;
    `worst` the γ from 1 to 30 % at which accuracy is lowest, in percent; `risen` what
    it gains from there to γ = 100 %; `bump` the most it gains on the way. ± is a 95 %
    interval over seeds.
    """
    keys = ["lr", "width", "reading"]
    rows = [_effects(own) for _, own in table.groupby(keys, sort=False)]
    found = pd.DataFrame(rows, columns=[*keys, "lost", "worst", "risen", "bump"])
    return found.sort_values(["lr", "width"], ascending=[False, True], kind="stable")


def _effects(own: pd.DataFrame) -> dict[str, object]:
    first = own.iloc[0]
    width = int(first.width)
    worst, lowest = at_extreme(own, width, 0.01, 0.3, best=False)
    _, highest = at_extreme(own, width, 0.3, 0.95, best=True)
    return {
        "lr": first.lr,
        "width": width,
        "reading": first.reading,
        "lost": with_interval(lost(own, width, 0.001)),
        "worst": f"{100 * worst:.2g}",
        "risen": with_interval(by_seed(own, width, "active", 1.0) - lowest),
        "bump": with_interval(highest - lowest),
    }


AT = {"widths": [1000], "lrs": [0.1]}
"""The networks: width, and the paper's learning rate."""
NAMES = {
    "ours": "as in this book",
    "bf16": "bf16 autocast",
    "other_code": "fp32, other kernels",
    "unranked_biases": "biases not ranked",
    "printed_variance": "printed variance",
}
"""Name on the page → in `readings_table`."""


def lost_by_reading() -> dict[str, str]:
    """Return, by reading, the points lost that A1 is about, with their interval.

    Each at width 1,000, one hidden layer, the paper's learning rate.
    """
    main = Runs(recipe="figure-2", choices=AT).records
    half = Runs(recipe="figure-2", choices=AT | {"precision": "bf16"}).records
    others = Runs(recipe="readings", choices=AT).records
    readings = dict(list(readings_table(main, half, others).groupby("reading")))
    return {
        key: with_interval(lost(readings[name], 1000, A1.asks["share"]), sign=False)
        for key, name in NAMES.items()
    }
