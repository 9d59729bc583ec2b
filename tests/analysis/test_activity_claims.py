"""Claims about layers get the verdict that hand-made frequencies deserve."""

import pandas as pd
import pytest

from lazyrich_helpers.analysis.claims.activity import (
    CONV_NET_CLAIMS,
    FASHION_CONV_NET,
    FASHION_RELU_NET,
    GRADIENT_CLAIMS,
    RELU_NET_CLAIMS,
)
from lazyrich_helpers.analysis.claims.amounts import Several, Share
from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.analysis.tables.activity import activity_table, layer_summary
from lazyrich_helpers.notebook.chapter import recorded

CLAIMS = {claim.name: claim for claim in (*CONV_NET_CLAIMS, *RELU_NET_CLAIMS)}
CLAIMS |= {"B5 relu": FASHION_RELU_NET, "B5 conv": FASHION_CONV_NET}
HOLDS, PARTLY, FAILS, UNDECIDED, NOT_RUN = Word
EVEN = (1.0, 1.0, 1.0, 1.0, 1.0)
ENDS = (30.0, 0.2, 0.1, 0.1, 40.0)
BOTTOM = (30.0, 0.2, 0.1, 0.1, 0.2)
IDLE = (20, 0.3, 0.3, 0.3, 20)


def table(seeds=5, noise=0.01, alphas=(1, 10, 30), **by_width):
    """Return frequencies over an even one by layer, w100=EVEN, noisy by seed.

    They are the same at every α, but even where it is not one of `alphas`.
    """
    rows = [
        (int(name[1:]), seed, layer, alpha, definition, value)
        for name, layers in by_width.items()
        for seed in range(seeds)
        for layer, over in enumerate(layers)
        for alpha in (1, 10, 30)
        for factor in [1 + noise * (seed - seeds // 2)]
        for definition, value in [
            ("gradient", alpha / 100 * factor * (over if alpha in alphas else 1.0)),
            ("movement", 0.01),
        ]
    ]
    names = ["width", "seed", "layer", "alpha", "definition", "frequency"]
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize(
    ("claim", "frequencies", "word"),
    [
        ("B1", {"w100": EVEN, "w1000": ENDS}, HOLDS),
        ("B1", {"w100": (1, 1, 0.2, 1, 1.8)}, FAILS),
        ("B1", {"w10": EVEN, "w1000": EVEN}, NOT_RUN),
        ("B2", {"w100": EVEN, "w1000": ENDS}, HOLDS),
        ("B2", {"w100": EVEN, "w1000": EVEN}, FAILS),
        ("B2", {"w100": EVEN, "w1000": BOTTOM}, FAILS),
        ("B2", {"w100": ENDS}, NOT_RUN),  # not wide enough
        ("B3", {"w10": EVEN, "w50": BOTTOM}, HOLDS),
        ("B3", {"w10": EVEN, "w50": ENDS}, PARTLY),
        ("B3", {"w10": BOTTOM, "w50": BOTTOM}, PARTLY),
        ("B3", {"w10": BOTTOM, "w50": ENDS}, FAILS),
        ("B3", {"w5": EVEN, "w50": BOTTOM}, NOT_RUN),
        ("B5 relu", {"w1000": ENDS}, HOLDS),
        ("B5 relu", {"w1000": BOTTOM}, FAILS),
        ("B5 relu", {"w100": ENDS}, NOT_RUN),
        ("B5 conv", {"w10": EVEN, "w50": BOTTOM}, HOLDS),
        ("B5 conv", {"w50": ENDS}, FAILS),
        ("B5 conv", {"w10": BOTTOM}, NOT_RUN),
        ("B4", {"w10": IDLE, "w1000": ENDS}, HOLDS),
        ("B4", {"w10": IDLE, "w100": BOTTOM, "w1000": (30, 0.25, 0.1, 0.1, 9)}, HOLDS),
        (
            "B4",
            {"w10": (20, 0.3, 0.1, 0.1, 20), "w1000": (20, 0.3, 0, 0, 20)},
            UNDECIDED,
        ),
        ("B4", {"w10": IDLE}, NOT_RUN),  # nothing to compare
        ("B4", {"w10": EVEN, "w1000": ENDS}, PARTLY),
        ("B4", {"w10": ENDS, "w1000": IDLE}, PARTLY),
        ("B4", {"w10": EVEN, "w1000": EVEN}, FAILS),
        ("B4", {"w10": EVEN, "w1000": (1, 2, 2, 2, 1)}, FAILS),
    ],
)
def test_a_verdict_is_that_of_its_line(claim, frequencies, word):
    verdict = CLAIMS[claim].verdict(table(**frequencies))
    assert verdict.word is word, verdict


@pytest.mark.parametrize(
    ("claim", "frequencies", "part"),
    [
        ("B2", {"w1000": ENDS}, "at α = 1 %"),
        ("B5 relu", {"w1000": ENDS}, "at α = 1 %"),
        ("B5 conv", {"w50": BOTTOM}, "at α = 1 %"),
        ("B1", {"w100": (1, 1, 0.2, 1, 1.8)}, "at α = 10 and 30 %"),
        ("B3", {"w10": EVEN, "w50": BOTTOM}, "spread; at the bottom at α = 1 %"),
        (
            "B4",
            {"w10": EVEN, "w100": IDLE, "w1000": ENDS},
            "at α = 1 % for w ≥ 100; least when widest at 1 %",
        ),
    ],
)
def test_every_alpha_is_asked(claim, frequencies, part):
    """At 10 and 30 % all layers are even."""
    verdict = CLAIMS[claim].verdict(table(alphas=(1,), **frequencies))
    assert (verdict.word, verdict.part) == (PARTLY, part)


def test_an_alpha_that_was_not_measured_is_not_run():
    some = table(w100=EVEN).query("alpha == 1")
    assert CLAIMS["B1"].verdict(some).word is NOT_RUN


def test_recorded_layers_at_every_alpha():
    found = activity_table(recorded("figure-5").records)
    b1, b2 = (CLAIMS[name].verdict(found) for name in ("B1", "B2"))
    assert str(b1) == "partly at α = 10 and 30 %" and "α = 30 %: 0.68" in b1.numbers
    assert str(b2) == "partly at α = 1 %" and "α = 10 %: 1.8, 1, " in b2.numbers


def skews(l1, l2, seeds=5):
    rows = [
        (64, seed, epoch, percent, a + 0.001 * seed, b, 0.2)
        for seed in range(seeds)
        for epoch, (a, b) in enumerate(zip(l1, l2, strict=True))
        for percent in (0.1, 1.0)
    ]
    names = ["width", "seed", "epoch", "percent", "l1", "l2", "zeros"]
    return pd.DataFrame(rows, columns=names)


SKEWED = skews((0.4, 0.5), (0.7, 0.9))
LOW = (0.9, 0.9, 0.9, 0.9, 0.5)
TABLES = {
    "B1": table(w100=LOW),
    "B2": table(w100=LOW, w1000=ENDS),
    "B3": table(w10=LOW, w50=BOTTOM),
    "B4": table(w10=IDLE, w1000=ENDS),
    "B5 relu": table(w1000=ENDS),
    "B5 conv": table(w50=BOTTOM),
}
OTHERS = [
    ("B1", "width", 50),
    ("B1", "factor", 1.5),
    ("B1", "alphas", Several((20,))),
    ("B2", "factor", 200),
    ("B2", "alphas", Several((1, 20))),
    ("B3", "width", 20),
    ("B3", "factor", 200),
    ("B3", "alphas", Several((20,))),
    ("B4", "factor", 10),
    ("B4", "alphas", Several((20,))),
    ("B5 relu", "factor", 200),
    ("B5 relu", "alphas", Several((20,))),
    ("B5 conv", "factor", 200),
    ("B5 conv", "alphas", Several((20,))),
]
NUMBERS = [
    *((CLAIMS[claim], name, value, TABLES[claim]) for claim, name, value in OTHERS),
    (GRADIENT_CLAIMS[0], "l1", Share(0.6), SKEWED),
    (GRADIENT_CLAIMS[0], "l2", Share(0.95), SKEWED),
    (GRADIENT_CLAIMS[0], "percent", 10, SKEWED),
]


def test_layers_are_summed_up_with_intervals_over_seeds():
    found = table(seeds=3, noise=0.1, w10=(10, 2, 4), w100=(1, 1, 1))
    found["frequency"] /= found.alpha / 100 * 100  # in percent, whatever α
    found = found.assign(share=found.frequency / 0.16, relative=found.frequency * 10)
    summary = layer_summary(found, width=10, alpha=1)
    assert list(summary.index) == ["1 (lowest)", "2", "3 (top)"]
    # 9, 10 and 11 %: Student's t with two degrees of freedom, 4.303 / sqrt(3)
    assert summary.frequency["1 (lowest)"] == "10 ± 2"
    assert summary.share["2"] == "12 ± 3" and summary.relative["3 (top)"] == "0.4 ± 0.1"
    one = layer_summary(found.query("seed == 1"), width=10, alpha=1)
    assert one.frequency["1 (lowest)"] == "10"


def test_a_network_without_middle_layers_decides_nothing():
    two = table(w100=(1, 1), w1000=(5, 5))
    assert CLAIMS["B2"].verdict(two).word is UNDECIDED
    assert CLAIMS["B4"].verdict(two).word is NOT_RUN


def test_seeds_that_disagree_leave_it_undecided():
    wide, even = table(w1000=(5, 0.1, 0.1, 0.1, 5)), table(w1000=EVEN)
    both = pd.concat([wide, even.assign(seed=even.seed + 5)])
    assert CLAIMS["B2"].verdict(wide).word is HOLDS
    assert CLAIMS["B2"].verdict(both).word is UNDECIDED


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_one_seed_decides_nothing_and_no_records_are_said(claim):
    one = table(seeds=1, w10=EVEN, w50=ENDS, w100=EVEN, w1000=ENDS)
    assert CLAIMS[claim].verdict(one).word in (UNDECIDED, NOT_RUN)
    assert CLAIMS[claim].verdict(one.iloc[:0]).numbers == "Not run yet."


@pytest.mark.parametrize(
    ("l1", "l2", "found"),
    [
        ((0.4, 0.5, 0.5), (0.7, 0.9, 0.9), "holds"),
        ((0.4, 0.2, 0.2), (0.7, 0.9, 0.9), "does not hold"),
        ((0.4, 0.5, 0.5), (0.7, 0.5, 0.5), "does not hold"),
        ((0.4, 0.2, 0.5), (0.7, 0.9, 0.9), "partly after 2 epochs"),
        ((0.1, 0.5, 0.5), (0.2, 0.9, 0.9), "holds"),  # nothing is learned at epoch 0
        ((0.5,), (0.9,), "not run"),
    ],
)
def test_a_gradient_is_skewed_at_every_look_of_training_or_not(l1, l2, found):
    (claim,) = GRADIENT_CLAIMS
    verdict = claim.verdict(skews(l1, l2))
    assert str(verdict) == found
    assert ("20 % zeros" in verdict.numbers) == (found != "not run")
    assert claim.verdict(skews(l1, l2, seeds=1)).word in (UNDECIDED, NOT_RUN)
