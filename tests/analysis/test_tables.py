"""A table has one row per observation; every number is the record's."""

import dataclasses
from dataclasses import dataclass

import pandas as pd
import pytest

from lazyrich_helpers import config
from lazyrich_helpers.analysis.figures.setup import training_curves
from lazyrich_helpers.analysis.tables.tidy import (
    accuracy_summary,
    best_lr,
    curves_table,
    movement_table,
    one_setting,
    reinit_table,
    runs_table,
)
from lazyrich_helpers.config import Part
from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.measures.reinit_curves import FRACTIONS
from lazyrich_helpers.models.convnets import ConvNet
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.reinit.reinitialization import SCENARIOS
from lazyrich_helpers.training.optimizers import Adam
from tests import tiny


@pytest.fixture
def records(store):
    return [r for c in tiny.SEEDS[:2] for r in tiny.results(store, c).records]


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
    held_out = [r.measures["accuracy"]["held_out"] for r in records]
    assert list(table.held_out_accuracy) == [
        h["num_correct"] / h["num"] for h in held_out
    ]
    assert not table.stale.any()


def test_a_run_without_a_result_has_a_row_without_numbers(records):
    failed = Record(tiny.CONFIG, status="failed: why")
    curves = {"epoch": [1], "train_loss": [None], "num_correct": [None]}
    diverged = dataclasses.replace(
        records[0], status="diverged", curves=curves, measures={}
    )
    table = runs_table([failed, diverged])
    assert list(table.status) == ["failed: why", "diverged"]
    assert table.train_loss.isna().all()
    for accuracy in ("test_accuracy", "held_out_accuracy"):
        assert table[accuracy].fillna(-1).tolist() == [-1, 0]
    assert reinit_table([failed, diverged]).empty


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


def runs(accuracies: dict[tuple[int, float], list[float]]) -> pd.DataFrame:
    rows = [
        (width, lr, seed, accuracy)
        for (width, lr), values in accuracies.items()
        for seed, accuracy in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["width", "lr", "seed", "held_out_accuracy"])


def test_best_rate_counts_every_width_the_same():
    # Over all runs 0.1 would win: width 10 has more seeds.
    table = runs(
        {
            (10, 0.1): [0.9, 0.9, 0.9],
            (10, 0.01): [0.8, 0.8, 0.8],
            (100, 0.1): [0.6],
            (100, 0.01): [0.8],
        }
    )
    assert best_lr(table) == 0.01


def test_best_rate_ignores_widths_that_some_rate_lacks():
    table = runs({(10, 0.1): [0.9], (10, 0.01): [0.8], (100, 0.01): [0.99]})
    assert best_lr(table) == 0.1
    with pytest.raises(ValueError, match="a width trained at every rate; got"):
        best_lr(runs({(10, 0.1): [0.9], (100, 0.01): [0.8]}))


def test_best_rate_is_of_one_depth():
    table = runs({(10, 0.1): [0.9]})
    with pytest.raises(ValueError, match="depth must be one value"):
        best_lr(pd.concat([table.assign(depth=1), table.assign(depth=4)]))


OTHERS = {
    "dataset": tiny.config(data=images("mnist", train_size=200)),
    "model": tiny.config(model=ConvNet(width=12, depth=2)),
    "gain": tiny.config(init=XavierNormal(gain=2.0)),
    "lr": tiny.config(optimizer=Adam(lr=0.1)),
    "width": tiny.config(model=ReluNet(width=99, depth=2)),
    "updates": tiny.config(updates=tiny.Mask(mask="101")),
    "num_epochs": tiny.config(num_epochs=9),
    "precision": tiny.config(precision="medium"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_mean_is_of_one_setting(name):
    same = [tiny.CONFIG, tiny.config(seed=1)]
    one_setting(pd.DataFrame([each.columns() for each in same]))
    mixed = pd.DataFrame([each.columns() for each in (*same, OTHERS[name])])
    with pytest.raises(ValueError, match=f"^{name} must be one value in a table"):
        one_setting(mixed)
    slots = ("data", "model", "init", "optimizer", "updates", "training")
    one_setting(mixed, *slots)


def test_a_mean_is_of_one_setting_by_fields_that_are_yet_to_come():
    table = pd.DataFrame([tiny.CONFIG.columns()] * 2)

    @dataclass(frozen=True, kw_only=True)
    class Decayed(Part, slot="optimizer", kind="decayed"):
        decay_every: int
        half_life: float

    try:
        for name in ("decay_every", "half_life"):
            mixed = table.assign(**{name: [10, 30]})
            with pytest.raises(ValueError, match=f"^{name} must be one value"):
                one_setting(mixed)
            one_setting(mixed, "optimizer")
            one_setting(mixed, name)
    finally:
        del config._KINDS["optimizer", "decayed"]


def test_a_mean_is_of_one_arithmetic(records):
    table = runs_table(records)
    assert set(table.arithmetic) == {"fp32"}
    one_setting(table)
    half = table.assign(arithmetic=["bf16 products"] + ["fp32"] * (len(table) - 1))
    with pytest.raises(ValueError, match=r"^arithmetic must be .*'bf16 products', 'fp"):
        one_setting(half)


def test_curves_have_one_row_per_epoch(records):
    table = curves_table(records)
    assert len(table) == 2 * 3
    first = table[table.seed == 0]
    assert list(first.epoch) == [1, 2, 3]
    assert list(first.train_loss) == records[0].curves["train_loss"]
    # Evaluated every five epochs, and after the last.
    assert first.accuracy.isna().tolist() == [True, True, False]
    assert first.accuracy.iloc[-1] == records[0].curves["num_correct"][-1] / 500
    assert curves_table([]).empty


def test_a_first_epoch_that_diverged_is_a_number_that_is_none():
    curves = {"epoch": [1], "train_loss": [None], "num_correct": [None]}
    bad = tiny.record(tiny.CONFIG, status="diverged", curves=curves)
    table = curves_table([bad])
    assert table.train_loss.dtype == table.accuracy.dtype == float
    training_curves({"alone": table})
    training_curves({"both": curves_table([bad, tiny.record(tiny.SEEDS[1], 900)])})
