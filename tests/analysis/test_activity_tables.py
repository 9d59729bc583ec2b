"""Every number of a table is the record's, and shares add up."""

import pandas as pd
import pytest

from lazyrich_helpers.analysis.tables.activity import (
    activity_table,
    criticality_table,
    frequency_summary,
    gradient_table,
    layer_skew_table,
    skew_table,
)
from lazyrich_helpers.measures.activity import Activity
from lazyrich_helpers.measures.criticality import Criticality
from lazyrich_helpers.measures.gradient_concentration import GradientConcentration
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.runner.execution import execute
from lazyrich_helpers.runner.progress import Lines
from lazyrich_helpers.runner.stopping import Stop
from tests import tiny

MEASURES = (Accuracy, Activity, Criticality, GradientConcentration)


@pytest.fixture
def records(store):
    progress = Lines()
    progress.begin([])
    recipe = tiny.recipe(measures=MEASURES)
    configs = [tiny.training(seed=seed) for seed in (0, 1)]
    each = (execute([c], recipe, store, "cpu", progress, Stop()) for c in configs)
    return [record for records in each for record in records]


def test_one_row_per_run_layer_alpha_and_definition(records):
    table = activity_table(records)
    assert len(table) == 2 * 3 * 3 * 2
    keys = ["run_id", "layer", "alpha", "definition"]
    assert not table.duplicated(keys).any()
    for row in table.itertuples():
        measured = next(r for r in records if r.run_id == row.run_id).measures
        layer = measured["activity"]["layers"][row.layer]
        place = measured["activity"]["percents"].index(row.alpha)
        chances = 3 if row.definition == "gradient" else 1
        active = row.frequency * chances * row.num_weights
        assert active == pytest.approx(layer[row.definition][place])
        assert row.width == 12 and 0 <= row.frequency <= 1


def test_shares_of_a_network_add_to_one(records):
    table = activity_table(records)
    for _, rows in table.groupby(["run_id", "alpha", "definition"]):
        assert rows.share.sum() == pytest.approx(1)
        even = (rows.relative * rows.num_weights).sum() / rows.num_weights.sum()
        assert even == pytest.approx(1)
    gradient = table.query("definition == 'gradient'")
    assert gradient.zeros.between(0, 1).all() and (gradient.zeros > 0).any()
    assert table.query("definition == 'movement'").zeros.isna().all()


def test_print_counts_layers_from_one(records):
    table = activity_table(records)
    summary = frequency_summary(table, alpha=10)
    assert list(summary.columns) == ["1 (lowest)", "2", "3 (top)"]
    assert list(summary.index) == [12]
    top = table.query("layer == 2 and alpha == 10 and definition == 'gradient'")
    expected = 100 * top.frequency.mean()
    assert summary.loc[12, "3 (top)"] == pytest.approx(expected, abs=0.05)
    assert frequency_summary(table.head(0), alpha=10).empty
    with pytest.raises(ValueError, match="lr must be one value"):
        both = pd.concat([table, table.assign(lr=9.0)])
        frequency_summary(both, alpha=10)


def test_one_row_per_layer_and_reset(records):
    table = criticality_table(records)
    assert len(table) == 2 * 3 * 4
    measured = records[0].measures["criticality"]
    rows = table.query("seed == 0 and layer == 1").set_index("alpha")
    whole = rows.loc[rows.index.isna()].iloc[0]
    assert whole.accuracy == measured["layers"][1]["whole"] / 500
    assert whole.num_reset == whole.num_parameters == 12 * 13
    assert rows.loc[10].accuracy == measured["layers"][1]["active"][1] / 500
    trained = measured["unchanged"] / 500
    assert (
        table.query("seed == 0").eval("accuracy + lost") - trained
    ).abs().max() < 1e-9


def test_gradients_by_rank_and_by_share(records):
    curves, shares = gradient_table(records), skew_table(records)
    assert set(curves.epoch) == set(shares.epoch) == {0, 1, 2}
    look = records[1].measures["gradient_skew"]["looks"][2]
    rows = curves.query("seed == 1 and epoch == 2")
    assert rows.magnitude.tolist() == look["values"]
    assert rows["rank"].iloc[-1] == rows.num_parameters.iloc[0]
    assert len(shares) == 2 * 3 * 3
    rows = shares.query("seed == 1 and epoch == 2")
    assert rows.l1.tolist() == look["l1"] and rows.l2.tolist() == look["l2"]
    assert rows.l2.is_monotonic_increasing and rows.elbow.between(0, 1).all()


def test_skew_of_each_layer(records):
    table = layer_skew_table(records)
    measured = records[0].measures["gradient_skew"]
    assert len(table) == 2 * 3 * 3 * len(measured["layer_sizes"])
    rows = table.query("seed == 0 and epoch == 1 and layer == 1")
    assert rows.l1.tolist() == measured["looks"][1]["layers"][1]["l1"]
    ones = table.query("percent == 1").groupby(["seed", "epoch"])
    assert ones["size"].sum().to_numpy() == pytest.approx(1)
    assert ones["share"].sum().to_numpy() == pytest.approx(1, abs=1e-4)


TABLES = [
    activity_table,
    criticality_table,
    gradient_table,
    layer_skew_table,
    skew_table,
]


@pytest.mark.parametrize("table", TABLES)
def test_tables_of_nothing_are_empty_with_their_columns(table, records):
    assert table([]).empty
    assert set(table([]).columns) <= set(table(records).columns)
