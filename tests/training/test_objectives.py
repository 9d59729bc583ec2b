"""An objective is its equation."""

import copy
import math

import pytest
import torch
from torch import nn

from lazyrich_helpers.models.network import relu_net
from lazyrich_helpers.models.vectors import bind_, flat_parameters
from lazyrich_helpers.training.objectives import CrossEntropy, Objective, Scaled

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


@pytest.mark.parametrize("loss_kind", ["cross_entropy", "square"])
@pytest.mark.parametrize("centred", [False, True])
def test_a_scaled_loss_is_that_of_the_scaled_model(loss_kind, centred):
    """F_α = R(α h) / α², R by hand."""
    torch.manual_seed(0)
    network, inputs = relu_net(8, 1, 5, 4).double(), torch.randn(6, 5).double()
    start = torch.randn_like(flat_parameters(network))
    labels = torch.tensor([0, 1, 2, 3, 0, 0])
    logits = network(inputs).detach()
    if centred:
        first = copy.deepcopy(network)
        bind_(first, start)
        logits = logits - first(inputs).detach()
    one_hot = torch.eye(4).double()[labels]
    values = {
        "cross_entropy": -(one_hot * (3 * logits).log_softmax(1)).sum(1),
        "square": (3 * logits - one_hot).square().sum(1) / 2,
    }
    part = Scaled(output_scale=3.0, centred=centred, loss_kind=loss_kind)
    found = part.loss(network, inputs, labels, start)
    torch.testing.assert_close(found, values[loss_kind].mean() / 9)
    assert isinstance(part, Objective)


def test_a_centred_model_is_trained_by_its_moving_half_alone():
    """The gradient at θ⁰ is that of h times R' at 0, whatever h(θ⁰) is."""
    torch.manual_seed(0)
    network, inputs = relu_net(8, 1, 5, 4).double(), torch.randn(6, 5).double()
    part = Scaled(output_scale=10.0, loss_kind="square")
    labels = torch.tensor([0, 1, 2, 3, 0, 0])
    start = flat_parameters(network)
    loss = part.loss(network, inputs, labels, start)
    found = torch.autograd.grad(loss, [*network.parameters()])
    one_hot = torch.eye(4).double()[labels]
    pulled = -(network(inputs) * one_hot).sum(1).mean() / 10
    expected = torch.autograd.grad(pulled, [*network.parameters()])
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize(
    "bad", [{"output_scale": 0.0}, {"output_scale": 1.0, "loss_kind": "cubic"}]
)
def test_a_wrong_scale_or_loss_is_a_sentence(bad):
    with pytest.raises(ValueError, match="must be"):
        Scaled(**bad)
