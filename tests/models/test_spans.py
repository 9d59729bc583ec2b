"""Spans are where the flat vector has each tensor."""

import torch

from lazyrich_helpers.models.convnets import VGG5
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.models.spans import architecture, spans
from lazyrich_helpers.models.vectors import flat_parameters


def test_spans_cut_the_flat_vector_into_its_tensors():
    network = ReluNet(width=5, depth=2).build((1, 4, 4), 10)
    torch.nn.init.normal_(network.layers[0][1].weight)
    flat = flat_parameters(network)
    found = spans(network)
    for span, p in zip(found, network.parameters(), strict=True):
        torch.testing.assert_close(flat[span.place].view(span.shape), p, equal_nan=True)
    assert [span.layer for span in found] == [0, 0, 1, 1, 2, 2]
    assert [span.is_weight for span in found] == [True, False] * 3
    assert sum(span.size for span in found) == len(flat)
    flat += 1  # a copy
    assert not torch.equal(flat, flat_parameters(network))


def test_architecture_says_what_each_layer_is_and_gives():
    network = VGG5(width=2, batch_norm=True).build((1, 28, 28), 10)
    rows = architecture(network, (1, 28, 28))
    assert len(rows) == 12
    assert rows[1] == {
        "layer": "3×3 conv, 2, batch norm, 2×2 max-pool, ReLU",
        "output": "2×14×14",
        "parameters": 2 * (2 * 9 + 1) + 4,
    }
    assert rows[-1] == {
        "layer": "fully connected, 10",
        "output": "10",
        "parameters": 10 * (16 + 1),
    }
    total = sum(int(row["parameters"]) for row in rows)
    assert total == sum(p.numel() for p in network.parameters())
