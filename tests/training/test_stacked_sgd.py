"""Networks trained as one are those that are trained one by one."""

import pytest
import torch
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.training.stacked_sgd import (
    StackedSGD,
    he_rows,
    stacked_accuracy,
)

SEEDS = [0, 1, 0]
LRS = torch.tensor([0.05, 0.2, 0.1])
MOMENTA = torch.tensor([0.0, 0.5, 0.9])


@pytest.fixture(scope="module")
def data():
    return images("digits", train_size=100).load()


@pytest.fixture
def run(data):
    network = ReluNet(width=8, depth=2).build(data.image_shape, 10)
    return StackedSGD(network, data.train, he_rows(network, SEEDS), SEEDS, MOMENTA)


def one_by_one(run, data, row, batch_size, num_epochs):
    """Return what torch's own SGD makes of one row."""
    network = ReluNet(width=8, depth=2).build(data.image_shape, 10)
    vector_to_parameters(run.parameters[row].clone(), network.parameters())
    own = {"lr": LRS[row].item(), "momentum": MOMENTA[row].item()}
    optimizer = torch.optim.SGD(network.parameters(), **own)
    for epoch in range(num_epochs):
        whole = [None] if batch_size >= len(data.train) else None
        order = run.orders(epoch)[row]
        for batch in whole or order.split(batch_size):
            optimizer.zero_grad()
            chosen = slice(None) if batch is None else batch
            logits = network(data.train.images[chosen])
            F.cross_entropy(logits, data.train.labels[chosen]).backward()
            optimizer.step()
    return parameters_to_vector(network.parameters()).detach()


@pytest.mark.parametrize("batch_size", [30, 100])
def test_each_row_is_what_torchs_sgd_makes_of_it(run, data, batch_size):
    wanted = [one_by_one(run, data, row, batch_size, 2) for row in range(3)]
    for epoch in range(2):
        losses = run.epoch(LRS, batch_size, epoch)
    torch.testing.assert_close(
        run.parameters, torch.stack(wanted), rtol=1e-3, atol=1e-5
    )
    torch.testing.assert_close(losses, run.losses(run.parameters))


def test_a_diverged_network_disturbs_no_other(run, data):
    wanted = one_by_one(run, data, 0, 30, 1)
    run.epoch(torch.tensor([0.05, 1e30, 0.1]), 30, 0)
    assert not run.parameters[1].isfinite().all()
    torch.testing.assert_close(run.parameters[0], wanted, rtol=1e-3, atol=1e-5)


def test_rows_of_a_seed_see_the_same_batches_and_all_images(run):
    orders = run.orders(0)
    assert torch.equal(orders[0], orders[2]) and not torch.equal(orders[0], orders[1])
    assert not torch.equal(orders, run.orders(1))
    assert (orders.sort(1).values == torch.arange(100)).all()


def test_accuracy_counts_what_each_network_gets_right(run, data):
    rows = stacked_accuracy(run.network, run.parameters, data.test)
    network = run.network
    for share, row in zip(rows, run.parameters, strict=True):
        vector_to_parameters(row.clone(), network.parameters())
        right = network(data.test.images).argmax(1) == data.test.labels
        assert share.item() == pytest.approx(right.float().mean().item())


def test_he_rows_keep_the_variance_of_rectified_inputs():
    network = ReluNet(width=400, depth=1).build((1, 20, 20), 10)
    (row,) = he_rows(network, [3])
    weights, biases = row[: 400 * 400], row[400 * 400 : 400 * 401]
    # 160,000 entries: the variance is known to 0.4 % (one sigma)
    assert weights.var().item() == pytest.approx(2 / 400, rel=0.02)
    assert (biases == 0).all()
    assert torch.equal(row, he_rows(network, [1, 3])[1])
