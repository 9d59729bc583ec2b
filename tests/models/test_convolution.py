"""A product of matrices is the convolution it stands for."""

import pytest
import torch
from torch import nn

from lazyrich_helpers.models import convolution
from lazyrich_helpers.models.convnets import VGG11
from lazyrich_helpers.models.convolution import Convolution
from lazyrich_helpers.random_streams import generator


def gradients(layer, images, upstream):
    images = images.clone().requires_grad_()
    layer.zero_grad()
    outputs = layer(images)
    (outputs * upstream).sum().backward()
    return outputs, images.grad, layer.weight.grad, layer.bias.grad


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 2), (3, 1)])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_product_equals_torchs_convolution(size, kernel, monkeypatch):
    monkeypatch.setattr(convolution, "MANY_WEIGHTS", 1)
    stream = generator("convolution", kernel)
    ours = Convolution(5, 7, kernel).double()
    torchs = nn.Conv2d(5, 7, kernel, padding=kernel // 2).double()
    torchs.load_state_dict(ours.state_dict())
    images = torch.randn(4, 5, *size, generator=stream, dtype=torch.float64)
    upstream = torch.randn(4, 7, *size, generator=stream, dtype=torch.float64)
    for memory in (torch.contiguous_format, torch.channels_last):
        given = images.to(memory_format=memory)
        pairs = zip(
            gradients(ours, given, upstream),
            gradients(torchs, given, upstream),
            strict=True,
        )
        for one, other in pairs:
            torch.testing.assert_close(one, other)


def test_product_is_taken_on_few_pixels_and_many_weights(monkeypatch):
    taken = []
    inner = Convolution._as_product

    def spy(self, images):
        taken.append(images.shape[2:])
        return inner(self, images)

    monkeypatch.setattr(Convolution, "_as_product", spy)
    network = VGG11(width=64).build((3, 32, 32), 10)
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, 3, 32, 32))
        assert taken == [(2, 2), (2, 2)]
        VGG11(width=16).build((3, 32, 32), 10)(torch.zeros(1, 3, 32, 32))
    assert len(taken) == 2
