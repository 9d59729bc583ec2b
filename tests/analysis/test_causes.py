"""What is reset, how the network was trained, and what that costs."""

import dataclasses

import pandas as pd
import pytest

from lazyrich_helpers.analysis.tables.causes import (
    COMPARES,
    RESETS,
    causes_table,
    losses,
    training_name,
)
from lazyrich_helpers.analysis.tables.tidy import one_setting
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.measures.reinit_curves import RandomReset, Reinit
from lazyrich_helpers.training.optimizers import SGD
from tests import tiny

TRAINED = [
    dataclasses.replace(config, optimizer=optimizer)
    for config in tiny.SEEDS[:2]
    for optimizer in (config.optimizer, SGD(lr=0.1, momentum=0.0))
]


def test_what_each_reset_costs():
    curves = {
        "same_number": [900, 890, 880, 100],
        "same_distance": [900, 700, 350, 100],
    }
    fractions = {"fractions": [0.0, 0.001, 0.01, 1.0], "num_test": 1000}
    reinit = {"active": [900, 400, 300, 100], "lazy": [100, 500, 600, 900]}
    as_far = {"num_reset": [0, 30, 90, 120]}
    measures = {
        "random_reset": fractions | curves | as_far,
        "reinit": fractions | reinit,
    }
    table = causes_table([tiny.record(tiny.CONFIG, measures=measures)])
    (row,) = losses(table).to_dict("records")
    assert row["accuracy"] == "90.0" and row["n"] == 1
    costs = ("+50.0", "+1.0", "+20.0")
    assert tuple(row[reset] for reset in RESETS) == costs
    assert row["share"] == "25.0" and row["apart"] == "−30.0"
    (row,) = losses(table, 0.01).to_dict("records")
    assert row["the most active"] == "+60.0"
    assert row["share"] == "75.0" and row["apart"] == "−5.0"
    assert RESETS["as many at random"] == "same_number"


def test_every_training_of_the_recipe_has_a_name():
    configs = make_recipe("causes", "paper", widths=[10], seeds=[0]).configs
    names = [training_name(config.columns()) for config in configs]
    assert names == [
        "Adam at 0.1",
        "Adam at 0.001",
        "Adam from 0.1 to 0",
        "SGD at 0.1",
        "SGD at 1",
        "SGD with momentum at 0.01",
        "SGD with momentum at 0.1",
    ]
    with pytest.raises(ValueError, match="lrs must be left out"):
        make_recipe("causes", "paper", lrs=[0.1])


def test_curves_are_the_records(store):
    records = tiny.results(store, *TRAINED, measures=(Reinit, RandomReset)).records
    table = causes_table(records)
    for record in records:
        for reset, curve in RESETS.items():
            rows = table[(table.run_id == record.run_id) & (table.reset == reset)]
            rows = rows[rows.scenario == "active"]
            measured = record.measures["random_reset" if curve else "reinit"]
            expected = pd.Series(measured[curve or "active"]) / measured["num_test"]
            assert rows.accuracy.tolist() == expected.tolist()
            assert rows.trained_by.unique().tolist() == [
                training_name(record.columns())
            ]
    one_setting(table, *COMPARES)
    found = losses(table)
    assert found.trained_by.tolist() == ["Adam at 0.03", "SGD at 0.1"]
    assert found.n.tolist() == [2, 2]
    for (_, own), trained in zip(
        table[table.reset == "the most active"].groupby("trained_by"),
        found.accuracy,
        strict=True,
    ):
        whole = own[(own.scenario == "active") & (own.fraction == 0)].accuracy
        assert trained == f"{100 * whole.mean():.1f}"
    assert causes_table([]).empty and losses(causes_table([])).empty
