"""Operations as torch counts them over a whole training; bytes, kernels of a step."""

import dataclasses

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lazyrich_helpers import costs
from lazyrich_helpers.activity import Activity
from lazyrich_helpers.augmentation import CroppedImages
from lazyrich_helpers.convnets import ConvNet, VGG5Blocks
from lazyrich_helpers.costs import (
    Cost,
    epochs,
    num_states,
    pass_cost,
    run_cost,
    step_cost,
    train_cost,
    watch_cost,
)
from lazyrich_helpers.exhibits import make_recipe
from lazyrich_helpers.measures import Accuracy
from lazyrich_helpers.models import ReluNet
from lazyrich_helpers.optimizers import SGD
from lazyrich_helpers.schedules import (
    BottomQ,
    Full,
    RandomUniform,
    TopK,
    TopKAllBottoms,
)
from lazyrich_helpers.sleeping import SleepingBottom
from lazyrich_helpers.train import new_network, train
from tests import tiny

MODELS = {
    "relu_net": ReluNet(width=6, depth=3),
    "conv_net": ConvNet(width=3, depth=3),
    "vgg5_blocks": VGG5Blocks(width=2),
}
SCHEDULES = [
    Full(),
    TopK(k=2),
    BottomQ(q=1),
    TopKAllBottoms(k=1, rho=0.4),
    RandomUniform(),
    RandomUniform(draw="step"),
    tiny.Cyclic(),
]


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("updates", SCHEDULES, ids=str)
def test_a_training_costs_what_torch_counts(model, updates):
    config = tiny.config(model=model, updates=updates)
    config = dataclasses.replace(config, training=tiny.training(num_epochs=9).training)
    data = config.data.load()
    network = new_network(config, data)
    with FlopCounterMode(display=False) as counter:
        for epoch in train(network, data, config, eval_every=9):
            assert (epoch.num_correct is None) == (epoch.number < 9)
    # The one evaluation computes every layer of every test image once.
    evaluation = pass_cost(config, len(data.test)).operations
    assert train_cost(config).operations + evaluation == counter.get_total_flops()


def test_what_is_too_large_to_keep_is_computed_at_every_step(monkeypatch):
    config = tiny.config(updates=TopK(k=1))
    kept = train_cost(config)
    monkeypatch.setattr(costs, "MOST_BYTES", 0)
    costs._train_cost.cache_clear()
    num, steps = config.training.num_epochs, 200 / config.training.batch_size
    assert (
        train_cost(config).operations == num * steps * step_cost(config, {2}).operations
    )
    assert train_cost(config).operations > kept.operations
    costs._train_cost.cache_clear()


def cropped(num_views):
    """Return VGG-11 with its top layer trained, on a few views of colour images."""
    config = make_recipe("figure-7-vgg11", "paper", widths=[2], num_epochs=6).configs[1]
    fields = dataclasses.asdict(config.data) | {"num_views": num_views}
    return dataclasses.replace(config, data=CroppedImages(**fields))


def test_images_that_change_are_never_kept_and_views_are_kept_each():
    assert isinstance(cropped(0).updates, TopK)
    for num_views, num_fills in ((0, 0), (2, 2), (6, 6)):
        found = list(epochs(cropped(num_views)))
        assert sum(len(epoch.fills) for epoch in found) == num_fills
        assert {epoch.start > 0 for epoch in found} == {num_views > 0}


@pytest.mark.parametrize("num_views", [1, 2, 3])
@pytest.mark.parametrize("most", [2**20, 3000, 1000])  # bytes for two images
def test_views_are_kept_and_forgotten_as_in_training(num_views, most, monkeypatch):
    config = dataclasses.replace(cropped(num_views), updates=RandomUniform())
    settings = dataclasses.replace(config.training, num_epochs=40, precision="highest")
    config = dataclasses.replace(config, training=settings)
    monkeypatch.setattr(costs, "MOST_BYTES", most / 2 * costs.num_train(config))
    layers = list(config.model.build((3, 32, 32), 10).layers)
    bottoms = [
        SleepingBottom(layers, torch.rand(2, 3, 32, 32), most_bytes=most)
        for _ in range(num_views)
    ]
    for number, epoch in enumerate(epochs(config)):
        (awake,) = epoch.shares
        bottom = bottoms[number % num_views]
        first = max(kept for kept in bottom.starts if kept <= min(awake))
        start, _ = bottom.inputs(min(awake))
        assert epoch.start == start
        assert epoch.fills == ([(first, start)] if first < start else [])
        for each in bottoms:
            each.moved(awake)


def test_costs_add_up():
    cost = Cost(linear=1, conv=2, weights=3, activations=4, kernels=5)
    assert cost.operations == 3 and cost.bytes == 7
    assert cost + cost == cost.times(2)
    assert cost.as_one(2) == dataclasses.replace(cost.times(2), kernels=5)
    config = tiny.CONFIG
    both = train_cost(config) + watch_cost(config, [Accuracy], eval_every=2)
    assert run_cost(config, [Accuracy], eval_every=2) == both


def test_a_run_is_proportional_to_its_epochs_and_to_its_passes():
    three, six = (train_cost(tiny.training(num_epochs=num)) for num in (3, 6))
    assert six == three.times(2)
    without, measured = (watch_cost(tiny.CONFIG, m) for m in ([], [Accuracy]))
    passes = pass_cost(tiny.CONFIG, 500)
    assert without == passes.times(3)
    assert measured == passes.times(3 + Accuracy.test_passes)
    watched = watch_cost(tiny.CONFIG, [Activity])
    assert watched.operations == pytest.approx(
        without.operations + train_cost(tiny.CONFIG).operations
    )


@pytest.mark.parametrize("model", [ReluNet, ConvNet])
def test_wider_costs_more_and_sparse_costs_less(model):
    def cost(width, updates):
        return train_cost(
            tiny.config(model=model(width=width, depth=2), updates=updates)
        )

    for updates in (Full(), TopKAllBottoms(k=1, rho=0.5)):
        assert cost(8, updates).operations < cost(16, updates).operations
        assert cost(8, updates).bytes < cost(16, updates).bytes
    full, sparse = cost(8, Full()), cost(8, TopKAllBottoms(k=1, rho=0.5))
    assert sparse.operations < full.operations and sparse.bytes < full.bytes


def test_bytes_of_weights_by_hand():
    config = tiny.config(model=ReluNet(width=5, depth=1))
    bottom, top = 64 * 5 + 5, 5 * 10 + 10
    adam = 2 + 2 + 2 * 2  # gradient and weight, twice each, and two moments, twice
    full = (bottom + top) + top + adam * (bottom + top)
    assert step_cost(config, {0, 1}).weights == 4 * full
    assert step_cost(config, {1}).weights == 4 * (bottom + top + adam * top)
    assert step_cost(config, {1}, start=1).weights == 4 * (top + adam * top)
    plain = dataclasses.replace(config, optimizer=SGD(lr=0.1, momentum=0.0))
    assert num_states(plain) == 0
    assert step_cost(plain, {1}).weights == 4 * (bottom + top + 4 * top)


def test_nothing_is_read_and_no_network_is_changed(monkeypatch):
    def read(*_):
        raise AssertionError("read")

    config = tiny.config(model=ReluNet(width=7, depth=2), updates=TopK(k=1))
    monkeypatch.setattr(type(config.data), "load", read)
    network = costs.blueprint(config)
    before = [
        (m.training, p.requires_grad) for m in network.modules() for p in m.parameters()
    ]
    assert run_cost(config, [Accuracy]).operations > 0
    assert before == [
        (m.training, p.requires_grad) for m in network.modules() for p in m.parameters()
    ]
    assert all(p.device == torch.device("meta") for p in network.parameters())
