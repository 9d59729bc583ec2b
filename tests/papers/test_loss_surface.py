"""Sharpness and slopes are those of the Hessian and the gradient, row by row."""

import pytest
import torch
from torch.autograd.functional import hessian

from lazyrich_helpers.papers.two_regimes.loss_surface import (
    hessian_product,
    sharpness,
    slopes_along,
)

SIZE = 6


def losses(rows):
    """Return a loss with a Hessian that is neither constant nor diagonal."""
    mixed = torch.sin(rows @ torch.arange(SIZE * 4.0).view(SIZE, 4).double().cos())
    return mixed.square().sum(1) + (rows**4).sum(1) / 10


@pytest.fixture
def rows():
    stream = torch.Generator().manual_seed(0)
    return torch.randn(3, SIZE, generator=stream, dtype=torch.float64)


def exact(row):
    return hessian(lambda one: losses(one[None])[0], row)


def drawn(seed=1):
    return torch.Generator().manual_seed(seed)


def test_a_product_is_with_each_rows_own_hessian(rows):
    directions = torch.randn(3, SIZE, generator=drawn(), dtype=torch.float64)
    for got, row, along in zip(
        hessian_product(losses, rows, directions), rows, directions, strict=True
    ):
        torch.testing.assert_close(got, exact(row) @ along)


def test_sharpness_is_the_largest_eigenvalue(rows):
    wanted = [torch.linalg.eigvalsh(exact(row))[-1] for row in rows]
    got = sharpness(losses, rows, num_steps=SIZE, generator=drawn())
    torch.testing.assert_close(got, torch.stack(wanted))


def test_fewer_steps_stay_below_and_rise(rows):
    few, more, all_of = (
        sharpness(losses, rows, num_steps=k, generator=drawn()) for k in (1, 3, SIZE)
    )
    assert (few < more).all() and (more <= all_of + 1e-9).all()


def test_it_is_the_largest_and_not_the_farthest_from_zero():
    curvatures = torch.tensor([3.0, -10.0, 1.0])

    def saddle(rows):
        return (curvatures * rows**2).sum(1) / 2

    got = sharpness(saddle, torch.ones(1, 3), generator=drawn())
    assert got.item() == pytest.approx(3, rel=1e-4)


def test_a_diverged_network_spoils_no_other(rows):
    alone = sharpness(losses, rows, generator=drawn())
    broken = rows.clone()
    broken[1] = float("nan")
    got = sharpness(losses, broken, generator=drawn())
    assert got[1].isnan()
    torch.testing.assert_close(got[[0, 2]], alone[[0, 2]])


def test_slopes_are_of_the_line(rows):
    after = rows + 0.1
    places = [0, 0.5, 1]
    heights, slopes = slopes_along(losses, rows, after, places)
    assert heights.shape == slopes.shape == (3, 3)
    for s, height, slope in zip(places, heights, slopes, strict=True):
        here = rows + s * (after - rows)
        torch.testing.assert_close(height, losses(here))
        nearby = [losses(here + h * (after - rows)) for h in (1e-5, -1e-5)]
        torch.testing.assert_close(
            slope, (nearby[0] - nearby[1]) / 2e-5, rtol=1e-6, atol=1e-8
        )


def test_no_step_is_refused(rows):
    with pytest.raises(ValueError, match="num_steps"):
        sharpness(losses, rows, num_steps=0, generator=drawn())
