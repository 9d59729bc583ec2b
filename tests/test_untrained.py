"""An untrained network is the one that training starts from."""

from lazyrich_helpers.tables import reinit_table
from lazyrich_helpers.untrained import untrained_table
from tests import tiny


def test_it_guesses_as_a_wholly_reset_one_does(store):
    records = tiny.results(store, *tiny.WIDTHS).records
    reset = reinit_table(records).query("scenario == 'active' and fraction == 1")
    found = untrained_table(tiny.WIDTHS)
    names = ["width", "seed", "num_test", "accuracy"]
    assert found[names].values.tolist() == reset[names].values.tolist()
    assert set(found.scenario) == {"active"} and set(found.fraction) == {1.0}
    assert found.accuracy.nunique() > 1
