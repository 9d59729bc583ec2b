"""What sleeps does not move, and what it computes is computed once."""

import copy

import pytest
import torch
from torch import nn

from lazyrich_helpers.sleeping import CHUNK, SleepingBottom, wake


def made_layers():
    maps = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU())
    flat = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.Dropout(0.5))
    return nn.ModuleList([maps, flat, nn.Linear(8, 4), nn.Linear(4, 2)]).eval()


@pytest.fixture
def layers():
    return made_layers()


@pytest.fixture
def images():
    return torch.randn(CHUNK + 7, 1, 4, 4).to(memory_format=torch.channels_last)


def through(layers, images, cut):
    with torch.no_grad():
        for layer in layers[:cut]:
            images = layer(images)
    return images


def test_awake_layers_train_and_sleeping_ones_rest(layers):
    for p in layers.parameters():
        p.grad = torch.ones_like(p)
    wake(layers, {1, 3})
    for index, layer in enumerate(layers):
        awake = index in (1, 3)
        assert all(p.requires_grad == awake for p in layer.parameters())
        assert all((p.grad is not None) == awake for p in layer.parameters())
        assert all(module.training == awake for module in layer.modules())


@pytest.mark.parametrize("cut", range(5))
def test_inputs_are_what_the_layers_below_make_of_the_images(layers, images, cut):
    layers.train()
    start, inputs = SleepingBottom(layers, images).inputs(cut)
    assert start == cut and not inputs.requires_grad
    expected = through(layers, images, cut)  # the call put them into eval mode
    torch.testing.assert_close(inputs, expected)
    assert inputs.stride() == expected.stride()


def test_they_are_kept_until_a_layer_below_is_written_to(layers, images):
    bottom = SleepingBottom(layers, images)
    _, first = bottom.inputs(2)
    with torch.no_grad():
        layers[2].weight.add_(1)  # above
    assert bottom.inputs(2)[1] is first
    _, higher = bottom.inputs(3)  # from there on
    torch.testing.assert_close(higher, through(layers, images, 3))
    assert bottom.inputs(3)[1] is higher
    for write in (
        lambda: layers[1][1].weight.add_(1),
        lambda: torch.nn.init.zeros_(layers[2].bias),
        lambda: layers[0][1].running_mean.add_(1),
        lambda: setattr(layers[1][1].weight, "data", torch.ones(8, 48)),
    ):
        with torch.no_grad():
            write()
        torch.testing.assert_close(bottom.inputs(3)[1], through(layers, images, 3))
    bottom.inputs(3)
    layers[2].weight.data.add_(1)  # unnoticed, and therefore said
    bottom.moved({2, 3})
    torch.testing.assert_close(bottom.inputs(3)[1], through(layers, images, 3))
    assert bottom.inputs(0) == (0, images)
    torch.testing.assert_close(bottom.inputs(1)[1], through(layers, images, 1))


def test_a_lower_cut_starts_again_from_the_images(layers, images):
    bottom = SleepingBottom(layers, images)
    bottom.inputs(3)
    start, inputs = bottom.inputs(1)
    assert start == 1
    torch.testing.assert_close(inputs, through(layers, images, 1))


def test_what_is_too_large_is_computed_at_every_step(layers, images):
    size = 4 * 8 * len(images)  # what layer 1 gives, fp32
    bottom = SleepingBottom(layers, images, most_bytes=size)
    assert bottom.inputs(1) == (0, images)  # six times as large
    assert bottom.inputs(2)[0] == 2
    bottom = SleepingBottom(layers, images, most_bytes=size - 1)
    assert bottom.inputs(2) == (0, images)
    assert bottom.inputs(3)[0] == 3
    nothing = SleepingBottom(layers, images, most_bytes=0)
    assert nothing.inputs(4) == (0, images)


def test_precision_is_the_callers(layers, images):
    with torch.autocast("cpu", torch.bfloat16):
        _, inputs = SleepingBottom(layers, images).inputs(2)
    assert inputs.dtype == torch.bfloat16


def test_computing_leaves_parameters_and_statistics_alone(layers, images):
    before = copy.deepcopy(layers.state_dict())
    SleepingBottom(layers, images).inputs(4)
    after = layers.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
