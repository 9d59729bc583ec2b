"""Claims get the verdict that hand-made curves deserve."""

import numpy as np
import pandas as pd
import pytest

from lazyrich_helpers.claims import (
    MOST_ARE_LAZY,
    RECIPE_TRAINS,
    above,
    alike,
    all_claims,
    by_seed,
    everywhere,
    interval,
    reinit_claims,
    width_claims,
)
from lazyrich_helpers.notebook import recorded
from lazyrich_helpers.tables import reinit_table

FRACTIONS = (0.0, 0.001, 0.01, 0.0316228, 0.1, 0.5, 1.0)
PAPER = (95, 60, 40, 30, 12, 45, 50)
"""Accuracy in percent at FRACTIONS as the paper describes a wide network."""
CLAIMS = {claim.name: claim for claim in reinit_claims(depth=1)}


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


@pytest.mark.parametrize("claim", ["A1", "A2", "A3", "A7"])
def test_the_papers_own_curve_satisfies_every_claim(claim):
    assert CLAIMS[claim].verdict(curves(PAPER, PAPER)).holds is True


@pytest.mark.parametrize(
    ("claim", "curve"),
    [
        ("A1", changed(at1=95)),  # nothing lost at 0.1 %
        ("A2", changed(at6=12)),  # no rise after the worst
        ("A2", changed(at2=90, at3=90, at4=90)),  # no plunge until 50 %
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


def test_a_claim_about_wide_networks_stays_open_below_their_width():
    wide = curves(PAPER, PAPER).replace({"width": {10: 100_000}})
    assert CLAIMS["A8"].verdict(wide).holds is True
    narrow = CLAIMS["A8"].verdict(curves(PAPER, PAPER))
    assert narrow.holds is None and "Not run yet at w = 100,000" in narrow.numbers
    deep = wide.replace({"width": {100_000: 5000}})
    (a9,) = [claim for claim in reinit_claims(depth=4) if claim.name == "A9"]
    assert a9.verdict(deep).holds is True


def test_a_tenth_that_does_not_suffice():
    table = curves(PAPER, PAPER, lazy=(50, 50, 60, 70, 80, 95, 95))
    table = table.replace({"width": {10: 100_000}})
    assert CLAIMS["A8"].verdict(table).holds is False


@pytest.mark.parametrize(
    ("narrow", "wide", "holds"),
    [
        ((10, 12, 30, 60, 95), (10, 18, 40, 80, 95), True),
        ((10, 12, 30, 60, 95), (10, 25, 40, 80, 95), False),  # 15 above random
        ((10, 12, 30, 60, 95), (10, 12, 40, 80, 95), False),  # wider is no better
        ((10, 10, 10, 10, 12), (10, 18, 40, 80, 95), False),  # never rises
    ],
)
def test_little_kept_is_near_random_and_better_when_wider(narrow, wide, holds):
    """Curves of ε, accuracy at 0, 0.1, 1, 10 and 100 %."""
    tables = [
        curves(PAPER, lazy=(e[0], e[1], e[2], e[2], e[3], e[3], e[4])).assign(width=w)
        for w, e in ((10, narrow), (100, wide))
    ]
    assert CLAIMS["A10"].verdict(pd.concat(tables)).holds is holds


def test_claims_go_by_number():
    assert [claim.name for claim in all_claims(depth=1)] == [
        "A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A10"
    ]  # fmt: skip
    assert all_claims(depth=4)[-2].name == "A9"


def test_two_data_sets_are_alike_where_every_claim_fares_the_same():
    low, high = changed(at6=30), changed(at6=60)
    ends = {"width": {1: 10, 10: 100_000}}
    kept = ((30, 31, 40, 50, 94.5, 95, 95), (60, 65, 80, 90, 94.5, 95, 95))
    one = pd.concat(
        [
            curves(low, lazy=kept[0]),
            curves(PAPER, high, lazy=kept[1]).query("width == 10"),
        ]
    ).replace(ends)  # every claim holds
    assert {claim.verdict(one).holds for claim in all_claims(depth=1)} == {True}
    assert alike(one, one, depth=1).holds is True
    lost = (one.scenario == "active") & (one.fraction == 0.001)
    other = one.assign(accuracy=one.accuracy.mask(lost, 0.949))
    verdict = alike(one, other, depth=1)
    assert verdict.holds is False and "A1 holds, does not hold; A2" in verdict.numbers
    assert alike(other, other, depth=1).holds is True  # no claim, but the same


def test_two_data_sets_are_compared_where_both_have_been_run():
    whole = curves(PAPER, changed(at1=95))  # at width 10 nothing is lost
    few = whole[(whole.width == 1) & (whole.seed < 3)]
    verdict = alike(whole, few, depth=1)
    assert verdict.numbers.endswith("(n = 3 seeds).")
    assert verdict.numbers.count("A1 holds, holds") == 1
    assert verdict.holds is None  # nothing is as wide as is claimed
    assert alike(whole, few.iloc[:0], depth=1).holds is None


def test_a_recipe_trains_where_every_width_learns():
    def runs(*accuracies: float) -> pd.DataFrame:
        rows = [
            (10**i, seed, accuracy + 0.001 * seed)
            for i, accuracy in enumerate(accuracies)
            for seed in range(5)
        ]
        return pd.DataFrame(rows, columns=["width", "seed", "test_accuracy"])

    assert RECIPE_TRAINS.verdict(runs(0.95, 0.97)).holds is True
    verdict = RECIPE_TRAINS.verdict(runs(0.66, 0.97))
    assert verdict.holds is False and "w = 1: 66.2 ± 0.2" in verdict.numbers
    assert RECIPE_TRAINS.verdict(runs(0.898)).holds is None  # and 0.1 more a seed


def test_noise_at_chance_is_no_rise():
    """A minimum picked from noise always seems to be followed by a rise."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        table = curves((95, 60, 10, 10, 10, 10, 10))
        at_chance = table.fraction >= 0.01
        noise = rng.normal(0, 0.03, len(table))
        table["accuracy"] = table.accuracy + np.where(at_chance, noise, 0)
        found.append(CLAIMS["A2"].verdict(table).holds)
    # a 95 % interval beyond +2 points by chance: less than one in forty, if at all
    assert found.count(True) <= 1


def test_settings_are_not_mixed():
    mixed = pd.concat([curves(PAPER).assign(lr=0.1), curves(PAPER).assign(lr=0.01)])
    with pytest.raises(ValueError, match="lr must be one value"):
        CLAIMS["A1"].verdict(mixed)


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_one_seed_decides_nothing_it_cannot(claim):
    verdict = CLAIMS[claim].verdict(curves(PAPER, PAPER, seeds=1))
    assert verdict.holds is None
    assert "n = 1 seed" in verdict.numbers


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


def recorded_curve(width, lr, scenario="active", name="figure-2"):
    found = recorded(name, widths=[width], seeds=[0, 1, 2, 3, 4], lrs=[lr])
    table = reinit_table(found.records)
    return lambda fraction: by_seed(table, width, scenario, fraction)


def test_what_the_readme_says_of_the_recorded_networks():
    narrow, wide = recorded_curve(10, 0.1), recorded_curve(1000, 0.1)
    assert above(wide(0) - wide(0.001), 10) and (wide(0) - wide(0.001)).mean() > 20
    assert abs(interval(narrow(0) - narrow(0.001))[0]) < 0.1
    narrow, wide = recorded_curve(10, 0.001), recorded_curve(1000, 0.001)
    assert above(wide(0.01) - narrow(0.01), 0)
    for lr in (0.1, 0.001):
        shares = [recorded_curve(w, lr, "lazy")(0.0316) for w in (10, 100, 1000)]
        assert shares[0].mean() < shares[1].mean() < shares[2].mean()
    bump = recorded_curve(1000, 0.1)
    assert above(bump(0.45) - bump(0.3), 0) and above(bump(0.45) - bump(0.65), 0)
    narrow = recorded_curve(10, 0.01, name="figure-3")
    wide = recorded_curve(1000, 0.01, name="figure-3")
    assert above(wide(0) - wide(0.001), 10) and (narrow(0) - narrow(0.001)).mean() < 1


@pytest.mark.parametrize("width", [10, 100, 1000])
def test_the_median_recorded_weight_moved_about_ten_times_its_spread(width):
    found = recorded("figure-2", widths=[width], seeds=[0, 1, 2, 3, 4], lrs=[0.1])
    assert len(found.records) == 5
    for record in found.records:
        layers = record.measures["movement"]["layers"]
        assert layers[0]["num_weights"] > 0.9 * sum(x["num_weights"] for x in layers)
        assert layers[0]["quantiles"][3] > 9  # the median, in units of σ₀


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
    (grows, beats) = width_claims(depth=1)
    table = curves(PAPER, changed(at6=last))
    # seeds 0.1 points apart in both widths: the difference has no spread
    assert grows.verdict(table).holds is holds
    wide = table.replace({"width": {10: 100_000}})
    assert beats.verdict(wide).holds is True
