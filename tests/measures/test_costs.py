"""Operations are those that torch counts; records have those of the seed's draws."""

import dataclasses
import json

import pytest
from torch.utils.flop_counter import FlopCounterMode

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.lws.schedules import (
    BottomQ,
    Full,
    RandomUniform,
    TopK,
    TopKAllBottoms,
)
from lazyrich_helpers.measures import costs
from lazyrich_helpers.measures.activity import Activity
from lazyrich_helpers.measures.costs import (
    backward_share,
    multiply_adds,
    operations,
    run_costs,
    work,
)
from lazyrich_helpers.measures.criticality import Criticality
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.models.convnets import ConvNet, VGG5Blocks
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.runner import backlog
from lazyrich_helpers.training.loop import new_network, train
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
    RandomUniform(draw="step"),
    tiny.Cyclic(),
]


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("updates", SCHEDULES, ids=str)
def test_a_training_has_the_operations_that_torch_counts(model, updates):
    config = tiny.config(model=model, updates=updates, num_epochs=9, batch_size=40)
    data = config.data.load()
    network = new_network(config, data)
    with FlopCounterMode(display=False) as counter:
        for _ in train(network, data, config, eval_every=9):
            pass
    # `operations` has one evaluation more: that of the initial network.
    evaluation = len(data.test) * 2 * multiply_adds(config)
    expected = counter.get_total_flops() + evaluation
    assert operations(config, eval_every=9) == pytest.approx(expected)


def test_cached_activations_are_computed_once():
    flops = [sum(layer) for layer in costs.flops_of(tiny.CONFIG)]
    every, upper, top = (sum(flops[k:]) / sum(flops) for k in range(3))
    for cuts, expected in [
        ((0, 0, 0), [every, every, every]),
        ((2, 2, 2), [every, top, top]),
        ((1, 2, 2), [every, upper, top]),  # the second epoch goes on from layer 1
        ((2, 0, 2), [every, every, every]),
    ]:
        found = run_costs(tiny.config(updates=tiny.Cuts(cuts=cuts)))
        assert found["forward_by_epoch"] == pytest.approx(expected)
        assert found["forward"] == pytest.approx(sum(expected) / 3)


def test_nothing_is_kept_of_new_images_and_each_view_has_its_own():
    config = make_recipe("figure-7-vgg11", "paper", widths=[2], num_epochs=8).configs[1]
    assert config.updates == TopK(k=1)
    flops = [sum(layer) for layer in costs.flops_of(config)]
    top = flops[-1] / sum(flops)
    for num_views, expected in ((0, 1.0), (2, (2 + 6 * top) / 8), (8, 1.0)):
        data = tiny.cropped(config.data, num_views=num_views)
        viewed = dataclasses.replace(config, data=data)
        assert costs.num_views(viewed) == num_views
        assert costs.forward_cost(viewed) == pytest.approx(expected)


def test_measures_count_as_the_passes_that_they_declare():
    kinds = ((), (Accuracy,), (Criticality,), (Activity,))
    plain, looked, reset, watched = (operations(tiny.CONFIG, kind) for kind in kinds)
    testing = 500 * 2 * multiply_adds(tiny.CONFIG)
    assert looked - plain == Accuracy.test_passes * testing
    passes = Criticality.test_passes + 3 * Criticality.layer_passes
    assert reset - plain == passes * testing
    training = plain - 4 * testing  # after each epoch, and before the first
    assert watched - plain == pytest.approx(training + Activity.test_passes * testing)


def test_work_grows_with_the_epochs():
    assert work(tiny.config(num_epochs=6)) == 2 * work(tiny.config(num_epochs=3))


@pytest.mark.parametrize(
    "updates",
    [Full(), TopK(k=1), TopKAllBottoms(k=1, rho=0.3), RandomUniform(draw="step")],
    ids=str,
)
def test_plans_are_those_that_the_seed_draws_once(updates, monkeypatch):
    config = tiny.config(num_epochs=20, updates=updates)
    asked, plans = [], costs.epoch_plans

    def counted(config, epoch, *sizes):
        asked.append(epoch)
        return plans(config, epoch, *sizes)

    monkeypatch.setattr(costs, "epoch_plans", counted)
    found = run_costs(config)
    assert asked == list(range(20))
    steps = range(7 if updates.per_step else 1)  # of 200 images, 32 a step
    drawn = [
        [updates.plan(epoch, step, 3, 0).layers for step in steps]
        for epoch in range(20)
    ]
    counts = {frozenset(plan["layers"]): plan["num"] for plan in found["plans"]}
    every = [layers for epoch in drawn for layers in epoch]
    assert counts == {layers: every.count(layers) for layers in every}
    flops = [layer["flops"] for layer in found["layers"]]
    by_epoch = [
        sum(backward_share(flops, layers) for layers in epoch) / len(epoch)
        for epoch in drawn
    ]
    assert found["backward_by_epoch"] == pytest.approx(by_epoch)
    assert found["backward"] == pytest.approx(sum(by_epoch) / 20)
    assert len(found["forward_by_epoch"]) == 20


def test_every_run_records_them_whatever_its_recipe_measures(store):
    lost = dataclasses.replace(tiny.CONFIG.optimizer, lr=1e30)
    for config in (tiny.CONFIG, tiny.config(optimizer=lost)):
        (record,) = tiny.results(store, config, measures=()).records
        text = (store.folder / f"{config.run_id}.json").read_text()
        assert json.loads(text)["measures"] == {costs.NAME: run_costs(config)}
        assert record.costs == run_costs(config)
    assert record.status == "diverged"


def test_small_runs_that_differ_by_seed_are_grouped(monkeypatch):
    monkeypatch.setattr(backlog, "MOST_TOGETHER", 2)
    wide = [
        dataclasses.replace(c, model=ReluNet(width=2000, depth=2)) for c in tiny.SEEDS
    ]
    zero, one, two = tiny.SEEDS
    configs = [zero, wide[0], one, tiny.APART[0], wide[1], two]
    expected = [[zero, one], [two], [wide[0]], [wide[1]], [tiny.APART[0]]]
    assert backlog.grouped(configs, "cpu") == expected


def test_a_gpu_takes_larger_networks_together():
    def most(width, device, **parts):
        config = tiny.config(model=ReluNet(width=width, depth=2), **parts)
        return backlog._most_together(config, device)

    assert most(10, "cpu") == backlog.MOST_TOGETHER and most(2000, "cpu") == 1
    assert most(10, "cuda") == backlog.MOST_TOGETHER_ON_GPU
    assert 1 < most(2000, "cuda") < backlog.MOST_TOGETHER_ON_GPU
    assert most(20_000, "cuda") == 1
    assert most(10, "cuda", updates=tiny.Mask(mask="101")) == 1
    convolves = tiny.config(model=ConvNet(width=2, depth=1))
    assert backlog._most_together(convolves, "cuda") == 1
    new_each_time = tiny.cropped(images("cifar10", train_size=100), num_views=0)
    assert most(10, "cuda", data=new_each_time) == 1
