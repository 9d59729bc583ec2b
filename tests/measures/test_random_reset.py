"""Random parameters are reset: as many as are active, or as far displaced."""

import torch

from lazyrich_helpers.measures.reinit_curves import (
    FRACTIONS,
    RandomReset,
    Reinit,
    equal_distance,
)
from lazyrich_helpers.reinit.reinitialization import num_active


def test_as_far_is_the_first_that_reaches_the_active_ones_distance():
    final = torch.tensor([3.0, -4.0, 0.0, 1.0] * 25)
    initial, order = torch.zeros(100), torch.arange(99, -1, -1)
    numbers = equal_distance(initial, final, order)
    squares = final.square()
    active = squares.sort(descending=True).values
    for fraction, number in zip(FRACTIONS, numbers, strict=True):
        wanted = active[: num_active(fraction, 100)].sum()
        assert squares[order[:number]].sum() >= wanted
        assert number == 0 or squares[order[: number - 1]].sum() < wanted


def test_both_curves_begin_trained_and_end_initial(trained):
    found, curves = (measure().result(trained) for measure in (RandomReset, Reinit))
    for name in ("same_number", "same_distance"):
        assert found[name][0] == curves["active"][0]
        assert found[name][-1] == curves["active"][-1]
        assert len(found[name]) == len(FRACTIONS)
    size = len(trained.final)
    assert found["num_reset"][0] == 0 and found["num_reset"][-1] <= size
    more = (
        n >= num_active(f, size)
        for n, f in zip(found["num_reset"], FRACTIONS, strict=True)
    )
    assert all(list(more)[:-1])  # none is displaced farther than the active ones
    assert found["same_number"] != curves["active"]
    assert Reinit().result(trained) == curves
