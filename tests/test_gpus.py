"""The roofline is above both bounds, and what it stands on is a data sheet's."""

import dataclasses

import pytest

from lazyrich_helpers.costs import Cost
from lazyrich_helpers.gpus import GPUS, LAUNCH, gpu_named

WORK = Cost(linear=3e13, conv=5e13, weights=2e11, activations=1e11, kernels=1000)


@pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.name)
@pytest.mark.parametrize("precision", ["highest", "medium", "tf32", "bf16"])
def test_never_below_a_bound(gpu, precision):
    for cost in (WORK, dataclasses.replace(WORK, weights=2e14)):
        found = gpu.seconds(cost, precision)
        operations = gpu.operation_seconds(cost, precision)
        bounds = (operations, cost.bytes / gpu.bandwidth)
        assert found == pytest.approx(max(bounds) + LAUNCH * cost.kernels)
        assert gpu.seconds(cost, precision, efficiency=0.5) == pytest.approx(
            2 * max(bounds) + LAUNCH * cost.kernels
        )


def test_by_hand():
    a100 = gpu_named("A100")
    product = Cost(linear=312e12)
    assert a100.seconds(product, "bf16") == 1
    assert a100.seconds(product, "tf32") == 2
    assert a100.seconds(product, "highest") == 16
    assert a100.seconds(Cost(conv=312e12), "highest") == 16
    assert a100.seconds(Cost(kernels=1e6), "bf16") == pytest.approx(1e6 * LAUNCH)


def test_lower_precision_is_never_slower():
    for gpu in GPUS:
        assert gpu.single <= gpu.tf32 <= gpu.half
    t4 = gpu_named("T4")
    assert t4.single == t4.tf32 == t4.half, "it has no tensor cores for either"


def test_an_unknown_one_is_named():
    with pytest.raises(ValueError, match=r"gpu must be one of H200, .*got 'B3'"):
        gpu_named("B3")
