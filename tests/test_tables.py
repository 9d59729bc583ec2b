"""A table has one row per observation; every number is the record's."""

import dataclasses

import pandas as pd
import pytest

from lazyrich_helpers.execution import execute
from lazyrich_helpers.progress import Lines
from lazyrich_helpers.records import Record
from lazyrich_helpers.reinit import FRACTIONS, SCENARIOS
from lazyrich_helpers.tables import (
    accuracy_summary,
    movement_table,
    reinit_table,
    runs_table,
)
from tests import tiny


@pytest.fixture
def records(store):
    progress = Lines()
    progress.begin(2, 1.0)
    configs = [tiny.training(seed=seed) for seed in (0, 1)]
    each = (execute([c], tiny.recipe(), store, "cpu", progress) for c in configs)
    return [record for records in each for record in records]


def test_one_row_per_run_scenario_and_fraction(records):
    table = reinit_table(records)
    assert len(table) == 2 * 2 * len(FRACTIONS)
    keys = ["run_id", "scenario", "fraction"]
    assert not table.duplicated(keys).any()
    for row in table.itertuples():
        record = next(r for r in records if r.run_id == row.run_id)
        measured = record.measures["reinit"]
        place = measured["fractions"].index(row.fraction)
        assert row.accuracy == measured[row.scenario][place] / 500
        assert (row.seed, row.width) == (record.config.training.seed, 12)
    assert set(table.scenario) == set(SCENARIOS)


def test_one_row_per_run(records):
    table = runs_table(records)
    assert list(table.seed) == [0, 1] and list(table.status) == ["ok", "ok"]
    untouched = reinit_table(records).query("scenario == 'active' and fraction == 0")
    assert list(table.test_accuracy) == list(untouched.accuracy)
    assert list(table.train_loss) == [r.curves["train_loss"][-1] for r in records]
    assert not table.stale.any()


def test_a_run_without_a_result_has_a_row_without_numbers(records):
    failed = Record(tiny.CONFIG, status="failed: why")
    curves = {"epoch": [1], "train_loss": [None], "num_correct": [None]}
    diverged = dataclasses.replace(
        records[0], status="diverged", curves=curves, measures={}
    )
    table = runs_table([failed, diverged])
    assert list(table.status) == ["failed: why", "diverged"]
    assert table[["train_loss", "test_accuracy"]].isna().all(axis=None)
    assert reinit_table([failed, diverged]).empty


def test_empty_tables_are_tables(records):
    empty = reinit_table([])
    assert isinstance(empty, pd.DataFrame) and len(empty) == 0
    assert set(empty.columns) <= set(reinit_table(records).columns)
    assert len(runs_table([])) == 0


def test_movement_shares_and_unmoved_weights_are_all_of_a_layer(records):
    table = movement_table(records)
    for _, layer in table.groupby(["run_id", "layer"]):
        assert layer.share.sum() + layer.unmoved.iloc[0] == pytest.approx(1)
    assert set(table.layer) == {0, 1, 2}
    # four bins a decade, named by their centres
    ratios = table.movement.iloc[1:40].to_numpy() / table.movement.iloc[:39].to_numpy()
    assert ratios == pytest.approx(10**0.25)


def test_tables_of_nothing_are_empty_with_their_columns():
    assert movement_table([]).empty and "share" in movement_table([])
    assert reinit_table([]).empty and "accuracy" in reinit_table([])


def test_summary_is_the_mean_in_whole_percent(records):
    table = reinit_table(records)
    summary = accuracy_summary(table, [0.0, 1.0])
    assert list(summary.columns) == ["γ = 0 %", "γ = 100 %"]
    trained = [r.measures["reinit"]["active"][0] / 5 for r in records]  # of 500, in %
    assert summary.loc[12, "γ = 0 %"] == round(sum(trained) / 2)
