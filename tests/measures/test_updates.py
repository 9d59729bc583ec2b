"""What a schedule drew is counted as the loop sees it."""

import dataclasses
import json

import pytest
import torch

from lazyrich_helpers.lws.schedules import (
    Full,
    RandomUniform,
    TopBottom,
    TopKAllBottoms,
)
from lazyrich_helpers.measures.updates import Updates
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.training.loop import epoch_plans, new_network, train
from tests import tiny


def counted(updates, **training):
    config = dataclasses.replace(tiny.training(**training), updates=updates)
    return Updates().result(tiny.ended(tiny.begun(config)))


def test_fixed_schedules_by_hand():
    full = counted(Full())  # 3 epochs of 7 steps, 3 layers
    assert full == {
        "num_steps": 21,
        "layers": [21, 21, 21],
        "lowest": [0, 0, 0],
        "num_full": 3,
    }
    ends = counted(TopBottom(k=1, q=1))
    assert ends["layers"] == [21, 0, 21] and ends["num_full"] == 0
    assert json.loads(json.dumps(ends)) == ends


@pytest.mark.parametrize("draw", ["epoch", "step"])
def test_counts_are_the_steps_that_moved_a_layer(draw):
    config = dataclasses.replace(
        tiny.training(num_epochs=6), updates=RandomUniform(draw=draw)
    )
    data = config.data.load()
    network = new_network(config, data)
    moved = torch.zeros(3, dtype=torch.int64)
    before = [flat_parameters(layer) for layer in network.layers]

    def look(*_):
        for index, layer in enumerate(network.layers):
            now = flat_parameters(layer)
            moved[index] += not torch.equal(now, before[index])
            before[index] = now

    network.layers[-1].register_forward_pre_hook(look)  # in every step
    list(train(network, data, config, eval_every=99))
    result = counted(RandomUniform(draw=draw), num_epochs=6)
    assert result["layers"] == moved.tolist() and result["layers"][2] == 42
    plans = [epoch_plans(config, epoch, 200, 3) for epoch in range(6)]
    assert result["lowest"] == [min(min(p.layers) for p in e) for e in plans]
    full = [all(len(p.layers) == 3 for p in e) for e in plans]
    assert result["num_full"] == sum(full)


def test_full_epochs_are_those_drawn():
    result = counted(TopKAllBottoms(k=1, rho=0.3), num_epochs=50)
    assert result["num_full"] == sum(low == 0 for low in result["lowest"])
    assert 5 < result["num_full"] < 25  # of 50, 15 expected: within three deviations
    assert result["layers"] == [7 * result["num_full"]] * 2 + [350]
