"""Claims get the verdict that hand-made curves deserve."""

import pandas as pd
import pytest

from lazyrich_helpers.claims import (
    MOST_ARE_LAZY,
    REINIT_CLAIMS,
    WIDTH_CLAIMS,
    above,
    everywhere,
    interval,
)
from lazyrich_helpers.notebook import recorded
from lazyrich_helpers.tables import reinit_table

FRACTIONS = (0.0, 0.001, 0.01, 0.0316228, 0.1, 0.5, 1.0)
PAPER = (95, 60, 40, 30, 12, 45, 50)
"""Accuracy in percent at FRACTIONS as the paper describes a wide network."""
CLAIMS = {claim.name: claim for claim in REINIT_CLAIMS}


def curves(*by_width: tuple[int, ...], lazy=(50, 50, 60, 70, 95, 95, 95), seeds=5):
    """Return a table of γ-active curves, narrow first, seeds 0.1 points apart."""
    rows = [
        (10**i, seed, fraction, scenario, (accuracy + 0.1 * seed) / 100)
        for i, active in enumerate(by_width)
        for seed in range(seeds)
        for scenario, curve in (("active", active), ("lazy", lazy))
        for fraction, accuracy in zip(FRACTIONS, curve, strict=True)
    ]
    return pd.DataFrame(
        rows, columns=["width", "seed", "fraction", "scenario", "accuracy"]
    )


def changed(**values: int) -> tuple[int, ...]:
    """Return PAPER with accuracies at some positions replaced: at3=30."""
    result = list(PAPER)
    for place, value in values.items():
        result[int(place.removeprefix("at"))] = value
    return tuple(result)


@pytest.mark.parametrize("claim", ["A1", "A2", "A3", "A7", "A8"])
def test_the_papers_own_curve_satisfies_every_claim(claim):
    assert CLAIMS[claim].verdict(curves(PAPER, PAPER)).holds is True


@pytest.mark.parametrize(
    ("claim", "curve"),
    [
        ("A1", changed(at1=95)),  # nothing lost at 0.1 %
        ("A2", changed(at6=12)),  # no rise after the worst
        ("A2", changed(at5=5)),  # the worst is at 50 %
        ("A3", changed(at5=20)),  # γ = 50 % worse than 1 %
        ("A7", changed(at6=94)),  # a random network almost as good
    ],
)
def test_a_curve_without_the_effect_does_not_hold(claim, curve):
    assert CLAIMS[claim].verdict(curves(PAPER, curve)).holds is False


def test_rise_is_compared_between_narrowest_and_widest():
    low = changed(at6=20)
    assert CLAIMS["A4"].verdict(curves(low, PAPER)).holds is True
    assert CLAIMS["A4"].verdict(curves(PAPER, low)).holds is False
    assert CLAIMS["A4"].verdict(curves(PAPER)).holds is None


def test_a_tenth_that_does_not_suffice():
    table = curves(PAPER, lazy=(50, 50, 60, 70, 80, 95, 95))
    assert CLAIMS["A8"].verdict(table).holds is False


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_one_seed_decides_nothing_it_cannot(claim):
    verdict = CLAIMS[claim].verdict(curves(PAPER, PAPER, seeds=1))
    assert verdict.holds is None
    assert "n = 1 seeds" in verdict.numbers


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_no_records_is_open_and_says_so(claim):
    verdict = CLAIMS[claim].verdict(curves(PAPER).iloc[:0])
    assert (verdict.holds, verdict.numbers) == (None, "Not run yet.")


def test_interval_is_students():
    mean, half = interval(pd.Series([1.0, 2.0, 3.0, 4.0, 5.0]))
    # t(0.975, 4) = 2.776; sd = sqrt(2.5)
    assert (mean, half) == (3.0, pytest.approx(2.776 * (2.5 / 5) ** 0.5, rel=1e-3))


def test_above_is_open_where_the_interval_spans_the_threshold():
    values = pd.Series([1.0, 2.0, 3.0])
    assert above(values, -10) is True
    assert above(values, 10) is False
    assert above(values, 2.5) is None


def test_everywhere():
    assert everywhere([True, True]) is True
    assert everywhere([True, None]) is None
    assert everywhere([None, False]) is False


def test_verdict_shows_word_and_numbers_in_html_and_text():
    verdict = CLAIMS["A1"].verdict(curves(PAPER, PAPER))
    assert "verdict-holds" in verdict._repr_html_()
    for text in (verdict._repr_html_(), repr(verdict)):
        assert "A1" in text and "n = 5 seeds" in text


@pytest.mark.parametrize(
    ("lr", "claim", "holds"),
    [
        (0.1, "A1", False),
        (0.1, "A2", False),
        (0.1, "A7", True),
        (0.001, "A2", False),
        (0.001, "A7", True),
    ],
)
def test_recorded_mnist_at_pinned_parameters(lr, claim, holds):
    found = recorded(
        "figure-2", widths=[10, 100, 1000], seeds=[0, 1, 2, 3, 4], lrs=[lr]
    )
    assert not found.missing
    assert CLAIMS[claim].verdict(reinit_table(found.records)).holds is holds


def test_wide_recorded_network_loses_ten_points_at_a_thousandth():
    found = recorded("figure-2", widths=[1000], seeds=[0, 1, 2, 3, 4], lrs=[0.1])
    assert CLAIMS["A1"].verdict(reinit_table(found.records)).holds is True


def moved(*shares: tuple[float, float]) -> pd.DataFrame:
    """Return one layer's movement per width: shares below and above σ₀."""
    rows = [
        (10**i, seed, 0, movement, share + 0.001 * seed, 1 - below - above_, 100)
        for i, (below, above_) in enumerate(shares)
        for seed in range(5)
        for movement, share in ((0.5, below), (5.0, above_))
    ]
    names = ["width", "seed", "layer", "movement", "share", "unmoved", "num_weights"]
    return pd.DataFrame(rows, columns=names)


def test_unmoved_weights_are_lazy_too():
    # 30 % moved little and 30 % not at all
    assert MOST_ARE_LAZY.verdict(moved((0.3, 0.4), (0.5, 0.2))).holds is True
    assert MOST_ARE_LAZY.verdict(moved((0.2, 0.7), (0.5, 0.2))).holds is False


def test_layers_count_by_their_size():
    small, large = moved((0.9, 0.1)), moved((0.1, 0.9))
    both = pd.concat([small, large.assign(layer=1, num_weights=900)])
    verdict = MOST_ARE_LAZY.verdict(both)
    assert verdict.holds is False and "w = 1: 18" in verdict.numbers  # 0.09 + 0.09


@pytest.mark.parametrize(("last", "holds"), [(50, False), (60, True), (40, False)])
def test_random_networks_compared_over_width(last, holds):
    (grows, beats) = WIDTH_CLAIMS
    table = curves(PAPER, changed(at6=last))
    # seeds 0.1 points apart in both widths: the difference has no spread
    assert grows.verdict(table).holds is holds
    assert beats.verdict(table).holds is True
