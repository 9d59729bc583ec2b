"""An untrained network is the one that training starts from."""

import pytest

from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.analysis.claims.width import width_claims
from lazyrich_helpers.analysis.tables.tidy import (
    reinit_table,
    untrained_table,
    with_untrained,
)
from lazyrich_helpers.data import sources
from lazyrich_helpers.experiments import untrained as module
from lazyrich_helpers.experiments.record import NUMERICS
from lazyrich_helpers.experiments.untrained import (
    SEEDS,
    WIDTHS,
    kept,
    kept_configs,
    kept_origin,
    untrained,
)
from lazyrich_helpers.notebook.chapter import recorded
from tests import tiny


def test_it_guesses_as_a_wholly_reset_one_does(store, capsys):
    records = tiny.results(store, *tiny.WIDTHS).records
    reset = reinit_table(records).query("scenario == 'active' and fraction == 1")
    found = untrained_table(untrained(tiny.WIDTHS))
    names = ["width", "seed", "num_test", "accuracy"]
    assert found[names].values.tolist() == reset[names].values.tolist()
    assert set(found.scenario) == {"active"} and set(found.fraction) == {1.0}
    assert found.accuracy.nunique() > 1
    assert "w=6" in capsys.readouterr().err  # a bar says how far it is


@pytest.mark.parametrize(("depth", "recipe"), [(1, "figure-2"), (4, "figure-3")])
def test_the_kept_ones_are_those_that_the_records_started_from(depth, recipe):
    """They were made apart from each other, and on other processors."""
    found = recorded(recipe, widths=[10, 100, 1000], seeds=[0, 1, 2, 3, 4], lrs=[0.01])
    reset = reinit_table(found.records).query("scenario == 'active' and fraction == 1")
    keys = ["width", "seed"]
    both = reset.merge(untrained_table(kept(depth)), on=keys, suffixes=("", "_kept"))
    assert len(both) == 15
    # another order of adding up turns an image or two of 10,000
    assert (both.accuracy - both.accuracy_kept).abs().max() <= 0.0015
    assert (both.accuracy == both.accuracy_kept).mean() > 0.5


def test_the_kept_ones_are_all_there():
    for depth, widths in WIDTHS.items():
        table = untrained_table(kept(depth))
        counts = table.groupby("width").seed.nunique()
        assert counts.to_dict() == dict.fromkeys(widths, len(SEEDS))
        # a tenth on average; 0.037 for a network: 0.0083 is a mean's standard error
        means = table.groupby("width").accuracy.mean()
        assert means.between(0.1 - 4 * 0.0083, 0.1 + 4 * 0.0083).all()
    assert kept(1).origin["numerics"] == NUMERICS, "make it anew"
    assert f"n = {len(SEEDS)} seeds" in kept_origin() and "torch" in kept_origin()


def test_a_small_width_is_counted_again():
    if not (sources.data_folder() / "MNIST").is_dir():
        pytest.skip("the images of MNIST are not here")
    for depth in WIDTHS:
        configs = [c for c in kept_configs(depth) if c.columns()["width"] == 10]
        again = untrained(configs[:3]).num_correct
        assert again == pytest.approx(kept(depth).num_correct[:3], abs=15)


def test_keeping_writes_what_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "kept_configs", lambda depth: tiny.WIDTHS[:depth])
    monkeypatch.setattr(module, "FILE", tmp_path / "kept.json")
    module.keep()
    names = ["width", "seed", "num_test", "accuracy"]
    for depth in WIDTHS:
        own = untrained_table(untrained(tiny.WIDTHS[:depth]))[names]
        assert untrained_table(kept(depth))[names].equals(own)


def test_a_trained_network_is_compared_with_wider_untrained_ones(store):
    narrow, wide = tiny.WIDTHS[:2], tiny.WIDTHS[2:]
    table = reinit_table(tiny.results(store, *narrow).records)
    both = with_untrained(table, untrained_table(untrained(tiny.WIDTHS)))
    new = both[both.width == 12]
    assert len(both) == len(table) + len(wide)
    assert new.accuracy.tolist() == untrained_table(untrained(wide)).accuracy.tolist()
    assert both.lr.nunique() == 1 and not new.columns.difference(table.columns).any()
    other = untrained_table(untrained(tiny.WIDTHS)).assign(dataset="mnist")
    with pytest.raises(ValueError, match="dataset must be the table's"):
        with_untrained(table, other)


@pytest.mark.parametrize(("depth", "recipe"), [(1, "figure-2"), (4, "figure-3")])
def test_the_claims_about_random_networks_of_the_papers_widths(depth, recipe):
    grows, beats = width_claims(depth)
    random = untrained_table(kept(depth))
    verdict = grows.verdict(random)
    assert verdict.word is Word.FAILS and verdict.proved
    assert f"width {WIDTHS[depth][-1]:,} against 10" in verdict.numbers
    assert "(n = 20 seeds a width)" in verdict.numbers
    trained = reinit_table(recorded(recipe, widths=[10, 100], lrs=[0.001]).records)
    assert beats.verdict(trained).word is Word.NOT_RUN
    verdict = beats.verdict(with_untrained(trained, random))
    assert verdict.word is Word.HOLDS and "n = 5 seeds" in verdict.numbers
