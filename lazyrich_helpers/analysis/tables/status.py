"""What is recorded, and at which scale: every record file under one heading.

A record belongs to the recipes that ask for it at the `paper` budget; what none asks
for was trained at other choices, such as a smaller width, and is listed by its setting.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lazyrich_helpers.experiments.exhibits import RECIPES, make_recipe
from lazyrich_helpers.experiments.recipes import Recipe, states
from lazyrich_helpers.experiments.record import Record, RecordError
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.experiments.states import (
    SHOWN,
    STATES,
    RunState,
    state,
)
from lazyrich_helpers.lws.schedules import in_words

WRONG = ("stale", "diverged", "failed")
UNUSUAL = (*WRONG, "partial", "running")
"""States that are a column of a table only where a run is in them."""


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """Everything that a store holds, read once."""

    records: dict[str, Record]
    """Run → record."""
    unreadable: tuple[str, ...]
    """Files that are not records, by run."""
    recipes: tuple[tuple[Recipe, list[RunState]], ...]
    """How far each run of each recipe is at the `paper` budget."""
    others: tuple[RunState, ...]
    """Runs with a record that no recipe asks for at its own scale."""


def read_inventory(store: Store) -> Inventory:
    """Read every record file of `store`."""
    records, unreadable = {}, []
    for run_id in sorted(store.ids()):
        try:
            record = store.read(run_id)
        except RecordError:
            unreadable.append(run_id)
            continue
        if record is not None:
            records[run_id] = record
    recipes = [make_recipe(name, "paper") for name in sorted(RECIPES)]
    asked = {config.run_id for recipe in recipes for config in recipe.configs}
    others = [record.config for run, record in records.items() if run not in asked]
    return Inventory(
        records=records,
        unreadable=tuple(unreadable),
        recipes=tuple((recipe, states(recipe, store)) for recipe in recipes),
        others=tuple(state(config, (), store) for config in others),
    )


def recipes_table(inventory: Inventory) -> pd.DataFrame:
    """Return one row per recipe at the `paper` budget: how far its runs are.

    Columns: `recipe`; `runs` that it asks for, and how many of them there are of each
    of `STATES`.
    """
    rows = []
    for recipe, runs in inventory.recipes:
        words = [run.word for run in runs]
        counts = {word: words.count(word) for word in STATES}
        rows.append({"recipe": recipe.name, "runs": len(runs)} | counts)
    return pd.DataFrame(rows)


def scales_table(inventory: Inventory) -> pd.DataFrame:
    """Return one row per recipe with records: at which scale they are.

    Columns: `recipe`, `data`, `widths`, `seeds`, `device`; widths and seeds are those
    recorded of those asked for, as in `10, 100 of 10, 100, 1,000`.
    """
    rows = []
    for recipe, runs in inventory.recipes:
        records = [run.record for run in runs if run.record and run.word in SHOWN]
        if not records:
            continue
        asked = [config.columns() for config in recipe.configs]
        there = [record.columns() for record in records]
        row = {"recipe": recipe.name, "data": listed(c["dataset"] for c in there)}
        for name, column in (("widths", "width"), ("seeds", "seed")):
            have, want = (listed(c[column] for c in part) for part in (there, asked))
            row[name] = have if have == want else f"{have} of {want}"
        rows.append(row | {"device": "; ".join(sorted(set(map(device, records))))})
    return pd.DataFrame(rows, columns=["recipe", "data", "widths", "seeds", "device"])


def others_table(inventory: Inventory) -> pd.DataFrame:
    """Return one row per kind of run that no recipe asks for at its own scale.

    Columns: `networks`; `kind`; `widths`, `seeds`,
    learning rates (`lrs`) and `schedules` of them all; `stale`, `diverged`, `failed`.
    """
    groups: dict[str, list[RunState]] = {}
    for run in inventory.others:
        assert run.record is not None, "that is why it is listed"
        groups.setdefault(kind(run.record), []).append(run)
    rows = []
    for name, runs in sorted(groups.items()):
        columns = [run.config.columns() for run in runs]
        words = [run.word for run in runs]
        rows.append(
            {
                "networks": len(runs),
                "kind": name,
                "widths": listed(c["width"] for c in columns),
                "seeds": listed(c["seed"] for c in columns),
                "lrs": listed(c["lr"] for c in columns),
                "schedules": listed(in_words(run.config.updates) for run in runs),
            }
            | {word: words.count(word) for word in WRONG}
        )
    names = ["networks", "kind", "widths", "seeds", "lrs", "schedules"]
    return pd.DataFrame(rows, columns=[*names, *WRONG])


def kind(record: Record) -> str:
    """Return what the runs of a row share, in words."""
    columns = record.columns()
    depth = f" d={columns['depth']}" if "depth" in columns else ""
    return (
        f"{columns['dataset']} {columns['model']}{depth}, {columns['train_size']:,} "
        f"images, {columns['num_epochs']} epochs, {columns['arithmetic']}"
    )


def totals_table(inventory: Inventory) -> pd.DataFrame:
    """Return one row per device: `networks`, `hours` in all, of which `training`.

    Networks that were trained as one share their hours.
    """
    by_device: dict[str, list[Record]] = {}
    for record in inventory.records.values():
        by_device.setdefault(device(record), []).append(record)
    rows = [
        {
            "device": name,
            "networks": len(records),
            "hours": sum(r.times.get("total", 0.0) for r in records) / 3600,
            "training": sum(r.times.get("train", 0.0) for r in records) / 3600,
        }
        for name, records in sorted(by_device.items())
    ]
    return pd.DataFrame(rows, columns=["device", "networks", "hours", "training"])


def device(record: Record) -> str:
    """Return what a record was made on; `unknown` for one that failed early."""
    threads = record.origin.get("threads")
    name = record.origin.get("device", "unknown")
    return f"{name}, {threads} threads" if threads and threads > 1 else name


def accounts(inventory: Inventory) -> str:
    """Return in a sentence where every record file is listed."""
    num, others = len(inventory.records), len(inventory.others)
    text = (
        f"{num + len(inventory.unreadable):,} record files: {num - others:,} that "
        f"recipes ask for at the paper's scale, {others:,} at other choices, "
        f"{len(inventory.unreadable):,} that cannot be read"
    )
    if inventory.unreadable:
        text += f" ({', '.join(inventory.unreadable)}: delete or restore them)"
    return text + "."


def listed(values: Iterable[Any]) -> str:
    """Return the different values in order, numbers with thousands' commas."""
    distinct: Sequence[Any] = sorted(set(values))
    return ", ".join(
        value if isinstance(value, str) else f"{value:,}" for value in distinct
    )


def as_html(table: pd.DataFrame) -> str:
    """Return a table for a page: blanks for what is not there, at most two decimals.

    A column of an unusual state is left out where no run is in it.
    """
    empty = [name for name in UNUSUAL if name in table and not any(table[name])]
    return table.drop(columns=empty).to_html(
        index=False, border=0, na_rep="", justify="left", float_format=_rounded
    )


def _rounded(value: float) -> str:
    if 0 < value < 0.005:
        return "< 0.01"
    return f"{value:,.2f}".rstrip("0").rstrip(".")
