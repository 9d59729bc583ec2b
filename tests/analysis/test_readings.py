"""Each reading of the text keeps its own networks and its own ranking."""

import pandas as pd
import pytest

from lazyrich_helpers.analysis.tables.readings import COMPARES, effects, readings_table
from lazyrich_helpers.analysis.tables.tidy import reinit_table
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.measures.reinit_curves import Reinit, WeightsReinit
from lazyrich_helpers.models.initialization import LITERAL_GAIN, XavierNormal
from tests import tiny
from tests.analysis.test_claims import PAPER, changed, curves

READINGS = (
    "as in this book",
    "bf16 autocast",
    "fp32, other kernels",
    "biases not ranked",
    "printed variance",
)


@pytest.fixture
def records(store):
    half = tiny.config(precision="bf16")
    runs = [tiny.CONFIG, half, tiny.config(init=XavierNormal(gain=LITERAL_GAIN))]
    measures = (*tiny.MEASURES, WeightsReinit)
    return tiny.results(store, *runs, measures=measures).records


def accuracies(table):
    return table.accuracy.tolist()


def test_each_reading_has_its_own_curves(records):
    usual, half, literal = records
    assert half.columns()["arithmetic"] == "bf16 autocast"
    table = readings_table([usual], [half], [usual, literal])
    own = {name: part for name, part in table.groupby("reading", sort=False)}
    assert tuple(own) == READINGS
    expected = [
        reinit_table([usual]),
        reinit_table([half]),
        reinit_table([usual]),
        reinit_table([usual], WeightsReinit),
        reinit_table([literal], Reinit),
    ]
    assert list(map(accuracies, own.values())) == list(map(accuracies, expected))
    assert len({tuple(accuracies(each)) for each in expected}) == 4


def test_without_records_there_are_no_effects():
    table = readings_table([], [], [])
    assert table.empty and effects(table).empty


def test_the_recipe_changes_one_thing_at_a_time():
    recipe = make_recipe("readings", "paper", widths=[10], seeds=[0], lrs=[0.1])
    (main,) = make_recipe(
        "figure-2", "paper", widths=[10], seeds=[0], lrs=[0.1]
    ).configs
    usual, literal = (config.columns() for config in recipe.configs)
    main = main.columns()
    assert {k for k in usual if usual[k] != main[k]} == {"precision"}
    assert {k for k in usual if usual[k] != literal[k]} == {"gain"}
    assert set(COMPARES) == {"precision", "arithmetic", "gain"}
    assert WeightsReinit in recipe.measures


def test_effects_are_differences_in_points():
    table = curves(PAPER, changed(at1=95, at4=10))
    table = pd.concat([table.assign(reading=name) for name in "ab"]).assign(lr=0.1)
    found = effects(table).set_index(["reading", "width"])
    assert list(found.index) == [("a", 1), ("b", 1), ("a", 10), ("b", 10)]
    first, second = found.loc[("a", 1)], found.loc[("b", 10)]
    # from 95 at 0 to 60 at 0.1 %, 5 (and 0.2, the seeds' mean) at 10 %, 45 at 50 %
    assert (first.lost, first.worst) == ("+35.0 ± 0.0", "10")
    assert (first.risen, first.bump) == ("+4.8 ± 0.2", "+40.0 ± 0.0")
    assert (second.lost, second.risen) == ("0.0 ± 0.0", "−0.2 ± 0.2")
