"""What is left of a finding when the text is read otherwise: tables of `readings`."""

from collections.abc import Iterable

import pandas as pd

from lazyrich_helpers.analysis.tables.reinit_effects import CHANCE, at_extreme, lost
from lazyrich_helpers.analysis.tables.statistics import with_interval
from lazyrich_helpers.analysis.tables.tidy import reinit_table
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.measures.reinit_curves import WeightsReinit

COMPARES = ("precision", "arithmetic", "gain")
"""Columns, as in `tidy.one_setting`, in which the readings differ."""


def readings_table(
    main: Iterable[Record], half: Iterable[Record], others: Iterable[Record]
) -> pd.DataFrame:
    """Return `tidy.reinit_table` of every reading, with a column `reading`.

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
    it gains from there to γ = 100 %, where networks are at chance; `bump` the most it
    gains on the way. ± is a 95 % interval over seeds.
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
        "risen": with_interval(CHANCE - lowest),
        "bump": with_interval(highest - lowest),
    }
