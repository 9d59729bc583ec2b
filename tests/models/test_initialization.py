"""Initial weights have Xavier's variance, and come from the seed alone."""

import math

import pytest
import torch

from lazyrich_helpers.models.convnets import VGG5
from lazyrich_helpers.models.initialization import (
    InitPart,
    XavierNormal,
    convolutions,
    transfer_,
    xavier_std,
)
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.models.vectors import flat_parameters


def initialized(seed=0, width=400, depth=2, gain=1.0):
    network = ReluNet(width=width, depth=depth).build((1, 8, 8), 10)
    XavierNormal(gain=gain).draw_(network, seed)
    return network


@pytest.mark.parametrize("gain", [1.0, math.sqrt(0.5), 3.0])
def test_weights_have_xaviers_variance(gain):
    for name, p in initialized(gain=gain).named_parameters():
        if name.endswith("bias"):
            assert not p.any()
            continue
        fan_out, fan_in = p.shape
        variance = 2 * gain**2 / (fan_in + fan_out)
        # n normal draws: their mean square has a relative deviation of sqrt(2 / n),
        # their mean one of sigma / sqrt(n). Five of each: 1 in 10^6 by chance.
        n = p.numel()
        assert p.pow(2).mean().item() == pytest.approx(
            variance, rel=5 * math.sqrt(2 / n)
        )
        assert abs(p.mean().item()) < 5 * math.sqrt(variance / n)
        # Normal: 4.55 % lie beyond two deviations.
        beyond = (p.abs() > 2 * math.sqrt(variance)).double().mean().item()
        assert beyond == pytest.approx(0.0455, abs=5 * math.sqrt(0.0455 / n))


def test_the_printed_formula_is_gain_root_half():
    weight = torch.empty(30, 20)
    assert xavier_std(weight, gain=math.sqrt(0.5)) ** 2 == pytest.approx(1 / 50)
    assert xavier_std(weight) ** 2 == pytest.approx(2 / 50)


def test_a_kernels_area_multiplies_both_fans():
    assert xavier_std(torch.empty(16, 3, 5, 5)) ** 2 == pytest.approx(
        2 / (25 * 3 + 25 * 16)
    )


def test_gain_scales_the_same_draw():
    assert isinstance(XavierNormal(), InitPart)
    torch.testing.assert_close(
        flat_parameters(initialized(gain=3.0)), 3 * flat_parameters(initialized())
    )


def test_a_seed_draws_the_same_whatever_the_global_state():
    torch.manual_seed(1)
    first = flat_parameters(initialized(seed=4))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(first, flat_parameters(initialized(seed=4)))
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(first, flat_parameters(initialized(seed=5)))


def test_a_layers_draw_does_not_depend_on_the_layers_above():
    shallow, deep = initialized(depth=1), initialized(depth=4)
    assert torch.equal(next(shallow.parameters()), next(deep.parameters()))
    _, one, two, *_ = [p for p in deep.parameters() if p.dim() == 2]
    assert not torch.equal(one, two)


def test_a_transfer_fits_every_convolution():
    network = VGG5(width=2).build((1, 16, 16), 10)
    kernels = [p for layer in convolutions(network) for p in layer.parameters()]
    with pytest.raises(AssertionError, match="broadcast"):
        transfer_(network, 3, [torch.zeros(1) for _ in kernels])
    with pytest.raises(ValueError, match="zip"):
        transfer_(network, 3, kernels[:-2])
