"""What is read off the dial's studies: powers, places, and what goes together."""

import itertools

import numpy as np
import pandas as pd
import pytest

from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.papers.dial.claims import DL1, DL2, power_is
from lazyrich_helpers.papers.dial.tables import (
    INSTRUMENTS,
    LAZY,
    RICH,
    agreement,
    best_etas,
    following,
    foretold_with_width,
    on_the_plane,
    slopes,
    with_width,
)
from tests import tiny

GAMMAS = tuple(10.0 ** (k / 2) for k in range(-4, 5))
ETAS = tuple(10.0 ** (k / 3) for k in range(-18, 13))


def plane(best) -> pd.DataFrame:
    """Return a plane with the lowest loss at `best(gamma)`; ten times it diverges."""
    table = tiny.grid(gammas=GAMMAS, eta=ETAS, seed=(0, 1, 2))
    far = table.eta / table.gammas.map(best)
    table["train_loss"] = (10 ** (np.log10(far) ** 2)).where(far < 10)
    return table.assign(accuracy=100 * table.gammas + table.eta)


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
    assert slopes(best, most=LAZY).tolist() == pytest.approx([2, 2, 2])
    assert slopes(best, least=RICH).tolist() == pytest.approx([2 / 3] * 3)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((1.98, 2.0, 2.03), Word.HOLDS),
        ((1.2, 2.0, 2.9), Word.UNDECIDED),
        ((1.0, 1.01, 0.99), Word.FAILS),
    ],
)
def test_a_power_is_asked_with_its_interval(values, word):
    seeds = [
        plane(lambda gamma, power=power: 30 * gamma**power).query(f"seed == {seed}")
        for seed, power in enumerate(values)
    ]
    found = power_is(pd.concat(seeds), power=2.0, within=0.2, most=1.0)
    assert found.word is word and "n = 3" in found.numbers


def test_a_best_step_at_an_end_of_the_grid_is_not_found():
    table = plane(power_law)
    short = table[table.eta > 1.5e-4]
    found = DL1.check(short, **DL1.asks)
    assert found.word is Word.UNDECIDED and "3 of 6 best η" in found.numbers
    assert DL2.check(short, **DL2.asks).word is Word.HOLDS


def test_a_plain_network_lies_at_one_over_the_root_of_its_width():
    grid = plane(power_law)
    plain = tiny.grid(widths=(16, 100), eta=(0.1,), seed=(0, 1)).assign(accuracy=50.0)
    placed = on_the_plane(grid, plain, "accuracy")
    assert placed.found.tolist() == [50.0, 50.0]
    assert placed.predicted[1] == pytest.approx(100 * 0.1 + 0.1)  # γ = 0.1: a point
    assert 100 * 0.1 < placed.predicted[0] < 100 * 10**-0.5  # γ = 0.25: between two


def test_agreement_is_of_ranks():
    pairs = pd.DataFrame({"found": [1.0, 2, 30], "predicted": [1.0, 4, 5]})
    assert agreement(pairs) == pytest.approx(1)
    assert agreement(pairs.assign(found=-pairs.found)) == pytest.approx(-1)


def test_each_power_is_asked_where_the_claim_says():
    table = plane(power_law)
    for claim, elsewhere in ((DL1, {"most": 100.0}), (DL2, {"least": 0.0})):
        (place,) = elsewhere
        assert f"{claim.asks[place]:g}" in claim.sentence
        assert claim.check(table, **claim.asks).word is Word.HOLDS
        assert claim.check(table, **{**claim.asks, **elsewhere}).word is Word.FAILS


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
