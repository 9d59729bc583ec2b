"""The gradient is that of the mean loss, and taking it changes nothing."""

import copy
import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lazyrich_helpers.data.datasets import Split
from lazyrich_helpers.measures import gradients
from lazyrich_helpers.measures.gradients import batch_gradient, full_gradient
from lazyrich_helpers.models.network import Network
from tests import tiny


@pytest.fixture
def normalized():
    """Return a run with batch norm, which behaves otherwise in training."""
    torch.manual_seed(5)
    bottom = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU())
    network = Network([bottom, nn.Linear(8, 10)])
    return dataclasses.replace(tiny.begun(), network=network)


def plain(network, split):
    loss = F.cross_entropy(network(split.images), split.labels)
    return torch.cat(
        [g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()))]
    )


@pytest.mark.parametrize("chunk", [1000, 64, 7])  # 200 images: one chunk, or ragged
def test_the_full_gradient_is_that_of_the_mean_loss(monkeypatch, chunk):
    monkeypatch.setattr(gradients, "EVAL_BATCH", chunk)
    run = tiny.begun()
    expected = plain(run.network, run.data.train)
    torch.testing.assert_close(full_gradient(run), expected, rtol=1e-4, atol=1e-7)


def test_batch_norm_rests_in_the_full_gradient_and_works_in_a_batchs(normalized):
    run = normalized
    indices = torch.arange(50)
    train = run.data.train
    few = Split(train.images[indices], train.labels[indices])
    resting, working = copy.deepcopy(run.network).eval(), copy.deepcopy(run.network)
    torch.testing.assert_close(full_gradient(run), plain(resting, run.data.train))
    torch.testing.assert_close(batch_gradient(run, indices), plain(working, few))


@pytest.mark.parametrize("found", ["gradients", "none"])
def test_all_is_left_as_found(found, normalized):
    run = normalized
    top = run.network.layers[1].eval()  # a resting layer, as a schedule leaves it
    if found == "gradients":
        F.cross_entropy(run.network(run.data.train.images), run.data.train.labels)
        plain_grad = torch.ones_like(top.weight)
        top.weight.grad = plain_grad
    state = copy.deepcopy(run.network.state_dict())
    modes = [module.training for module in run.network.modules()]
    random = torch.get_rng_state()
    full_gradient(run)
    batch_gradient(run, torch.arange(20))
    for name, value in run.network.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert [module.training for module in run.network.modules()] == modes
    grads = [p.grad for p in run.network.parameters()]
    if found == "gradients":
        assert top.weight.grad is plain_grad and bool((plain_grad == 1).all())
    else:
        assert grads == [None] * len(grads)
    assert torch.equal(torch.get_rng_state(), random)
