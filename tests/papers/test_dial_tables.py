"""What is read off the dial's studies: powers, places, and what goes together."""

import itertools

import numpy as np
import pandas as pd
import pytest

from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.papers.dial.claims import DL1, DL2, slope_is
from lazyrich_helpers.papers.dial.tables import (
    INSTRUMENTS,
    agreement,
    best_etas,
    following,
    foretold_with_width,
    lazy_slopes,
    on_the_plane,
    rich_slopes,
    with_width,
)

GAMMAS = tuple(10.0 ** (k / 2) for k in range(-4, 5))
ETAS = tuple(10.0 ** (k / 3) for k in range(-18, 13))


def plane(best) -> pd.DataFrame:
    """Return a plane with the lowest loss at `best(gamma)`; ten times it diverges."""
    rows = [
        (
            gamma,
            eta,
            seed,
            10 ** (np.log10(eta / best(gamma)) ** 2)
            if eta < 10 * best(gamma)
            else np.nan,
            100 * gamma + eta,
        )
        for gamma, eta, seed in itertools.product(GAMMAS, ETAS, (0, 1, 2))
    ]
    names = ["gammas", "eta", "seed", "train_loss", "accuracy"]
    return pd.DataFrame(rows, columns=names)


def power_law(gamma: float) -> float:
    """η = γ² up to 1, then γ^(2/3), by a factor that is on no grid."""
    return 1.3 * min(gamma**2, gamma ** (2 / 3))


def test_the_best_step_is_found_between_the_grids_points():
    best = best_etas(plane(power_law))
    assert len(best) == len(GAMMAS) * 3
    wanted = [power_law(gamma) for gamma in best.gamma]
    assert best.eta.tolist() == pytest.approx(wanted, rel=1e-6)


def test_its_powers_are_found_on_both_sides():
    best = best_etas(plane(power_law))
    assert lazy_slopes(best).tolist() == pytest.approx([2, 2, 2])
    assert rich_slopes(best).tolist() == pytest.approx([2 / 3] * 3)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((1.98, 2.0, 2.03), Word.HOLDS),
        ((1.2, 2.0, 2.9), Word.UNDECIDED),
        ((1.0, 1.01, 0.99), Word.FAILS),
    ],
)
def test_a_power_is_asked_with_its_interval(values, word):
    found = slope_is(pd.Series(values), power=2.0, within=0.2)
    assert found.word is word and "n = 3" in found.numbers


def test_a_plain_network_lies_at_one_over_the_root_of_its_width():
    grid = plane(power_law)
    plain = pd.DataFrame(
        [(width, 0.1, seed, 50.0) for width in (16, 100) for seed in (0, 1)],
        columns=["widths", "eta", "seed", "accuracy"],
    )
    placed = on_the_plane(grid, plain, "accuracy")
    assert placed.found.tolist() == [50.0, 50.0]
    assert placed.predicted[1] == pytest.approx(100 * 0.1 + 0.1)  # γ = 0.1: a point
    assert 100 * 0.1 < placed.predicted[0] < 100 * 10**-0.5  # γ = 0.25: between two


def test_agreement_is_of_ranks():
    pairs = pd.DataFrame({"found": [1.0, 2, 30], "predicted": [1.0, 4, 5]})
    assert agreement(pairs) == pytest.approx(1)
    assert agreement(pairs.assign(found=-pairs.found)) == pytest.approx(-1)


def test_each_power_is_asked_where_the_claim_says():
    best = best_etas(plane(power_law))
    for claim, elsewhere in ((DL1, {"most": 100.0}), (DL2, {"least": 0.0})):
        (place,) = elsewhere
        assert f"{claim.asks[place]:g}" in claim.sentence
        assert claim.check(best, **claim.asks).word is Word.HOLDS
        assert claim.check(best, **{**claim.asks, **elsewhere}).word is Word.FAILS


def test_the_widest_is_compared_with_the_narrowest_of_its_seed():
    rows = [(100, 0.1, 1, 2.0), (100, 0.1, 0, 3.0), (16, 0.1, 0, 30.0)]
    rows += [(16, 0.1, 1, 40.0), (32, 0.1, 0, 0.0), (16, 0.2, 0, 0.0)]
    plain = pd.DataFrame(rows, columns=["widths", "eta", "seed", "lost"])
    assert with_width(plain, "lost", 0.1).to_dict() == {0: -27.0, 1: -38.0}
    rows = [(100, 0.1, 9.0), (32, 0.1, 0.0), (16, 0.1, 8.0), (16, 0.2, 7.0)]
    pairs = pd.DataFrame(rows, columns=["widths", "eta", "predicted"])
    assert foretold_with_width(pairs, 0.1) == 1


def test_what_goes_together_and_what_was_not_reached():
    rows = []
    for knob, sign in (("one", 1), ("other", -1)):
        for level, seed in itertools.product(range(4), (0, 1)):
            values = dict.fromkeys(INSTRUMENTS, sign * level) | {"movement": level}
            rows.append(
                {"knobs": knob, "level": str(level), "seed": seed, "steps": 10} | values
            )
    rows.append(dict(rows[0], level="9", steps=0, movement=99.0, kernel=-99))
    found = following(pd.DataFrame(rows))
    assert found.loc["one"].tolist() == pytest.approx([1] * len(INSTRUMENTS))
    assert found.loc["other", "kernel"] == pytest.approx(-1)
