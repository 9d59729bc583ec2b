"""The largest are those that a stable sort puts first, zeros left out."""

import pytest
import torch

from lazyrich_helpers.measures.selection import largest

SIZE = 20_000


def drawn(kind):
    stream = torch.Generator().manual_seed(3)
    normal = torch.randn(SIZE, generator=stream).abs()
    return {
        "normal": normal,
        "over many decades": normal.pow(20) * 1e-20,
        "subnormal": normal * 1e-42,
        "ties": (normal * 4).round(),
        "nearly all zero": normal * (normal > 3),
        "all equal": torch.full((SIZE,), 0.3),
        "all zero": torch.zeros(SIZE),
        "one bin": 1 + normal * 1e-4,
        "with infinities": torch.where(normal > 3, torch.inf, normal),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        *("normal", "over many decades", "subnormal", "ties", "nearly all zero"),
        *("all equal", "all zero", "one bin", "with infinities"),
    ],
)
def test_the_largest_are_the_first_of_a_stable_sort(kind):
    values = drawn(kind)
    counts = [200, 2000, 6000, 0, 1, SIZE]
    order = values.sort(descending=True, stable=True).indices
    order = order[values[order] > 0]
    for count, mask in zip(counts, largest(values, counts), strict=True):
        assert mask.dtype == torch.bool and mask.shape == values.shape
        assert set(mask.nonzero().flatten().tolist()) == set(order[:count].tolist())


def test_a_gradient_that_is_no_number_stops_nothing():
    values = torch.tensor([1.0, torch.nan, 2.0]).abs()
    (mask,) = largest(values, [1])
    assert mask.tolist() == [False, True, False]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_selects_the_same():
    for kind in ("normal", "ties", "nearly all zero"):
        values = drawn(kind)
        pairs = zip(largest(values, [200]), largest(values.cuda(), [200]), strict=True)
        for here, there in pairs:
            assert torch.equal(here, there.cpu())
