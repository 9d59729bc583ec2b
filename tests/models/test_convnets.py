"""Networks have the parameters their sources count, and are their layers in order."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.models.convnets import (
    VGG5,
    VGG11,
    ConvNet,
    VGG5Blocks,
    rectified,
)
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.models.network import ModelPart, ReluNet
from lazyrich_helpers.models.resnet import ResNet18
from lazyrich_helpers.models.spans import spans
from lazyrich_helpers.models.vectors import bind_, flat_parameters
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.loop import new_network, train
from tests import tiny

SMALL = {
    "relu_net": ReluNet(width=5, depth=2),
    "conv_net": ConvNet(width=3, depth=2),
    "vgg5": VGG5(width=2),
    "vgg5 with batch norm": VGG5(width=2, batch_norm=True),
    "vgg5 as printed": VGG5(width=2, fig13=True),
    "vgg11": VGG11(width=2),
    "resnet18": ResNet18(width=2),
}


def built(part, shape=(1, 8, 8)):
    network = part.build(shape, 10)
    XavierNormal().draw_(network, seed=0)
    return network


@pytest.mark.parametrize(
    ("part", "shape", "count"),
    [
        (VGG5(batch_norm=True), (1, 28, 28), 3_646_154),  # the paper's Figure 1
        (VGG5(), (1, 28, 28), 3_641_290),
        (VGG5(fig13=True), (1, 28, 28), 1_380_298),
        (VGG5(fig13=True, batch_norm=True), (1, 28, 28), 1_385_162),
        (VGG11(), (3, 32, 32), 9_750_922),
        (ResNet18(), (3, 32, 32), 11_173_962),  # the paper's Figure 1
        # 28 → 14 → 7 pixels a side
        (ConvNet(width=5, depth=2), (1, 28, 28), 50 + 230 + 10 * (5 * 49 + 1)),
        (ConvNet(width=5, depth=4), (1, 28, 28), 50 + 3 * 230 + 10 * (5 + 1)),
    ],
)
def test_networks_have_as_many_parameters_as_their_source(part, shape, count):
    network = part.build(shape, 10)
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize("part", SMALL.values(), ids=SMALL)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 28, 28)])
def test_layers_in_order_are_the_network(part, shape):
    assert isinstance(part, ModelPart)
    network = built(part, shape).eval()
    hidden = images = torch.randn(4, *shape)
    for layer in network.layers:
        hidden = layer(hidden)
    assert hidden.shape == (4, 10) and torch.equal(hidden, network(images))
    by_layer = [p for layer in network.layers for p in layer.parameters()]
    assert [id(p) for p in by_layer] == [id(p) for p in network.parameters()]
    assert {p.device.type for p in by_layer} == {"cpu"}


def test_layers_are_as_many_as_said():
    numbers = {"vgg5": 12, "vgg11": 11, "resnet18": 10, "conv_net": 3}
    for name, num in numbers.items():
        assert len(built(SMALL[name]).layers) == num


def test_a_conv_net_is_its_formula():
    network = built(SMALL["conv_net"])
    images = torch.randn(5, 1, 8, 8)
    first, bias, second, more, top, shift = network.parameters()
    nn.init.normal_(bias)
    hidden = F.max_pool2d(F.conv2d(images, first, bias, padding=1).clamp(min=0), 2)
    hidden = F.max_pool2d(F.conv2d(hidden, second, more, padding=1).clamp(min=0), 2)
    expected = hidden.flatten(1) @ top.T + shift
    torch.testing.assert_close(network(images), expected)


def test_pooling_before_the_relu_changes_no_bit():
    pool, relu = rectified(8)
    results = []
    for chain in (nn.Sequential(pool, relu), nn.Sequential(relu, pool)):
        maps = (torch.randn(64, 3, 8, 8, generator=generator("test")).round()).to(
            memory_format=torch.channels_last
        )
        maps.requires_grad_(True)  # rounded: with ties, at 0 and elsewhere
        out = chain(maps)
        out.backward(torch.rand(out.shape, generator=generator("test", 1)))
        results.append((out, maps.grad))
    (out, gradient), (expected, expected_gradient) = results
    assert torch.equal(out, expected) and torch.equal(gradient, expected_gradient)


@pytest.mark.parametrize("name", sorted(SMALL.keys() - {"relu_net"}))
def test_convolutions_compute_with_channels_last(name):
    network = built(SMALL[name])
    laid = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, __, out: laid.append(out))
    network(torch.randn(4, 1, 8, 8))
    last = torch.channels_last
    assert laid and all(out.is_contiguous(memory_format=last) for out in laid)


def test_figure_13_prints_one_by_one_kernels_after_a_blocks_first():
    kernels = [span.shape[2] for span in spans(built(SMALL["vgg5 as printed"]))[:20:2]]
    assert kernels == [3, 1, 3, 1, 3, 1, 1, 3, 1, 1]
    assert {span.shape[2] for span in spans(built(SMALL["vgg5"]))[:20:2]} == {3}


@pytest.mark.parametrize("part", SMALL.values(), ids=SMALL)
def test_batch_norm_starts_as_the_identity_and_biases_at_zero(part):
    network = built(part)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert bool((module.weight == 1).all()) and not module.bias.any()
            assert not module.running_mean.any() and not module.num_batches_tracked
            assert bool((module.running_var == 1).all())
        elif isinstance(module, nn.Conv2d | nn.Linear):
            assert module.bias is None or not module.bias.any()
    assert torch.equal(flat_parameters(network), flat_parameters(built(part)))


def test_blocks_are_the_same_network_in_five_layers():
    digits = images("digits", train_size=100, image_size=16)
    config = tiny.config(num_epochs=2, data=digits)
    data = digits.load()
    layers, blocks = (
        new_network(dataclasses.replace(config, model=model), data)
        for model in (VGG5(width=2), VGG5Blocks(width=2))
    )
    sizes = [sum(p.dim() > 1 for p in block.parameters()) for block in blocks.layers]
    assert sizes == [2, 2, 3, 3, 2]
    start = flat_parameters(layers)  # each layer has a stream of its own
    assert not torch.equal(start, flat_parameters(blocks))
    bind_(blocks, start.clone())
    for network in (layers, blocks):
        list(train(network, data, config))
    assert not torch.equal(start, flat_parameters(layers))
    assert torch.equal(flat_parameters(layers), flat_parameters(blocks))
