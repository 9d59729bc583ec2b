"""Records as tidy tables: one row per observation, config fields as columns."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from lazyrich_helpers.analysis.tables.statistics import num_seeds
from lazyrich_helpers.config import field_names, require
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.untrained import Untrained
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.measures.reinit_curves import Reinit
from lazyrich_helpers.reinit.reinitialization import SCENARIOS


def measurements(
    records: Iterable[Record], name: str
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each record's flat columns with the measurement `name`, where it has it."""
    for record in records:
        if name in record.measures:
            yield record.columns(), record.measures[name]


def tidy(rows: list[dict[str, Any]], names: list[str]) -> pd.DataFrame:
    """Return rows as a table; one without rows has `names` and a few of the config."""
    if rows:
        return pd.DataFrame(rows)
    return pd.DataFrame(columns=[*names, "run_id", "width", "lr", "seed"])


def runs_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run: config, final `train_loss`, accuracies from 0 to 1.

    Accuracies are 0 for a run that diverged. `held_out_accuracy` is on training images
    outside the subset; NaN where it was not measured or the data set has none left.
    """
    rows = []
    for record in records:
        row = record.columns()
        row["train_loss"] = record.curves.get("train_loss", [None])[-1]
        correct = record.curves.get("num_correct", [None])[-1]
        known = correct is not None
        row["test_accuracy"] = correct / record.origin["num_test"] if known else None
        measured = record.measures.get(Accuracy.name, {}).get("held_out", {"num": 0})
        row["held_out_accuracy"] = (
            measured["num_correct"] / measured["num"] if measured["num"] else np.nan
        )
        if record.status == "diverged":  # else the seeds that survived would decide
            row["test_accuracy"] = row["held_out_accuracy"] = 0.0
        rows.append(row)
    return pd.DataFrame(rows)


def best_lr(runs: pd.DataFrame) -> float:
    """Return the learning rate whose networks do best on held-out images.

    Best is the mean over widths of the mean over seeds, so that every width counts the
    same. Only widths that were trained at every rate count. The `runs_table` is of one
    data set and depth.

    Raises:
        ValueError: If no width was trained at every rate.
    """
    one_setting(runs, "width", "lr")
    means = runs.pivot_table("held_out_accuracy", index="lr", columns="width")
    common = means.dropna(axis="columns")
    widths = sorted(runs.width.unique())
    require(common.size > 0, "runs", "a width trained at every rate", widths)
    rates = common.index.to_numpy()
    return float(rates[common.mean(axis="columns").argmax()])


def curves_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run and epoch: `epoch`, `train_loss`, `accuracy` (0 to 1).

    `accuracy` is of the test images, NaN at epochs that did not evaluate them.
    """
    frames = []
    for record in records:
        rows = pd.DataFrame(record.curves)
        correct = pd.to_numeric(rows.pop("num_correct"))
        rows["accuracy"] = correct / record.origin["num_test"]
        rows["train_loss"] = rows.train_loss.astype(float)  # None where it diverged
        frames.append(rows.assign(**record.columns()))
    if not frames:
        return tidy([], ["epoch", "train_loss", "accuracy"])
    return pd.concat(frames, ignore_index=True)


def reinit_table(
    records: Iterable[Record], measure: type[Reinit] = Reinit
) -> pd.DataFrame:
    """Return one row per run, scenario and fraction, with `accuracy` in 0 to 1."""
    runs, places, points = [], [], []
    for place, (columns, measured) in enumerate(measurements(records, measure.name)):
        num_test = measured["num_test"]
        runs.append(columns | {"num_test": num_test})
        for scenario in SCENARIOS:
            curve = zip(measured["fractions"], measured[scenario], strict=True)
            points += [(scenario, fraction, n / num_test) for fraction, n in curve]
            places += [place] * len(measured["fractions"])
    names = ["scenario", "fraction", "accuracy"]
    if not runs:
        return tidy([], [*names, "num_test"])
    # A run's columns are repeated as a whole: thousands of runs take seconds.
    table = pd.DataFrame(runs).iloc[places].reset_index(drop=True)
    table[names] = pd.DataFrame(points, columns=names)
    return table


def untrained_table(found: Untrained) -> pd.DataFrame:
    """Return one row per untrained network with its test `accuracy`, 0 to 1.

    As in `reinit_table`, where every parameter is reset: `scenario` is `active`,
    `fraction` 1.
    """
    num_test = found.origin["num_test"]
    own = {"scenario": "active", "fraction": 1.0, "num_test": num_test}
    own["arithmetic"] = found.origin["arithmetic"]
    rows = [
        config.columns() | own | {"accuracy": count / num_test}
        for config, count in zip(found.configs, found.num_correct, strict=True)
    ]
    return tidy(rows, [*own, "accuracy"])


def with_untrained(table: pd.DataFrame, untrained: pd.DataFrame) -> pd.DataFrame:
    """Return a `reinit_table` with untrained networks of the widths it lacks.

    These are of an `untrained_table` of the same images, depth and start. Of what they
    were not trained by, such as a learning rate, they take the table's, of one setting.
    """
    for name in ("dataset", "depth", "init", "gain", "arithmetic"):
        both = {*table[name].unique(), *untrained[name].unique()}
        require(len(both) == 1, name, "the table's in untrained networks", sorted(both))
    wider = untrained.loc[~untrained.width.isin(table.width)]
    own = {"run_id", "width", "seed", "num_test", "accuracy", "scenario", "fraction"}
    same = {name: table[name].iloc[0] for name in table if name not in own}
    return pd.concat([table, wider.assign(**same)], ignore_index=True)


def one_setting(table: pd.DataFrame, *varies: str) -> None:
    """Raise ValueError unless all runs of a table that is averaged are alike.

    They may differ by the seed, and by what a figure tells apart.

    Args:
        table: With columns of `Record.columns`; those it lacks are not looked at.
        varies: Such columns. A slot, such as `updates`, stands for all its fields.
    """
    fields = field_names()
    free = {"seed", *varies}.union(*(fields.get(name, ()) for name in varies))
    known = {"arithmetic", *fields}.union(*fields.values())
    for name in (column for column in table if column in known - free):
        values = table[name].drop_duplicates().tolist()  # NaN where a kind has no such
        require(len(values) <= 1, name, "one value in a table that is averaged", values)


def movement_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run, layer and histogram bin.

    Columns beside the config's: `layer` (0 is the bottom), `movement` (the bin's
    centre, in initial standard deviations), `share` of the layer's `num_weights` in the
    bin, and `unmoved`, the share of them that did not move at all.
    """
    rows = []
    for columns, measured in measurements(records, Movement.name):
        low, high = measured["histogram_decades"]
        for layer in measured["layers"]:
            edges = np.linspace(low, high, len(layer["histogram"]) + 1)
            centres = 10 ** ((edges[:-1] + edges[1:]) / 2)
            size = layer["num_weights"]
            own = {"layer": layer["layer"], "num_weights": size}
            own |= columns | {"unmoved": layer["num_unmoved"] / size}
            bins = zip(centres.tolist(), layer["histogram"], strict=True)
            rows += [own | {"movement": x, "share": n / size} for x, n in bins]
    return tidy(rows, ["layer", "num_weights", "unmoved", "movement", "share"])


def accuracy_summary(table: pd.DataFrame, fractions: list[float]) -> pd.DataFrame:
    """Return mean accuracy in whole per cent: a row per width, a column per γ.

    Of a `reinit_table`, at `fractions` that it holds, 0 to 1.
    """
    one_setting(table, "width")
    active = table.loc[(table.scenario == "active") & table.fraction.isin(fractions)]
    means = active.pivot_table("accuracy", index="width", columns="fraction")
    means.columns = [f"γ = {100 * fraction:g} %" for fraction in means.columns]
    return (100 * means).round().astype(int)


DATASETS = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
"""Data set → its name on a page."""


def scope_of(*tables: pd.DataFrame) -> str:
    """Return what runs have been: `MNIST · 10,000 images · d = 1 · w = 10–5,000`."""
    rows = pd.DataFrame(pd.concat([table for table in tables if not table.empty]))
    shown = {
        "dataset": "{}",
        "train_size": "{} images",
        "depth": "d = {}",
        "width": "w = {}",
        "lr": "lr {}",
    }
    parts = [
        text.format(_range(sorted(rows[name].dropna().unique())))
        for name, text in shown.items()
        if name in rows
    ]
    if "seed" in rows:
        groups = ("dataset", "width", "init", "schedule")
        by = [name for name in groups if name in rows]
        parts.append(num_seeds(rows, by))
    return " · ".join(parts)


def _range(found: list[Any]) -> str:
    """Return the one value, two numbers, both ends of more, or all names."""
    if found and isinstance(found[0], str):
        return " and ".join(DATASETS.get(str(name), str(name)) for name in found)
    ends = dict.fromkeys(f"{end:,g}" for end in (*found[:1], *found[-1:]))
    return (", " if len(found) == 2 else "–").join(ends)
