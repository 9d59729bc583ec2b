"""Training seeds together is training each alone."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from lazyrich_helpers.data.datasets import Dataset, Split
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.training.ensemble import train_ensemble
from lazyrich_helpers.training.loop import new_network, train
from lazyrich_helpers.training.optimizers import SGD, Adam
from tests import tiny

OPTIMIZERS = {"adam": Adam(lr=0.03), "sgd": SGD(lr=0.1, decay_every=2)}
DATA = tiny.CONFIG.data.load()


def doubled(data: Dataset) -> Dataset:
    """Return the data in fp64."""
    splits = (data.train, data.held_out, data.test)
    return Dataset(
        *(Split(split.images.double(), split.labels) for split in splits),
        digest="doubled",
        num_classes=data.num_classes,
    )


def relu_networks(configs):
    return [new_network(config, DATA) for config in configs]


def conv_networks(configs):
    """Return small convolutional networks with residual and pooling parts."""
    return [conv_network(config.training.seed) for config in configs]


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, inputs):
        return inputs + torch.relu(self.inner(inputs))


def conv_network(seed, *extra):
    torch.manual_seed(seed)
    bottom = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), *extra)
    top = nn.Sequential(nn.Flatten(), nn.Linear(36, 10, bias=False))
    return Network([bottom, Residual(), top])


def both(make, configs, data=DATA, dtype=torch.float32, **options):
    """Train one by one and together; return networks and epochs of each way."""
    alone, group = ([net.to(dtype) for net in make(configs)] for _ in range(2))
    one_by_one = [
        list(train(network, data, config, **options))
        for network, config in zip(alone, configs, strict=True)
    ]
    rows = list(train_ensemble(group, data, configs, **options))
    together = [
        [epoch for epoch in column if epoch is not None]
        for column in zip(*rows, strict=True)
    ]
    return (alone, one_by_one), (group, together)


@pytest.mark.parametrize("make", [relu_networks, conv_networks])
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_it_is_training_one_by_one_in_fp64(make, optimizer):
    configs = [dataclasses.replace(c, optimizer=optimizer) for c in tiny.SEEDS]
    (alone, ones), (group, alls) = both(
        make, configs, doubled(DATA), torch.float64, eval_every=2
    )
    for one, two in zip(alone, group, strict=True):
        vectors = flat_parameters(one), flat_parameters(two)
        assert vectors[0].dtype == torch.float64
        torch.testing.assert_close(*vectors, rtol=0, atol=1e-9)
    for one, two in zip(ones, alls, strict=True):
        assert [e.number for e in two] == [1, 2, 3]
        assert [e.num_correct for e in two] == [e.num_correct for e in one]
        losses = [[e.train_loss for e in epochs] for epochs in (one, two)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert not torch.equal(*map(flat_parameters, group[:2]))


@pytest.mark.parametrize("precision", ["highest", "medium", "bf16"])
def test_it_is_training_one_by_one_for_a_few_steps(precision):
    # Further on, rounding grows; and Adam makes a step of any gradient that is not 0.
    seeds = (3, 5) if precision == "highest" else (3,)  # one is a group, too
    few = [tiny.training(seed=k, num_epochs=1, precision=precision) for k in seeds]
    configs = [dataclasses.replace(c, optimizer=SGD(lr=0.01)) for c in few]
    (alone, ones), (group, alls) = both(relu_networks, configs)
    tolerance = 0.01 if precision == "bf16" else 1e-4
    for one, two in zip(alone, group, strict=True):
        torch.testing.assert_close(
            flat_parameters(one), flat_parameters(two), rtol=0, atol=tolerance
        )
    for (one,), (two,) in zip(ones, alls, strict=True):
        assert one.train_loss == pytest.approx(two.train_loss, rel=tolerance)
        assert abs(one.num_correct - two.num_correct) <= 1000 * tolerance + 1


def test_a_seed_that_diverges_disturbs_no_other():
    def make(configs):
        networks = relu_networks(configs)
        with torch.no_grad():
            next(networks[1].parameters()).fill_(float("inf"))
        return networks

    (alone, ones), (group, alls) = both(make, tiny.SEEDS, doubled(DATA), torch.float64)
    assert [len(epochs) for epochs in alls] == [3, 1, 3]
    assert [len(epochs) for epochs in ones] == [3, 1, 3]
    assert not math.isfinite(alls[1][0].train_loss)
    for index in (0, 2):
        vectors = flat_parameters(alone[index]), flat_parameters(group[index])
        torch.testing.assert_close(*vectors, rtol=0, atol=1e-9)


def test_training_ends_where_all_have_diverged():
    configs = [dataclasses.replace(c, optimizer=Adam(lr=1e30)) for c in tiny.SEEDS]
    (_, ones), (_, alls) = both(relu_networks, configs)
    assert [len(epochs) for epochs in alls] == [len(epochs) for epochs in ones]
    assert max(map(len, alls)) < 3


def test_measures_see_the_networks_move_without_a_copy():
    networks = relu_networks(tiny.SEEDS)
    before = [flat_parameters(network) for network in networks]
    for _ in train_ensemble(networks, DATA, tiny.SEEDS):
        now = [flat_parameters(network) for network in networks]
        assert not any(map(torch.equal, before, now))
        assert all(p.requires_grad for net in networks for p in net.parameters())
        before = now
    assert len({p.untyped_storage().data_ptr() for p in networks[0].parameters()}) == 6
    for one, two in zip(
        networks[0].parameters(), networks[1].parameters(), strict=True
    ):
        assert one.untyped_storage().data_ptr() == two.untyped_storage().data_ptr()


def test_what_is_written_between_epochs_is_trained_on_and_rebinding_is_refused():
    networks = relu_networks(tiny.SEEDS)
    epochs = train_ensemble(networks, DATA, tiny.SEEDS)
    next(epochs)
    with torch.no_grad():
        next(networks[1].parameters()).fill_(float("nan"))
    (zero, one, _) = next(epochs)
    assert zero.seconds == one.seconds > 0  # shared out
    assert math.isfinite(zero.train_loss) and math.isnan(one.train_loss)
    p = next(networks[0].parameters())
    p.data = p.data.clone()
    with pytest.raises(RuntimeError, match=r"layers\.0\.1\.weight was rebound"):
        next(epochs)


@pytest.mark.parametrize(
    ("configs", "words"),
    [
        ((), "at least one"),
        ((tiny.CONFIG, tiny.training(num_epochs=9)), "equal but for the seed"),
        ((tiny.config(updates=tiny.Mask(mask="011")),), "of the kind full"),
    ],
)
def test_what_cannot_be_together_is_refused(configs, words):
    with pytest.raises(ValueError, match=words):
        next(train_ensemble(relu_networks(configs), DATA, configs))


def test_statistics_of_batches_and_images_that_change_are_refused():
    networks = [conv_network(seed, nn.BatchNorm2d(4)) for seed in range(2)]
    with pytest.raises(ValueError, match=r"buffers .* layers\.0\.3\.running_mean"):
        next(train_ensemble(networks, DATA, tiny.SEEDS[:2]))
    for changing in ({"shift": 1}, {"views": (DATA.train,)}):
        other = dataclasses.replace(DATA, **changing)
        with pytest.raises(ValueError, match="the same in every epoch"):
            next(train_ensemble(relu_networks(tiny.SEEDS), other, tiny.SEEDS))
