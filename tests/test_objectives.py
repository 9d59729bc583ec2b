"""An objective is its equation."""

import math

import pytest
import torch
from torch import nn

from lazyrich_helpers.training.objectives import CrossEntropy, Objective

NOTHING = torch.empty(0)


def loss(logits, labels):
    """Return the cross-entropy of a network that maps its inputs to themselves."""
    return CrossEntropy().loss(nn.Identity(), logits, labels, NOTHING)


def test_cross_entropy_is_the_mean_negative_log_probability():
    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 0])
    expected = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        total = sum(math.exp(x) for x in row)
        expected -= math.log(math.exp(row[label]) / total) / 6
    assert loss(logits, labels).item() == pytest.approx(expected)
    assert isinstance(CrossEntropy(), Objective)


def test_cross_entropy_of_ignorance_is_log_10():
    zero = torch.zeros(3, 10)
    found = loss(zero, torch.tensor([1, 5, 9]))
    assert found.item() == pytest.approx(math.log(10))


def test_cross_entropy_of_several_batches_is_that_of_each():
    logits, labels = torch.randn(3, 6, 4), torch.randint(4, (3, 6))
    losses = loss(logits, labels)
    each = [loss(*pair) for pair in zip(logits, labels, strict=True)]
    torch.testing.assert_close(losses, torch.stack(each))
