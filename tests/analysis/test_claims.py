"""Claims get the verdict that hand-made curves deserve."""

import numpy as np
import pandas as pd
import pytest

from lazyrich_helpers.analysis.claims.amounts import Points, Several, Share
from lazyrich_helpers.analysis.claims.reinit import SUFFICES
from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.analysis.claims.width import (
    ALIKE,
    MOST_ARE_LAZY,
    RECIPE_TRAINS,
    SIZES,
    all_claims,
    reinit_claims,
    verdict_words,
    width_claims,
)
from lazyrich_helpers.analysis.tables.reinit_effects import at_extreme, by_seed
from lazyrich_helpers.analysis.tables.statistics import signed
from lazyrich_helpers.analysis.tables.tidy import reinit_table
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.notebook.chapter import recorded

HOLDS, PARTLY, FAILS, UNDECIDED, NOT_RUN = Word
FRACTIONS = (0.0, 0.001, 0.01, 0.0316228, 0.1, 0.5, 1.0)
PAPER = (95, 60, 40, 30, 5, 45, 10)
"""Accuracy in percent at FRACTIONS as the paper describes a wide network."""
CLAIMS = {claim.name: claim for claim in reinit_claims(depth=1)}


def curves(*by_width: tuple[int, ...], lazy=(10, 10, 60, 70, 95, 95, 95), seeds=5):
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
    assert CLAIMS[claim].verdict(curves(PAPER, PAPER)).word is HOLDS


@pytest.mark.parametrize(
    ("claim", "curve"),
    [
        ("A1", changed(at1=95)),  # nothing lost at 0.1 %
        ("A2", changed(at4=9)),  # no rise after the worst
        ("A2", changed(at2=90, at3=90, at4=90)),  # no plunge until 50 %
        ("A3", changed(at5=5)),  # γ = 50 % worse than 1 to 10 %
        ("A7", changed(at6=94)),  # a random network almost as good
    ],
)
def test_a_curve_without_the_effect_does_not_hold(claim, curve):
    assert CLAIMS[claim].verdict(curves(curve)).word is FAILS
    mixed = CLAIMS[claim].verdict(curves(PAPER, curve))  # of which A3 sees the widest
    assert str(mixed) == ("does not hold" if claim == "A3" else "partly for w = 1")


def test_a_claim_that_holds_in_part_says_where():
    verdict = CLAIMS["A1"].verdict(curves(changed(at1=95), PAPER, PAPER))
    assert (verdict.word, verdict.part) == (PARTLY, "for w ≥ 10")
    falls_at_one = changed(at5=35)  # above what is left of γ = 3 and 10 %
    verdict = CLAIMS["A3"].verdict(curves(falls_at_one))
    assert str(verdict) == "partly than γ = 3.2 and 10 %"


def test_rise_is_compared_between_narrowest_and_widest():
    less = changed(at4=8)
    assert CLAIMS["A4"].verdict(curves(less, PAPER)).word is HOLDS
    assert CLAIMS["A4"].verdict(curves(PAPER, less)).word is FAILS
    assert CLAIMS["A4"].verdict(curves(PAPER)).word is NOT_RUN  # nothing to compare
    falls, falls_less = (changed(at2=low, at3=low, at4=low) for low in (40, 15))
    assert CLAIMS["A4"].verdict(curves(falls, falls_less)).word is FAILS  # no rise


def test_a_seeds_own_random_network_is_no_end_of_the_rise():
    """What untrained networks happen to name right is noise around a tenth."""
    table = curves(PAPER)
    lucky = table.scenario.eq("active") & table.fraction.eq(1)
    luck = table.assign(accuracy=table.accuracy.mask(lucky, 0.1 * table.seed))
    assert str(CLAIMS["A2"].verdict(luck)) == "holds"
    assert "from there +4.8 ± 0.2 to 100 %" in CLAIMS["A2"].verdict(luck).numbers


def test_a_claim_about_wide_networks_is_not_run_below_their_width():
    wide = curves(PAPER, PAPER).replace({"width": {10: 100_000}})
    assert CLAIMS["A8"].verdict(wide).word is HOLDS
    narrow = CLAIMS["A8"].verdict(curves(PAPER, PAPER))
    assert narrow.word is NOT_RUN
    assert narrow.part == "at w = 100,000; at 10: holds"
    deep = wide.replace({"width": {100_000: 5000}})
    (a9,) = [claim for claim in reinit_claims(depth=4) if claim.name == "A9"]
    assert a9.verdict(deep).word is HOLDS


def test_a_tenth_that_does_not_suffice():
    table = curves(PAPER, PAPER, lazy=(50, 50, 60, 70, 80, 95, 95))
    table = table.replace({"width": {10: 100_000}})
    assert CLAIMS["A8"].verdict(table).word is FAILS


@pytest.mark.parametrize(
    ("narrow", "wide", "found"),
    [
        ((10, 12, 30, 60, 95), (10, 18, 40, 80, 95), "holds"),
        ((10, 12, 30, 60, 95), (10, 25, 40, 80, 95), "partly for w = 10"),  # 15 above
        ((10, 12, 30, 60, 95), (10, 12, 40, 80, 95), "partly for w = 10"),  # no better
        ((10, 10, 10, 10, 12), (10, 18, 40, 80, 95), "partly for w = 100"),  # no rise
        ((10, 10, 10, 10, 12), (10, 10, 40, 80, 95), "does not hold"),
    ],
)
def test_little_kept_is_near_random_and_better_when_wider(narrow, wide, found):
    """Curves of ε, accuracy at 0, 0.1, 1, 10 and 100 %."""
    tables = [
        curves(PAPER, lazy=(e[0], e[1], e[2], e[2], e[3], e[3], e[4])).assign(width=w)
        for w, e in ((10, narrow), (100, wide))
    ]
    assert str(CLAIMS["A10"].verdict(pd.concat(tables))) == found


def test_claims_go_by_number():
    assert [claim.name for claim in all_claims(depth=1)] == [
        "A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A10"
    ]  # fmt: skip
    assert all_claims(depth=4)[-2].name == "A9"


def test_words_of_every_claim_at_every_setting():
    paper = curves(PAPER, PAPER).assign(depth=1)
    flat = curves(changed(at1=95)).assign(depth=4)
    words = verdict_words({"a": paper, "b": flat, "c": paper.iloc[:0]})
    assert list(words) == ["a", "b"] and words.a["A1"] == HOLDS
    assert words.b["A1"] == FAILS and words.index[-2:].tolist() == ["A9", "A10"]
    assert words.a.isna()["A9"] and words.b.isna()["A8"]  # of the other depth
    assert verdict_words({"c": paper.iloc[:0]}).empty


def test_two_data_sets_are_alike_where_every_claim_has_the_same_answer():
    one = curves(PAPER, PAPER).assign(depth=1)
    loses_less = curves(changed(at1=70), PAPER).assign(depth=1)
    verdict = ALIKE.verdict(one, loses_less)
    assert verdict.word is HOLDS
    assert "claims 12 are decided on both data sets, and 12 of" in verdict.numbers
    loses_none = curves(changed(at1=95), PAPER).assign(depth=1)
    verdict = ALIKE.verdict(one, loses_none)
    assert str(verdict) == "partly for 11 of 12 answers"
    assert "another one has A1 at w = 1 (MNIST and" in verdict.numbers
    assert str(ALIKE.verdict(loses_none, one)) == str(verdict)
    few = one[(one.seed == 0) | (one.width == 1)]  # undecided at w = 10
    assert ALIKE.verdict(one, few).word is UNDECIDED


def test_what_was_not_trained_is_not_stood_in_for():
    """Untrained networks have γ = 1 alone; no other γ is near none and all."""
    untrained = curves(PAPER).query("fraction == 1")
    assert by_seed(untrained, 1, "active", 0.0).empty
    ends = curves(PAPER).query("fraction in (0, 1)")
    assert by_seed(ends, 1, "active", 0.001).empty
    assert by_seed(curves(PAPER), 1, "active", 0.0012).mean() == pytest.approx(60.2)


def test_two_data_sets_are_compared_where_both_have_been_run():
    whole = curves(PAPER, changed(at1=95)).assign(depth=1)  # w = 10: nothing is lost
    few = whole[(whole.width == 1) & (whole.seed < 3)]
    verdict = ALIKE.verdict(whole, few)
    assert verdict.numbers.endswith(
        "(MNIST and Fashion-MNIST: n = 5 seeds; n = 3 seeds)."
    )
    assert "another" not in verdict.numbers and "at w = 10" not in verdict.numbers
    assert ALIKE.verdict(whole, few[few.seed == 0]).word is UNDECIDED
    assert ALIKE.verdict(whole, few.iloc[:0]).word is NOT_RUN


def test_a_recipe_trains_where_every_width_learns():
    def runs(*accuracies: float) -> pd.DataFrame:
        rows = [
            (0.1, 10**i, seed, accuracy + 0.001 * seed)
            for i, accuracy in enumerate(accuracies)
            for seed in range(5)
        ]
        return pd.DataFrame(rows, columns=["lr", "width", "seed", "test_accuracy"])

    assert RECIPE_TRAINS.verdict(runs(0.95, 0.97)).word is HOLDS
    verdict = RECIPE_TRAINS.verdict(runs(0.66, 0.97))
    assert (
        str(verdict) == "partly for w = 10" and "w = 1: 66.2 ± 0.2" in verdict.numbers
    )
    assert RECIPE_TRAINS.verdict(runs(0.898)).word is UNDECIDED  # and 0.1 more a seed
    assert RECIPE_TRAINS.verdict(runs(0.95).assign(lr=0.01)).word is NOT_RUN


def test_each_seeds_worst_fraction_is_the_others_choice():
    table = curves(PAPER, seeds=2)
    one, other = (table.fraction == 0.01, table.fraction == 0.1)
    table.loc[one & (table.seed == 0), "accuracy"] = 0.05
    table.loc[other & (table.seed == 1), "accuracy"] = 0.02
    worst, values = at_extreme(table, 1, 0.01, 0.3, best=False)
    assert worst == 0.1  # on average
    assert values.tolist() == pytest.approx([5, 40.1])


def test_noise_at_chance_is_no_rise():
    """A minimum picked from noise always seems to be followed by a rise."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        table = curves((95, 60, 10, 10, 10, 10, 10))
        at_chance = table.fraction >= 0.01
        noise = rng.normal(0, 0.03, len(table))
        table["accuracy"] = table.accuracy + np.where(at_chance, noise, 0)
        found.append(CLAIMS["A2"].verdict(table).word)
    # a 95 % interval beyond +2 points by chance: less than one in forty, if at all
    assert found.count(HOLDS) <= 1


def test_settings_are_not_mixed():
    mixed = pd.concat([curves(PAPER).assign(lr=0.1), curves(PAPER).assign(lr=0.01)])
    with pytest.raises(ValueError, match="lr must be one value"):
        CLAIMS["A1"].verdict(mixed)


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_one_seed_decides_nothing_it_cannot(claim):
    verdict = CLAIMS[claim].verdict(curves(PAPER, PAPER, seeds=1))
    assert verdict.word is (NOT_RUN if claim == "A8" else UNDECIDED)
    assert "n = 1 seed" in verdict.numbers


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_no_records_is_not_run_and_says_so(claim):
    verdict = CLAIMS[claim].verdict(curves(PAPER).iloc[:0])
    assert (verdict.word, verdict.numbers) == (NOT_RUN, "Not run yet.")


@pytest.mark.parametrize(
    ("lr", "claim", "found"),
    [
        (0.1, "A1", "partly for w = 1,000"),
        (0.1, "A7", "holds"),
        (0.001, "A1", "partly for w = 100"),
        (0.001, "A2", "does not hold"),
        (0.001, "A7", "holds"),
    ],
)
def test_recorded_mnist_at_pinned_parameters(lr, claim, found):
    runs = recorded("figure-2", widths=[10, 100, 1000], seeds=[0, 1, 2, 3, 4], lrs=[lr])
    assert not runs.missing
    assert str(CLAIMS[claim].verdict(reinit_table(runs.records))) == found


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
    assert MOST_ARE_LAZY.verdict(moved((0.3, 0.4), (0.5, 0.2))).word is HOLDS
    assert MOST_ARE_LAZY.verdict(moved((0.2, 0.7))).word is FAILS
    assert MOST_ARE_LAZY.verdict(moved((0.0, 0.6))).word is FAILS  # 40 % did not move


def test_parameters_are_lazy_at_some_widths():
    lazy = MOST_ARE_LAZY.verdict(moved((0.2, 0.7), (0.5, 0.2), (0.5, 0.2)))
    assert str(lazy) == "partly for w ≥ 10"


def test_layers_count_by_their_size():
    small, large = moved((0.9, 0.1)), moved((0.1, 0.9))
    both = pd.concat([small, large.assign(layer=1, num_weights=900)])
    verdict = MOST_ARE_LAZY.verdict(both)
    assert verdict.word is FAILS and "w = 1: 18" in verdict.numbers  # 0.09 + 0.09


@pytest.mark.parametrize("last", [5, 10, 15])
def test_random_networks_do_not_grow_whatever_was_drawn(last):
    (grows, _) = width_claims(depth=1)
    verdict = grows.verdict(curves(PAPER, changed(at6=last)))
    assert verdict.word is FAILS and verdict.proved
    # seeds 0.1 points apart in both widths: the difference has no spread
    more = signed(last - 10)
    assert f"of width 10 against 1: {more} ± 0.0 points" in verdict.numbers


def test_a_small_trained_network_is_the_one_that_is_named():
    (_, beats) = width_claims(depth=1)
    widths = {"width": {1: 10, 10: 100_000}}
    wide = curves(PAPER, changed(at6=60)).replace(widths)
    assert beats.verdict(wide).word is HOLDS
    assert "+35.0 ± 0.0 points (n = 5 seeds" in beats.verdict(wide).numbers
    lost = curves(PAPER, changed(at6=98)).replace(widths)
    assert beats.verdict(lost).word is FAILS
    assert beats.verdict(wide.replace({"width": {10: 20}})).word is NOT_RUN
    assert beats.verdict(curves(PAPER, PAPER)).word is NOT_RUN


WIDE = curves(changed(at4=9), PAPER).replace({"width": {1: 10, 10: 100_000}})
EARLY, LATE = (
    curves(changed(at4=9), (95, 60, *worst, 45, 10)).replace({"width": {1: 5}})
    for worst in ((5, 90, 90), (70, 70, 5))
)
LITTLE = pd.concat(
    [
        curves(PAPER, lazy=(10, 12, 30, 40, 60, 80, 95)),
        curves(PAPER, lazy=(10, 18, 40, 50, 94.5, 94.5, 95)).assign(width=100_000),
    ]
)
"""What holds in these does not if another number is asked for."""


ALL = {claim.name: claim for claim in all_claims(depth=1)}
RUNS = pd.DataFrame({"lr": 0.1, "width": 10, "seed": [0, 1], "test_accuracy": 0.95})


def test_a_width_is_printed_with_its_thousands():
    assert "w = 1,000: " in ALL["A1"].verdict(curves(*(4 * [PAPER]))).numbers


NUMBERS = [
    (ALL["A1"], "share", Share(0.0), WIDE),
    (ALL["A1"], "line", Points(36), WIDE),
    (ALL["A2"], "fall", Points(90), WIDE),
    (ALL["A2"], "rise", Points(25), WIDE),
    (ALL["A2"], "low", Share(0.02), EARLY),
    (ALL["A2"], "high", Share(0.02), WIDE),
    (ALL["A3"], "half", Share(0.1), WIDE),
    (ALL["A3"], "few", Several((Share(0.001), Share(0.01))), WIDE),
    (ALL["A4"], "line", Points(31), WIDE),
    (ALL["A4"], "low", Share(0.02), EARLY),
    (ALL["A4"], "high", Share(0.05), LATE),
    (ALL["A6"], "narrow", 20, WIDE),
    (ALL["A7"], "line", Points(90), WIDE),
    (ALL["A8"], "line", Points(0.2), LITTLE),
    (ALL["A8"], "share", Share(0.01), LITTLE),
    (ALL["A10"], "share", Share(0.01), LITTLE),
    (ALL["A10"], "near", Points(5), LITTLE),
    (ALL["A10"], "ahead", Points(7), LITTLE),
    (ALL["A10"], "rise", Points(86), LITTLE),
    (MOST_ARE_LAZY, "line", 90, moved((0.5, 0.2))),
    (MOST_ARE_LAZY, "spreads", 0.1, moved((0.5, 0.2))),
    (RECIPE_TRAINS, "line", 96, RUNS),
    (RECIPE_TRAINS, "lr", 0.01, RUNS),
    (SUFFICES[4], "line", Points(0.2), LITTLE),
    (SIZES["VGG-5"], "size", 7, make_recipe("figure-1-vgg5", "paper").configs[0]),
    (SUFFICES[4], "share", Share(0.01), LITTLE),
]
"""A claim, a number that it asks for, another one, and tables where that matters."""
