"""A step without numbers keeps what a real one keeps."""

import dataclasses

import pytest

from lazyrich_helpers.measures.timing import step_bytes
from lazyrich_helpers.models.convnets import ConvNet, VGG5Blocks
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.runner.activation_memory import (
    input_bytes,
    kept_bytes,
    passing_bytes,
)
from tests import tiny


@pytest.mark.parametrize("model", [ReluNet(width=12, depth=2), VGG5Blocks(width=3)])
@pytest.mark.parametrize("awake", [{0, 1, 2}, {2}, {0}])
def test_what_is_kept_is_what_torch_keeps(model, awake):
    config = tiny.config(model=model)
    held = step_bytes(config, awake)
    # The loss keeps a number or two; a last map may lie twice, by its layout.
    expected = pytest.approx(held["activations"], rel=0.05)
    assert kept_bytes(config, frozenset(awake)) == expected


def test_nothing_is_kept_going_forward_and_two_results_pass():
    config = tiny.config(model=ReluNet(width=30, depth=2))
    assert kept_bytes(config, frozenset()) == 0
    assert passing_bytes(config) == 4 * (30 + 30)


def test_half_the_bytes_in_bf16_but_for_the_images():
    model = ConvNet(width=5, depth=2)  # maps of 8 × 8, 4 × 4 and 2 × 2
    assert input_bytes(tiny.config(model=model)) == [64 * 4, 80 * 4, 20 * 4]
    half = dataclasses.replace(tiny.training(precision="bf16"), model=model)
    assert input_bytes(half) == [64 * 4, 80 * 2, 20 * 2]
