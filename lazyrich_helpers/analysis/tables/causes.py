"""Why resetting a few parameters ruins a network: tables of the recipe `causes`."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.tables.reinit_effects import by_seed
from lazyrich_helpers.analysis.tables.statistics import with_interval
from lazyrich_helpers.analysis.tables.tidy import measurements, reinit_table
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.measures.reinit_curves import RandomReset

COMPARES = ("optimizer",)
"""Columns, as in `tidy.one_setting`, in which the trainings differ."""
RESETS = {
    "the most active": None,
    "as many at random": "same_number",
    "as far at random": "same_distance",
}
"""What is reset → the curve of `RandomReset`; None is that of the active ones."""
SHARE = 0.001
"""Of the parameters, where the plunge is looked for."""


def training_name(columns: Mapping[str, Any]) -> str:
    """Return how a run was trained, by its columns: `SGD with momentum at 0.01`."""
    kind, lr = columns["optimizer"], f"{columns['lr']:g}"
    if kind == "decayed_adam":
        return f"Adam from {lr} to 0"
    if kind == "sgd":
        return f"SGD{' with momentum' if columns['momentum'] else ''} at {lr}"
    return f"Adam at {lr}"


def causes_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return `tidy.reinit_table` with what is reset and how it was trained.

    Columns beside its own: `trained_by`, `reset`, one of `RESETS`, and `num_reset`,
    parameters, of those reset as far at random. Both scenarios are there of the most
    active, γ alone of random ones.
    """
    records = list(records)
    names = {r.run_id: training_name(r.columns()) for r in records}
    tables = [reinit_table(records).assign(reset="the most active")]
    for columns, measured in measurements(records, RandomReset.name):
        for reset, curve in RESETS.items():
            if curve is not None:
                counts = pd.Series(measured[curve], dtype=float)
                own = {"reset": reset, "scenario": "active"} | columns
                own["num_test"] = measured["num_test"]
                rows = {"fraction": measured["fractions"], **own}
                if curve == "same_distance":
                    rows["num_reset"] = measured["num_reset"]
                tables.append(
                    pd.DataFrame(rows).assign(accuracy=counts / measured["num_test"])
                )
    table = pd.concat([t for t in tables if not t.empty] or tables, ignore_index=True)
    return table.assign(trained_by=table.run_id.map(names))


def losses(table: pd.DataFrame, share: float = SHARE) -> pd.DataFrame:
    """Return what resetting a `share` costs, in points, from a `causes_table`.

    A row per width and training: `accuracy`, its mean test accuracy in percent, `n`
    seeds, a column for each of `RESETS`, with a 95 % interval over seeds, `share`, in
    percent of all parameters, of those reset as far at random, and `apart`, by how
    many points these cost more than the most active, seed by seed.
    """
    rows = []
    for _, own in table.groupby(["width", "trained_by"], sort=False):
        first = own.iloc[0]
        row = {"width": int(first.width), "trained_by": first.trained_by}
        found: dict[str, pd.Series] = {}
        for reset in RESETS:
            curves = own.loc[own.reset == reset]
            if curves.empty:
                continue
            whole = by_seed(curves, row["width"], "active", 0.0)
            left = by_seed(curves, row["width"], "active", share)
            row |= {"accuracy": f"{whole.mean():.1f}", "n": len(whole)}
            found[reset] = whole - left
            row[reset] = with_interval(found[reset])
        if "as far at random" in found:
            far = own.loc[own.reset == "as far at random"].groupby("fraction")
            counts = far.num_reset.mean()
            nearest = counts.index[abs(counts.index - share).argmin()]
            row["share"] = f"{100 * counts.loc[nearest] / counts.iloc[-1]:.1f}"
            apart = found["as far at random"] - found["the most active"]
            row["apart"] = with_interval(apart)
        rows.append(row)
    names = ["width", "trained_by", "accuracy", "n", *RESETS, "share", "apart"]
    return pd.DataFrame(rows, columns=names).sort_values("width", kind="stable")
