"""Running the layers in order is the network, and the network is its formula."""

import torch

from lazyrich_helpers.models.network import relu_net


def test_a_relu_net_is_its_formula():
    network = relu_net(width=5, depth=3, num_inputs=12, num_classes=4)
    images = torch.randn(7, 3, 2, 2)
    hidden = images.reshape(7, 12)
    *weights, top = pairs(network)
    for weight, bias in weights:
        hidden = (hidden @ weight.T + bias).clamp(min=0)
    expected = hidden @ top[0].T + top[1]
    torch.testing.assert_close(network(images), expected)


def pairs(network):
    """Return (weight, bias) of each layer, bottom first."""
    flat = list(network.parameters())
    return list(zip(flat[::2], flat[1::2], strict=True))
