"""What is frozen does not move, and what it computes is computed once."""

import copy
import itertools
import weakref

import pytest
import torch
from torch import nn

from lazyrich_helpers.lws.frozen_prefix import CHUNK, FrozenPrefixCache, set_trainable


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


def test_trainable_layers_train_and_frozen_ones_rest(layers):
    for p in layers.parameters():
        p.grad = torch.ones_like(p)
    set_trainable(layers, {1, 3})
    for index, layer in enumerate(layers):
        trainable = index in (1, 3)
        assert all(p.requires_grad == trainable for p in layer.parameters())
        assert all((p.grad is not None) == trainable for p in layer.parameters())
        assert all(module.training == trainable for module in layer.modules())


@pytest.mark.parametrize("cut", range(5))
def test_inputs_are_what_the_layers_below_make_of_the_images(layers, images, cut):
    layers.train()
    before = copy.deepcopy(layers.state_dict())
    start, inputs = FrozenPrefixCache(layers, images).inputs(cut)
    assert start == cut and not inputs.requires_grad
    expected = through(layers, images, cut)  # the call put them into eval mode
    torch.testing.assert_close(inputs, expected)
    assert inputs.stride() == expected.stride()
    after = layers.state_dict()  # statistics as well
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_they_are_kept_until_a_layer_below_is_written_to(layers, images):
    bottom = FrozenPrefixCache(layers, images)
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


def count_calls(layers):
    """Return how often each layer has been computed, kept up to date."""
    calls = [0] * len(layers)

    def count(index):
        calls[index] += 1

    for index, layer in enumerate(layers):
        layer.register_forward_hook(lambda *_, index=index: count(index))
    return calls


def test_a_lower_cut_goes_on_from_what_is_frozen_below(layers, images):
    bottom, calls = FrozenPrefixCache(layers, images[:CHUNK]), count_calls(layers)
    _, first = bottom.inputs(1)
    bottom.inputs(3)
    assert bottom.starts == [0, 1, 3] and calls == [1, 1, 1, 0]
    start, inputs = bottom.inputs(2)
    assert start == 2 and bottom.starts == [0, 1, 2] and calls == [1, 2, 1, 0]
    assert torch.equal(inputs, FrozenPrefixCache(layers, images[:CHUNK]).inputs(2)[1])
    bottom.moved({1, 3})
    assert bottom.starts == [0, 1] and bottom.inputs(1)[1] is first
    bottom.inputs(2)
    with torch.no_grad():
        layers[1][1].bias.add_(1)  # what rests on it is written anew, no other
    before = calls[0]
    torch.testing.assert_close(
        bottom.inputs(2)[1], through(layers, images[:CHUNK], 2), rtol=0, atol=0
    )
    assert bottom.inputs(1)[1] is first and calls[0] == before + 1  # by `through`
    bottom.moved({0, 3})
    assert bottom.starts == [0]


def bytes_alive(returned):
    """Return the bytes of the tensors that these weak references still lead to."""
    there = [kept for each in returned if (kept := each()) is not None]
    return sum({id(kept): kept.nbytes for kept in there}.values())


@pytest.mark.parametrize("most_bytes", [0, 100, 250, 500, 10_000])
def test_whatever_moves_it_is_right_and_within_its_bound(most_bytes):
    sizes = [4, 3, 9, 2, 5, 5, 7, 2]  # numbers of an image, of which there are five
    layers = [nn.Linear(*pair) for pair in itertools.pairwise(sizes)]
    images, stream = torch.rand(5, 4), torch.Generator().manual_seed(0)
    bottom, returned = FrozenPrefixCache(layers, images, most_bytes=most_bytes), []
    for _ in range(200):
        cut = int(torch.randint(8, (), generator=stream))
        start, inputs = bottom.inputs(cut)
        assert start == cut or 4 * 5 * sizes[cut] > most_bytes
        assert start <= cut and torch.equal(inputs, through(layers, images, start))
        if start > 0:
            returned.append(weakref.ref(inputs))
        del inputs
        assert bytes_alive(returned) <= most_bytes
        low = int(torch.randint(cut, 8, (), generator=stream))
        for layer in layers[low:]:
            layer.weight.data.mul_(1.01)  # unnoticed, and therefore said
        bottom.moved(range(low, 8))


def test_what_is_too_large_is_computed_at_every_step(layers, images):
    size = 4 * 8 * len(images)  # what layer 1 gives, fp32
    bottom = FrozenPrefixCache(layers, images, most_bytes=size)
    assert bottom.inputs(1) == (0, images)  # six times as large
    assert bottom.inputs(2)[0] == 2
    bottom = FrozenPrefixCache(layers, images, most_bytes=size - 1)
    assert bottom.inputs(2) == (0, images)
    assert bottom.inputs(3)[0] == 3
    nothing = FrozenPrefixCache(layers, images, most_bytes=0)
    assert nothing.inputs(4) == (0, images)
    for less, starts in ((0, [0, 2, 3, 4]), (1, [0, 3, 4])):  # the lowest makes room
        most_bytes = size + size // 2 + size // 4 - less
        bottom = FrozenPrefixCache(layers, images, most_bytes=most_bytes)
        assert [bottom.inputs(cut)[0] for cut in (2, 3, 4)] == [2, 3, 4]
        assert bottom.starts == starts


def test_precision_is_the_callers(layers, images):
    with torch.autocast("cpu", torch.bfloat16):
        _, inputs = FrozenPrefixCache(layers, images).inputs(2)
    assert inputs.dtype == torch.bfloat16
