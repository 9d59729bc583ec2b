"""What a part of one's own may ask for, the loop gives it: inputs, θ⁰, rates, plans."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_pre_hook

from lazyrich_helpers.config import Part
from lazyrich_helpers.data.datasets import Dataset, Split
from lazyrich_helpers.lws.layerwise import LayerwiseSparse
from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.lws.schedules import Full, TopK
from lazyrich_helpers.models.vectors import bind_, flat_parameters
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.runner.backlog import grouped
from lazyrich_helpers.training.ensemble import train_ensemble
from lazyrich_helpers.training.loop import new_network, train
from lazyrich_helpers.training.optimizers import SGD, Adam
from tests import tiny
from tests.borrowed import Small

OPTIMIZERS = [SGD(lr=0.1, weight_decay=0.1), Adam(lr=0.03)]


@dataclass(frozen=True, kw_only=True)
class Centred(Part, slot="objective", kind="test_centred"):
    """Cross-entropy of how far the logits are from those at θ⁰, of the images."""

    of_logits: ClassVar[bool] = False

    def loss(self, network, inputs, labels, start):
        assert inputs.shape[1:] == (1, 8, 8)
        names, sizes = zip(
            *((n, p.shape) for n, p in network.named_parameters()), strict=True
        )
        parts = start.split([size.numel() for size in sizes])
        values = {n: v.view(s) for n, v, s in zip(names, parts, sizes, strict=True)}
        first = functional_call(network, values, inputs).detach()
        return F.cross_entropy(network(inputs) - first, labels)


@pytest.mark.parametrize("updates", [Full(), TopK(k=1)], ids=["full", "top"])
def test_an_objective_sees_the_images_and_where_the_network_started(updates):
    config = tiny.config(objective=Centred(), updates=updates, optimizer=SGD(lr=0.1))
    found = tiny.trained(config).final  # nothing is cached: it sees the images
    torch.testing.assert_close(found, flat_parameters(tiny.plain(config)))


def test_an_objective_that_sees_more_than_logits_is_trained_alone():
    configs = [dataclasses.replace(c, objective=Centred()) for c in tiny.SEEDS]
    assert [len(group) for group in grouped(configs, "cpu")] == [1, 1, 1]
    data = configs[0].data.load()
    networks = [new_network(config, data) for config in configs]
    with pytest.raises(ValueError, match="objective must be one of logits alone"):
        next(train_ensemble(networks, data, configs))


@dataclass(frozen=True, kw_only=True)
class FromData(Part, slot="init", kind="test_from_data"):
    """Every parameter starts at the mean pixel of the batch that it is shown."""

    def require_ready(self, network):
        pass

    def initialize_(self, network, seed, inputs):
        for p in network.parameters():
            nn.init.constant_(p, inputs.mean().item())


def test_a_start_sees_a_batch_of_training_images():
    config = tiny.config(init=FromData())
    data = config.data.load()
    expected = data.train.images[: config.training.batch_size].mean()
    assert (flat_parameters(new_network(config, data)) == expected).all()


@dataclass(frozen=True, kw_only=True)
class WarmUp(SGD, slot="optimizer", kind="test_warm_up"):
    """A rate that grows from step to step of each epoch."""

    def lr_at(self, epoch, step):
        return self.lr * (epoch + 1) * (step + 1)


@pytest.mark.parametrize("num", [1, 2], ids=["alone", "ensemble"])
def test_rates_may_change_from_step_to_step(num):
    optimizer, seen = WarmUp(lr=1e-4), []
    configs = [dataclasses.replace(c, optimizer=optimizer) for c in tiny.SEEDS[:num]]
    data = configs[0].data.load()
    networks = [new_network(config, data) for config in configs]

    def look(of, *_):
        seen.append({group["lr"] for group in of.param_groups})

    hook = register_optimizer_step_pre_hook(look)
    epochs = train_ensemble(networks, data, configs)
    for _ in train(networks[0], data, configs[0]) if num == 1 else epochs:
        pass
    hook.remove()
    steps = [(epoch, step) for epoch in range(3) for step in range(7)]
    assert seen == [{optimizer.lr_at(*each)} for each in steps]


def left_half(layer, number, parameter):
    """Mark the first half of a parameter's entries along its last dimension."""
    moves = torch.zeros_like(parameter, dtype=torch.bool)
    moves[..., : parameter.shape[-1] // 2] = True
    return moves


def noise(layer, number, parameter):
    stream = generator("test noise", layer, number)
    return 0.1 * torch.randn(parameter.shape, generator=stream)


@dataclass(frozen=True, kw_only=True)
class Planned(Part, slot="updates", kind="test_planned"):
    """The upper layers, masked or perturbed."""

    masked: bool = False
    perturbed: bool = False

    @property
    def per_step(self):
        return False

    def plan(self, epoch, step, num_layers, seed):
        return Plan(
            frozenset(range(1, num_layers)),
            mask=left_half if self.masked else None,
            perturbation=noise if self.perturbed else None,
        )


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "adam"])
def test_a_mask_freezes_half_of_the_weights_bit_for_bit(optimizer):
    config = tiny.config(updates=Planned(masked=True), optimizer=optimizer)
    before, after = tiny.begun(config).network, tiny.trained(config).network
    for layer in range(3):
        pairs = zip(
            before.layers[layer].parameters(),
            after.layers[layer].parameters(),
            strict=True,
        )
        for old, new in pairs:
            moved = old != new
            may_move = left_half(layer, 0, old) & (layer > 0)
            assert not (moved & ~may_move).any()
            # Of those that may, only dead units' weights stay.
            assert 2 * moved.sum() >= may_move.sum()


def test_a_gradient_is_taken_where_the_perturbation_says():
    config = tiny.config(updates=Planned(perturbed=True), optimizer=SGD(lr=0.1))
    data = config.data.load()
    plain, shifted = new_network(config, data), new_network(config, data)
    parameters = [p for layer in plain.layers[1:] for p in layer.parameters()]
    optimizer = config.optimizer.build(parameters)
    for epoch in range(3):
        order = torch.randperm(200, generator=generator("order", 0, epoch))
        for batch in order.split(32):
            bind_(shifted, flat_parameters(plain))
            for layer in (1, 2):
                for number, p in enumerate(shifted.layers[layer].parameters()):
                    p.data += noise(layer, number, p)
            inputs, labels = data.train.images[batch], data.train.labels[batch]
            shifted.zero_grad()
            F.cross_entropy(shifted(inputs), labels).backward()
            for p, q in zip(plain.parameters(), shifted.parameters(), strict=True):
                p.grad = q.grad
            optimizer.step()
    found = tiny.trained(config, cache_bytes=0).final
    torch.testing.assert_close(found, flat_parameters(plain))


@pytest.mark.parametrize("field", ["masked", "perturbed"])
def test_layerwise_sparse_refuses_what_it_does_not_do(field):
    model = Small()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with pytest.raises(ValueError, match="masks or perturbs parameters, which"):
        LayerwiseSparse(model.layers, optimizer, Planned(**{field: True}))


@dataclass(frozen=True, kw_only=True)
class Stripes(Part, slot="data", kind="test_stripes"):
    """A reader's own data: three classes of 1×5×5 images."""

    dataset: str = "stripes"
    train_size: int = 60
    image_shape: ClassVar[tuple[int, int, int]] = (1, 5, 5)
    num_classes: ClassVar[int] = 3

    def load(self, device="cpu"):
        labels = torch.arange(self.train_size, device=device) % 3
        images = 0.1 * torch.rand(
            (self.train_size, 1, 5, 5), generator=generator("stripes")
        )
        images[torch.arange(self.train_size), :, labels] += 1.0
        split = Split(images.to(device), labels)
        return Dataset(split, split, split, digest="stripes", num_classes=3)


def test_data_of_ones_own_with_three_classes_and_small_images():
    config = tiny.config(num_epochs=30, data=Stripes())
    data = config.data.load()
    network = new_network(config, data)
    assert network.layers[-1].out_features == 3
    assert config.blueprint().layers[-1].out_features == 3
    *_, last = train(network, data, config)
    assert last.num_correct == 60
