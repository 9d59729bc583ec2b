"""Every record file is under one heading, and a new one changes the page."""

import dataclasses

import pandas as pd
import pytest

from lazyrich_helpers.analysis.tables.status import (
    accounts,
    as_html,
    others_table,
    read_inventory,
    recipes_table,
    scales_table,
    totals_table,
)
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.record import NUMERICS, Record
from lazyrich_helpers.experiments.records import recorded_store
from lazyrich_helpers.measures.measure import Accuracy
from tests import tiny

ORIGIN = {"numerics": dict(NUMERICS), "device": "CPU, some", "threads": 1}
ORIGIN |= {"arithmetic": "fp32"}
TIMES = {"train": 1800.0, "total": 3600.0}
RATES = make_recipe("learning-rates", "paper")


def plant(store, config, state="ok", **fields) -> Record:
    """Put a record there as if it had been made."""
    measures = {Accuracy.name: {"version": Accuracy.version}}
    values = {"measures": measures, "times": TIMES, "origin": ORIGIN} | fields
    record = Record(config, state, **values)
    store.write(record)
    return record


def row(table: pd.DataFrame, recipe: str) -> dict:
    """Return the row of a recipe."""
    return table.set_index("recipe").loc[recipe].to_dict()


def pages(store) -> list[str]:
    """Return everything that the page shows of what is recorded."""
    inventory = read_inventory(store)
    tables = (recipes_table, scales_table, others_table, totals_table)
    return [accounts(inventory), *(as_html(table(inventory)) for table in tables)]


def test_an_empty_store_is_all_to_do(store):
    inventory = read_inventory(store)
    table = recipes_table(inventory)
    assert (table.missing == table.runs).all() and not table.recorded.any()
    for empty in (scales_table, others_table, totals_table):
        assert empty(inventory).empty
    assert accounts(inventory).startswith("0 record files")


def test_each_state_is_counted(store):
    states = ["ok", "ok", "diverged", "failed: for a reason"]
    for config, state in zip(RATES.configs, states, strict=False):
        plant(store, config, state)
    stale = ORIGIN | {"numerics": {"data": -1}}
    plant(store, RATES.configs[4], origin=stale)
    plant(store, RATES.configs[5], measures={})  # trained, and not measured
    assert row(recipes_table(read_inventory(store)), "learning-rates") == {
        "runs": len(RATES.configs),
        "recorded": 2,
        "stale": 1,
        "diverged": 1,
        "failed": 1,
        "partial": 1,
        "missing": len(RATES.configs) - 6,
        "running": 0,
    }


def test_counts_add_up_to_the_files(store):
    for config in (*RATES.configs[:7], tiny.CONFIG, *tiny.WIDTHS):
        plant(store, config)
    (store.folder / "broken.json").write_text("{")
    inventory = read_inventory(store)
    num_files = len(list(store.folder.glob("*.json")))
    others = others_table(inventory).networks.sum()
    of_recipes = len(inventory.records) - len(inventory.others)
    assert (of_recipes, others) == (7, len({tiny.CONFIG, *tiny.WIDTHS}))
    assert of_recipes + others + len(inventory.unreadable) == num_files
    assert totals_table(inventory).networks.sum() == len(inventory.records)
    assert accounts(inventory).startswith(f"{num_files} record files: 7 ")
    assert "broken" in accounts(inventory)


def test_the_committed_records_are_all_accounted_for():
    inventory = read_inventory(recorded_store())
    num_files = len(list(recorded_store().folder.glob("*.json")))
    asked = {c.run_id for recipe, _ in inventory.recipes for c in recipe.configs}
    there = {path.stem for path in recorded_store().folder.glob("*.json")}
    assert len(asked & there) + others_table(inventory).networks.sum() == num_files
    assert inventory.unreadable == ()


def test_a_planted_record_changes_what_is_shown(store):
    plant(store, tiny.CONFIG)
    for config in (RATES.configs[0], tiny.APART[0]):
        before = pages(store)
        plant(store, config)
        after = pages(store)
        assert before[0] != after[0] and before[-1] != after[-1]
        changed = [old != new for old, new in zip(before, after, strict=True)]
        asked = config in RATES.configs
        assert changed[1:4] == [asked, asked, not asked]


def test_what_is_there_of_what_is_asked_for(store):
    ten = [c for c in RATES.configs if c.columns()["width"] == 10]
    for config in ten:
        plant(store, config)
    found = row(scales_table(read_inventory(store)), "learning-rates")
    assert found == {
        "data": "mnist",
        "widths": "10 of 10, 100, 1,000",
        "seeds": "0, 1, 2, 3, 4",
        "device": "CPU, some",
    }


def test_hours_by_device(store):
    plant(store, tiny.APART[0])
    plant(store, tiny.APART[1])
    plant(store, tiny.APART[2], origin=ORIGIN | {"threads": 2})
    early = tiny.training(num_epochs=9)
    plant(store, early, "failed: early", origin={}, times={})
    table = totals_table(read_inventory(store)).set_index("device")
    networks = {"CPU, some": 2, "CPU, some, 2 threads": 1, "unknown": 1}
    assert table.networks.to_dict() == networks
    assert table.hours["CPU, some"] == 2 and table.training["CPU, some"] == 1


def test_other_runs_are_grouped_by_what_they_share(store):
    for config in tiny.WIDTHS:
        plant(store, config)
    plant(store, tiny.training(num_epochs=7), "diverged")
    table = others_table(read_inventory(store)).set_index("kind")
    kind = "digits relu_net d=2, 200 images, 3 epochs, fp32"
    assert table.networks.to_dict() == {kind: 4, kind.replace("3 ep", "7 ep"): 1}
    assert (table.widths[kind], table.seeds[kind]) == ("6, 12", "0, 1")
    assert table.diverged.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (0.001, "&lt; 0.01"), (1234.5, "1,234.5")]
)
def test_numbers_on_the_page(value, shown):
    assert f"<td>{shown}</td>" in as_html(pd.DataFrame({"x": [value]}))


def test_a_table_is_not_scaled_down_silently(store):
    smaller = dataclasses.replace(RATES.configs[0], data=tiny.CONFIG.data)
    plant(store, smaller)
    inventory = read_inventory(store)
    assert row(recipes_table(inventory), "learning-rates")["recorded"] == 0
    assert inventory.others[0].config.run_id == smaller.run_id


def test_the_page_is_in_the_book():
    toc = (tiny.ROOT / "_toc.yml").read_text()
    assert "book/status" in toc
    text = (tiny.ROOT / "book" / "status.md").read_text()
    names = ("recipes", "scales", "others", "totals")
    for table in (f"{name}_table" for name in names):
        assert f"status.{table}(inventory)" in text
    assert "status.accounts(inventory)" in text


def test_columns_of_what_went_wrong_are_there_where_something_did():
    table = pd.DataFrame({"recipe": ["a", "b"], "stale": [0, 0], "failed": [0, 1]})
    text = as_html(table)
    assert "<th>failed</th>" in text and "stale" not in text
