"""What a record says of its costs is what its network and its draws come to."""

import dataclasses
import json

import pytest

from lazyrich_helpers.lws.schedules import Full, RandomUniform, TopK, TopKAllBottoms
from lazyrich_helpers.measures import costs
from lazyrich_helpers.measures.costs import NAME, run_costs
from lazyrich_helpers.measures.flops import backward_share
from lazyrich_helpers.models.convnets import ConvNet
from lazyrich_helpers.models.flops import layer_flops
from lazyrich_helpers.models.resnet import ResNet18
from tests import tiny

LONG = tiny.training(num_epochs=20)


def test_layers_are_those_of_the_network():
    for model in (ConvNet(width=3, depth=2), ResNet18(width=2)):
        network = model.build((1, 8, 8), 10)
        layers = run_costs(tiny.config(model=model))["layers"]
        sizes = [sum(p.numel() for p in own.parameters()) for own in network.layers]
        assert [layer["num_parameters"] for layer in layers] == sizes
        flops = [layer["flops"] for layer in layers]
        assert flops == layer_flops(network, (1, 8, 8))
        assert list(map(len, flops)) == [len(layer["shapes"]) for layer in layers]
    assert layers[-1]["shapes"] == [[10, 16]]  # of eight times the width


@pytest.mark.parametrize(
    "updates",
    [Full(), TopK(k=1), TopKAllBottoms(k=1, rho=0.3), RandomUniform(draw="step")],
    ids=str,
)
def test_plans_are_those_that_the_seed_draws(updates):
    config = dataclasses.replace(LONG, updates=updates)
    found = run_costs(config)
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
    for name in ("backward", "forward"):
        each = found[f"{name}_by_epoch"]
        assert len(each) == 20
        assert found[name] == pytest.approx(sum(each) / 20)


def test_epochs_are_cheaper_forward_where_activations_are_cached():
    config = tiny.config(updates=tiny.Cuts(cuts=(2, 2, 0)))
    first, cached, full = run_costs(config)["forward_by_epoch"]
    flops = [sum(layer) for layer in costs.flops_of(config)]
    assert (first, full) == (1, 1) and cached == pytest.approx(flops[2] / sum(flops))


def test_every_run_records_them_whatever_its_recipe_measures(store):
    lost = dataclasses.replace(tiny.CONFIG.optimizer, lr=1e30)
    for config in (tiny.CONFIG, tiny.config(optimizer=lost)):
        (record,) = tiny.results(store, config, measures=()).records
        text = (store.folder / f"{config.run_id}.json").read_text()
        assert json.loads(text)["measures"] == {NAME: run_costs(config)}
        assert record.costs == run_costs(config)
    assert record.status == "diverged"


def test_plans_are_drawn_once(monkeypatch):
    drawn = []
    plans = costs.epoch_plans

    def counted(config, epoch, *sizes):
        drawn.append(epoch)
        return plans(config, epoch, *sizes)

    monkeypatch.setattr(costs, "epoch_plans", counted)
    run_costs(dataclasses.replace(LONG, updates=TopKAllBottoms(k=2, rho=0.7)))
    assert drawn == list(range(20))
