"""The loop is plain minibatch training; what a plan leaves out does not move."""

import copy
import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lazyrich_helpers.config import Part
from lazyrich_helpers.data.datasets import Dataset, Split
from lazyrich_helpers.lws.baselines import LayerFreezing
from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.lws.schedules import (
    RandomUniform,
    TopK,
    TopKAllBottoms,
    TopKBottomQ,
)
from lazyrich_helpers.models.convnets import ConvNet
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.loop import new_network, train
from lazyrich_helpers.training.optimizers import SGD, Adam
from tests import tiny

HEAVY = SGD(lr=0.1, momentum=0.9, weight_decay=0.1)


def run(config, network=None, **options):
    """Return the trained network and its epochs, without their seconds."""
    data = config.data.load()
    network = network or new_network(config, data)
    epochs = list(train(network, data, config, **options))
    return network, [(e.number, e.train_loss, e.num_correct) for e in epochs]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_full_training_is_a_plain_torch_loop_bit_for_bit(momentum):
    part = SGD(lr=0.1, momentum=momentum, lr_decay=0.5, decay_every=2)
    config = tiny.config(optimizer=part)
    data, seed = config.data.load(), config.training.seed
    plain = nn.Sequential(*copy.deepcopy(new_network(config, data)).layers)
    options = {"momentum": momentum, "nesterov": momentum > 0, "weight_decay": 5e-4}
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, fused=True, **options)
    decay = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    losses = []
    for epoch in range(3):
        order = torch.randperm(200, generator=generator("order", seed, epoch))
        examples = TensorDataset(data.train.images, data.train.labels)
        total = 0.0
        for inputs, labels in DataLoader(examples, 32, sampler=order.tolist()):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(plain(inputs), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        decay.step()
        losses.append(total / 200)
    network, epochs = run(config)
    for one, two in zip(network.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, two)
    assert [loss for _, loss, _ in epochs] == pytest.approx(losses, rel=1e-6)
    right = (plain(data.test.images).argmax(1) == data.test.labels).sum()
    assert epochs[-1][2] == right


def test_the_same_seed_trains_the_same_network_and_another_does_not(monkeypatch):
    one, first = run(tiny.CONFIG)
    torch.manual_seed(9)
    before = torch.get_rng_state()
    monkeypatch.setattr("lazyrich_helpers.training.loop.EVAL_BATCH", 33)
    two, second = run(tiny.CONFIG)
    assert torch.equal(before, torch.get_rng_state())
    assert first == second
    assert torch.equal(flat_parameters(one), flat_parameters(two))
    assert run(tiny.training(seed=1))[1] != first
    started = [
        flat_parameters(new_network(tiny.training(seed=seed), tiny.CONFIG.data.load()))
        for seed in (0, 1)
    ]
    assert not torch.equal(*started)


def test_every_epoch_is_a_permutation():
    seen = []

    class Spy(nn.Module):
        def forward(self, inputs):
            if self.training:
                seen.append(inputs[:, 0, 0, 0].int().tolist())
            return inputs.flatten(1)

    images = torch.arange(70.0)[:, None, None, None].expand(70, 1, 2, 2)
    split = Split(images, torch.zeros(70, dtype=torch.int64))
    data = Dataset(split, split, split, digest="", num_classes=10)
    network = Network([nn.Sequential(Spy(), nn.Linear(4, 10))])
    small = dataclasses.replace(HEAVY, lr=1e-9)
    for seed in (0, 1):
        config = tiny.training(seed=seed, num_epochs=2)
        for _ in train(network, data, dataclasses.replace(config, optimizer=small)):
            pass
    assert [len(batch) for batch in seen] == [32, 32, 6] * 4
    orders = [[*seen[k], *seen[k + 1], *seen[k + 2]] for k in (0, 3, 6, 9)]
    assert all(sorted(order) == list(range(70)) for order in orders)
    assert len(set(map(tuple, orders))) == 4  # by epoch and by seed


@pytest.mark.parametrize("optimizer", [HEAVY, Adam(lr=0.1)], ids=["sgd", "adam"])
@pytest.mark.parametrize("mask", ["100", "010", "001", "101", "011", "110", "111"])
def test_a_frozen_layer_does_not_move_and_has_no_gradient(optimizer, mask):
    config = tiny.config(optimizer=optimizer, updates=tiny.Mask(mask=mask))
    network = new_network(config, config.data.load())
    before = copy.deepcopy(network.layers)
    run(config, network)
    for rests, old, new in zip(mask, before, network.layers, strict=True):
        for p, q in zip(old.parameters(), new.parameters(), strict=True):
            assert torch.equal(p, q) == (rests == "0")
            assert (q.grad is None) == (rests == "0")


LWS = [
    TopK(k=1),
    TopKAllBottoms(k=1, rho=0.5),
    TopKBottomQ(k=1, q=1, rho=0.5),
    RandomUniform(),
    RandomUniform(draw="step"),
    LayerFreezing(total_epochs=9, freeze_start=0.0),
]


@pytest.mark.parametrize("updates", LWS, ids=lambda part: part.kind)
@pytest.mark.parametrize("optimizer", [HEAVY, Adam(lr=0.01)], ids=["sgd", "adam"])
@pytest.mark.parametrize("eval_every", [1, 3])
@pytest.mark.parametrize("num_views", [0, 2])
def test_activations_of_frozen_layers_can_be_cached(
    updates, optimizer, eval_every, num_views
):
    config = dataclasses.replace(
        tiny.training(num_epochs=9), updates=updates, optimizer=optimizer
    )
    data = config.data.load()
    views = [data.train, Split(data.train.images.flip(3), data.train.labels)]
    data = dataclasses.replace(data, views=tuple(views[:num_views]))
    vectors, losses = [], []
    for cache_bytes in (2**30, 0):
        network = new_network(config, data)
        options = {"eval_every": eval_every, "cache_bytes": cache_bytes}
        epochs = list(train(network, data, config, **options))
        vectors.append(flat_parameters(network))
        losses.append([(e.train_loss, e.num_correct or 0) for e in epochs])
    torch.testing.assert_close(vectors[0], vectors[1], rtol=1e-3, atol=1e-5)
    for one, two in zip(*losses, strict=True):
        assert one == pytest.approx(two, rel=1e-3)


@pytest.mark.parametrize("precision", ["highest", "bf16"])
def test_convolutions_can_be_cached_in_any_precision(precision):
    config = dataclasses.replace(
        tiny.training(num_epochs=6, precision=precision),
        model=ConvNet(width=4, depth=2),
        updates=TopKAllBottoms(k=1, rho=0.4),
    )
    data, vectors, accuracies = config.data.load(), [], []
    for cache_bytes in (2**30, 0):
        network = new_network(config, data)
        *_, last = train(network, data, config, eval_every=3, cache_bytes=cache_bytes)
        vectors.append(flat_parameters(network))
        accuracies.append((last.num_correct, last.train_loss))
    if precision == "highest":
        torch.testing.assert_close(*vectors, rtol=1e-4, atol=1e-6)
    assert accuracies[0] == pytest.approx(accuracies[1], rel=0.02)


def test_bf16_is_a_plain_loop_under_autocast():
    config = dataclasses.replace(tiny.training(precision="bf16"), optimizer=SGD(lr=0.1))
    data, seed = config.data.load(), config.training.seed
    plain = new_network(config, data)
    optimizer = config.optimizer.build(plain.parameters())
    for epoch in range(3):
        order = torch.randperm(200, generator=generator("order", seed, epoch))
        for batch in order.split(32):
            with torch.autocast("cpu", torch.bfloat16):
                logits = plain(data.train.images[batch])
            loss = nn.functional.cross_entropy(logits.float(), data.train.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network, _ = run(config)
    torch.testing.assert_close(flat_parameters(network), flat_parameters(plain))


def test_every_layer_accepts_gradients_after_an_error():
    config = dataclasses.replace(tiny.CONFIG, updates=TopK(k=1))
    data = config.data.load()
    network = new_network(config, data)
    short = dataclasses.replace(
        data, train=Split(data.train.images, data.train.labels + 99)
    )
    with pytest.raises(IndexError):
        list(train(network, short, config))
    assert all(p.requires_grad for p in network.parameters())


def test_a_step_plans_for_its_epoch_and_seed():
    asked = []

    @dataclass(frozen=True, kw_only=True)
    class Ask(Part, slot="updates", kind="test_ask"):
        per_step: ClassVar[bool] = True

        def plan(self, epoch, step, num_layers, seed):
            asked.append((epoch, step, num_layers, seed))
            return Plan(frozenset(range(num_layers)))

    config = dataclasses.replace(tiny.training(seed=7, num_epochs=2), updates=Ask())
    run(config)
    assert asked == [(epoch, step, 3, 7) for epoch in range(2) for step in range(7)]


@pytest.mark.parametrize("mask", ["101", "100", "001", "011", "110"])
@pytest.mark.parametrize(
    "cache_bytes", [2**30, 0]
)  # computed before the steps; in them
def test_a_frozen_layers_batch_norm_does_not_move(mask, cache_bytes):
    bottom = nn.Sequential(nn.Flatten(), nn.Linear(64, 8))
    middle = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))
    network = Network([bottom, middle, nn.Linear(8, 10)])
    before = copy.deepcopy(middle.state_dict())
    config = tiny.config(updates=tiny.Mask(mask=mask))
    run(config, network, cache_bytes=cache_bytes)
    after = middle.state_dict()
    for name, values in before.items():
        assert torch.equal(values, after[name]) == (mask[1] == "0")


@pytest.mark.parametrize("eval_every", [1, 2, 3, 5])
def test_evaluation_happens_when_asked_and_at_the_end(eval_every):
    _, epochs = run(tiny.training(num_epochs=5), eval_every=eval_every)
    evaluated = [number for number, _, correct in epochs if correct is not None]
    expected = {n for n in range(1, 6) if n % eval_every == 0} | {5}
    assert evaluated == sorted(expected)
    every = run(tiny.training(num_epochs=5))[1]
    assert [loss for _, loss, _ in every] == [loss for _, loss, _ in epochs]


def test_a_loss_that_is_not_finite_ends_training():
    _, epochs = run(tiny.config(optimizer=Adam(lr=1e30)))
    assert not math.isfinite(epochs[-1][1]) and len(epochs) < 3
    assert all(math.isfinite(loss) for _, loss, _ in epochs[:-1])
