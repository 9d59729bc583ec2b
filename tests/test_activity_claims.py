"""Claims about layers get the verdict that hand-made frequencies deserve."""

import pandas as pd
import pytest

from lazyrich_helpers.activity_claims import (
    CONV_NET_CLAIMS,
    FASHION_CONV_NET,
    FASHION_RELU_NET,
    GRADIENT_CLAIMS,
    RELU_NET_CLAIMS,
    layer_summary,
)

CLAIMS = {claim.name: claim for claim in (*CONV_NET_CLAIMS, *RELU_NET_CLAIMS)}
CLAIMS |= {"B5 relu": FASHION_RELU_NET, "B5 conv": FASHION_CONV_NET}
EVEN = (1.0, 1.0, 1.0, 1.0, 1.0)
ENDS = (30.0, 0.2, 0.1, 0.1, 40.0)
BOTTOM = (30.0, 0.2, 0.1, 0.1, 0.2)


def table(seeds=5, noise=0.01, **by_width):
    """Return mean frequencies in percent by layer, w100=EVEN, noisy by seed."""
    rows = [
        (int(name[1:]), seed, layer, alpha, definition, value)
        for name, layers in by_width.items()
        for seed in range(seeds)
        for layer, percent in enumerate(layers)
        for alpha, definition, value in [
            (1, "gradient", percent * (1 + noise * (seed - seeds // 2)) / 100),
            (1, "movement", 0.01),
            (30, "gradient", 0.3),
        ]
    ]
    names = ["width", "seed", "layer", "alpha", "definition", "frequency"]
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize(
    ("claim", "frequencies", "holds"),
    [
        ("B1", {"w100": EVEN, "w1000": ENDS}, True),
        ("B1", {"w100": (1, 1, 0.2, 1, 1.8)}, False),
        ("B1", {"w10": EVEN, "w1000": EVEN}, None),
        ("B2", {"w100": EVEN, "w1000": ENDS}, True),
        ("B2", {"w100": EVEN, "w1000": EVEN}, False),
        ("B2", {"w100": EVEN, "w1000": BOTTOM}, False),
        ("B2", {"w100": ENDS}, None),  # not wide enough
        ("B3", {"w10": EVEN, "w50": BOTTOM}, True),
        ("B3", {"w10": EVEN, "w50": ENDS}, False),
        ("B3", {"w10": BOTTOM, "w50": BOTTOM}, False),
        ("B3", {"w5": EVEN, "w50": BOTTOM}, None),
        ("B5 relu", {"w1000": ENDS}, True),
        ("B5 relu", {"w1000": BOTTOM}, False),
        ("B5 relu", {"w100": ENDS}, None),
        ("B5 conv", {"w10": EVEN, "w50": BOTTOM}, True),
        ("B5 conv", {"w50": ENDS}, False),
        ("B5 conv", {"w10": BOTTOM}, None),
        ("B4", {"w10": (20, 0.3, 0.3, 0.3, 20), "w1000": ENDS}, True),
        ("B4", {"w10": EVEN, "w1000": ENDS}, False),
        ("B4", {"w10": ENDS, "w1000": (20, 0.3, 0.3, 0.3, 20)}, False),
    ],
)
def test_a_verdict_is_that_of_its_line(claim, frequencies, holds):
    verdict = CLAIMS[claim].verdict(table(**frequencies))
    assert verdict.holds is holds, verdict


def test_layers_are_summed_up_with_intervals_over_seeds():
    found = table(seeds=3, noise=0.1, w10=(10, 2, 4), w100=(1, 1, 1))
    found = found.assign(share=found.frequency / 0.16, relative=found.frequency * 10)
    summary = layer_summary(found, width=10, alpha=1)
    assert list(summary.index) == ["1 (bottom)", "2", "3 (top)"]
    # 9, 10 and 11 %: Student's t with two degrees of freedom, 4.303 / sqrt(3)
    assert summary.frequency["1 (bottom)"] == "10 ± 2"
    assert summary.share["2"] == "12 ± 3" and summary.relative["3 (top)"] == "0.4 ± 0.1"
    one = layer_summary(found.query("seed == 1"), width=10, alpha=1)
    assert one.frequency["1 (bottom)"] == "10"


def test_a_network_without_middle_layers_decides_nothing():
    two = table(w100=(1, 1), w1000=(5, 5))
    assert CLAIMS["B2"].verdict(two).holds is None


def test_seeds_that_disagree_leave_it_open():
    wide, even = table(w1000=(5, 0.1, 0.1, 0.1, 5)), table(w1000=EVEN)
    both = pd.concat([wide, even.assign(seed=even.seed + 5)])
    assert CLAIMS["B2"].verdict(wide).holds is True
    assert CLAIMS["B2"].verdict(both).holds is None


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_one_seed_decides_nothing_and_no_records_are_said(claim):
    one = table(seeds=1, w10=EVEN, w50=ENDS, w100=EVEN, w1000=ENDS)
    assert CLAIMS[claim].verdict(one).holds is None
    assert CLAIMS[claim].verdict(one.iloc[:0]).numbers == "Not run yet."


def skews(l1, l2, seeds=5):
    rows = [
        (64, seed, epoch, percent, a + 0.001 * seed, b, 0.2)
        for seed in range(seeds)
        for epoch, a, b in zip((0, 1), l1, l2, strict=True)
        for percent in (0.1, 1.0)
    ]
    names = ["width", "seed", "epoch", "percent", "l1", "l2", "zeros"]
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize(
    ("l1", "l2", "holds"),
    [
        ((0.4, 0.5), (0.7, 0.9), True),
        ((0.4, 0.2), (0.7, 0.9), False),
        ((0.4, 0.5), (0.5, 0.9), False),
    ],
)
def test_a_gradient_is_skewed_at_every_look_or_not(l1, l2, holds):
    (claim,) = GRADIENT_CLAIMS
    verdict = claim.verdict(skews(l1, l2))
    assert verdict.holds is holds and "20 % zeros" in verdict.numbers
    assert claim.verdict(skews(l1, l2, seeds=1)).holds is None
