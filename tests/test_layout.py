"""Spans are where the flat vector has each tensor."""

import torch

from lazyrich_helpers.initialization import flat_parameters
from lazyrich_helpers.layout import spans
from lazyrich_helpers.models import ReluNet


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
