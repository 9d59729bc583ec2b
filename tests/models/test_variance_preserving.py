"""Each start keeps the variance that it says, and comes from seed and images alone."""

import math

import pytest
import torch
from torch import nn

from lazyrich_helpers.models.convnets import VGG5, ConvNet
from lazyrich_helpers.models.initialization import InitPart, XavierNormal
from lazyrich_helpers.models.network import Network, ReluNet
from lazyrich_helpers.models.variance_preserving import (
    RELU_MEAN,
    HeNormal,
    LayerSequential,
    SamplePreserving,
    he_std,
    pre_activations,
)
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.training.loop import new_network, train
from lazyrich_helpers.training.run_config import RunConfig, label
from tests import tiny

SAMPLE, LAYER = (LayerSequential(statistics=name) for name in ("sample", "layer"))
STARTS = (HeNormal(), SAMPLE, LAYER, SamplePreserving())
IMAGES = torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(0))
"""All positive, as images are: their mean is far from 0."""


def started(init, *, width=100, depth=12, seed=0, inputs=IMAGES) -> Network:
    network = ReluNet(width=width, depth=depth).build((1, 8, 8), 10)
    init.initialize_(network, seed, inputs)
    return network


def layers(network, inputs=IMAGES):
    return [made for _, made in pre_activations(network, inputs)]


def test_he_is_two_over_fan_in_and_a_kernels_area_counts():
    assert he_std(torch.empty(7, 50)) ** 2 == pytest.approx(2 / 50)
    assert he_std(torch.empty(7, 5, 3, 3)) ** 2 == pytest.approx(2 / 45)
    network = started(HeNormal(), width=300, depth=2)
    for name, p in network.named_parameters():
        if name.endswith("bias"):
            assert not p.any()
        else:
            # A mean square of n draws deviates by sqrt(2 / n); four of these.
            wide = 4 * math.sqrt(2 / p.numel())
            assert p.var().item() == pytest.approx(2 / p.shape[1], rel=wide)


def test_he_is_xaviers_draw_at_another_scale():
    he, xavier = started(HeNormal()), started(XavierNormal())
    for one, two in zip(he.parameters(), xavier.parameters(), strict=True):
        if one.dim() == 2:
            ratio = one / two
            fans = sum(one.shape) / one.shape[1]
            torch.testing.assert_close(
                ratio, torch.full_like(ratio, math.sqrt(fans)), rtol=1e-4, atol=0
            )


def test_sample_statistics_are_0_and_1_in_every_unit_of_every_layer():
    for made in layers(started(SAMPLE)):
        std, mean = torch.std_mean(made, dim=1, correction=0)
        torch.testing.assert_close(mean, torch.zeros(100), atol=2e-5, rtol=0)
        torch.testing.assert_close(std, torch.ones(100), atol=2e-5, rtol=0)


def test_layer_statistics_are_0_and_1_over_all_units_and_not_in_each():
    for made in layers(started(LAYER)):
        std, mean = torch.std_mean(made, correction=0)
        assert abs(mean.item()) < 1e-5 and std.item() == pytest.approx(1, abs=1e-5)
    assert made.mean(1).abs().max() > 0.5 and made.std(1).min() < 0.7


def test_channels_are_the_units_of_a_convolution():
    network = ConvNet(width=6, depth=3).build((1, 8, 8), 10)
    SAMPLE.initialize_(network, 0, IMAGES)
    found = layers(network)
    places = [64, 16, 4]
    assert [made.shape for made in found] == [(6, 300 * n) for n in places]
    for made in found:
        torch.testing.assert_close(made.mean(1), torch.zeros(6), atol=2e-5, rtol=0)
        torch.testing.assert_close(made.var(1), torch.ones(6), atol=1e-3, rtol=0)


def test_the_closed_form_keeps_the_sample_variance_of_a_wide_network():
    network = started(SamplePreserving(), width=1500, depth=4)
    for made in layers(network):
        # 1,500 units: about 3 % from layer to layer, see the finite widths' study.
        assert made.var(1).mean().item() == pytest.approx(1, abs=0.1)
        assert made.mean(1).square().mean().item() < 0.05
    hidden = next(iter(list(network.layers)[1].children()))
    expected = 2 * math.pi / ((math.pi - 1) * 1500)
    assert hidden.weight.var().item() == pytest.approx(expected, rel=0.01)
    torch.testing.assert_close(hidden.bias, -RELU_MEAN * hidden.weight.sum(1))


def test_the_top_layer_starts_by_hes_rule_in_all():
    tops = [list(started(init).layers)[-1] for init in STARTS]
    for top in tops[1:]:
        assert torch.equal(top.weight, tops[0].weight) and not top.bias.any()


@pytest.mark.parametrize("init", STARTS, ids=lambda init: str(init.to_dict()))
def test_a_start_is_a_part_that_a_run_config_may_hold(init):
    assert isinstance(init, InitPart)
    config = tiny.config(init=init)
    assert RunConfig.from_dict(config.to_dict()) == config
    assert f"from {init.kind}" in label(config)
    data = tiny.CONFIG.data.load()
    network = new_network(config, data)
    assert torch.equal(
        flat_parameters(network), flat_parameters(new_network(config, data))
    )
    *_, last = train(network, data, config)
    assert math.isfinite(last.train_loss)


def test_labels_tell_the_two_statistics_apart():
    texts = {label(tiny.config(init=init)) for init in STARTS}
    assert len(texts) == len(STARTS)


def test_it_is_the_first_batch_that_a_run_normalizes():
    config = tiny.config(init=SAMPLE)
    data = tiny.CONFIG.data.load()
    first = data.train.images[: config.training.batch_size]
    for made in layers(new_network(config, data), first):
        assert made.mean(1).abs().max() < 1e-4


def test_a_seed_draws_and_the_global_state_does_not():
    torch.manual_seed(1)
    one = flat_parameters(started(SAMPLE, seed=4))
    torch.manual_seed(2)
    assert torch.equal(one, flat_parameters(started(SAMPLE, seed=4)))
    assert not torch.equal(one, flat_parameters(started(SAMPLE, seed=5)))
    assert not torch.equal(
        one, flat_parameters(started(SAMPLE, seed=4, inputs=IMAGES.flip(3)))
    )


@pytest.mark.parametrize("init", [SAMPLE, LAYER, SamplePreserving()])
def test_batch_norm_is_refused(init):
    with pytest.raises(ValueError, match="without batch norm"):
        init.require_ready(VGG5(width=2, batch_norm=True).build((1, 8, 8), 10))
    init.require_ready(ReluNet(width=2, depth=2).build((1, 8, 8), 10))


def test_what_does_not_vary_is_a_sentence():
    with pytest.raises(ValueError, match=r"every unit varies.*got '1 samples'"):
        started(SAMPLE, inputs=IMAGES[:1])
    with pytest.raises(ValueError, match="statistics must be one of sample, layer"):
        LayerSequential(statistics="unit")


def test_pre_activations_are_what_the_next_layer_reads_rectified():
    network = started(HeNormal(), depth=3)
    first, *_, last = layers(network)
    linear = network.layers[0][1]
    assert isinstance(linear, nn.Linear)
    torch.testing.assert_close(first, linear(IMAGES.flatten(1)).T)
    torch.testing.assert_close(
        network.layers[-1](last.T.relu()), network(IMAGES), atol=1e-5, rtol=1e-4
    )
    assert not any(module._forward_hooks for module in network.modules())
