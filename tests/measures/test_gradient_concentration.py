"""Concentration by hand, and the elbow of curves that have one."""

import json

import pytest
import torch

from lazyrich_helpers.measures.gradient_concentration import (
    EPOCHS,
    GradientConcentration,
    by_layer,
    concentration,
    elbow,
    ranks,
)
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.training.loop import new_network, train
from tests import tiny


def test_the_elbow_is_where_two_straight_lines_meet():
    steep, flat = torch.linspace(1, 0.1, 31), torch.linspace(0.1, 0, 971)[1:]
    assert elbow(torch.cat([steep, flat])) == 31
    assert elbow(7e-5 * torch.cat([steep, flat])) == 31


def test_a_straight_line_and_nothing_at_all_have_some_elbow():
    assert 1 <= elbow(torch.linspace(1, 0, 100)) <= 100
    assert elbow(torch.zeros(5)) == 1
    assert concentration(torch.zeros(50))["l1"] == [0, 0, 0]


def test_concentration_by_hand():
    values = torch.zeros(1000)
    values[17], values[400:409], values[500:520] = 10, 2, 0.5
    found = concentration(values)
    assert found["num_zeros"] == 970
    assert found["l1"] == pytest.approx([10 / 38, 28 / 38, 1], rel=1e-4)
    assert found["l2"] == pytest.approx([100 / 141, 136 / 141, 1], rel=1e-4)
    by_rank = dict(zip(ranks(1000), found["values"], strict=True))
    assert [by_rank[r] for r in (1, 2, 10, 11, 30, 1000)] == [10, 2, 2, 0.5, 0.5, 0]
    assert found["elbow"] == 31  # 0.97 below the chord; 0.94 at rank 11


def test_concentration_by_layer_by_hand():
    network = ReluNet(width=1, depth=1).build((1, 1, 1), 2)  # 2 and 4 parameters
    first, second = by_layer(torch.tensor([3.0, 0, 1, 1, 4, 1]), network)
    assert (first["share"], second["share"]) == (0.3, 0.7)
    assert first["l1"] == [0, 0, 0]  # a tenth of two is none
    assert by_layer(torch.zeros(6), network)[0]["share"] == 0


@pytest.mark.parametrize("size", [1, 7, 250, 11_173_962])
def test_ranks_reach_from_the_largest_to_the_smallest(size):
    found = ranks(size)
    assert found[0] == 1 and found[-1] == size and len(found) <= 200
    assert found == sorted(set(found))


def test_it_looks_at_one_batch_before_and_after_training():
    run = tiny.begun()
    data, network = run.data, run.network
    measure, again = GradientConcentration(), GradientConcentration()
    measure.start(run)
    again.start(run)
    for epoch in train(network, data, tiny.CONFIG):
        measure.after_epoch(run, epoch)
    trained = tiny.ended(run)
    result = measure.result(trained)
    assert [look["epoch"] for look in result["looks"]] == [0, 1, 2]  # of 3 epochs
    assert again.result(trained)["looks"] == result["looks"][:1]
    plain = new_network(tiny.CONFIG, data)
    list(train(plain, data, tiny.CONFIG))
    assert torch.equal(flat_parameters(plain), trained.final)
    assert json.loads(json.dumps(result)) == result
    assert result["looks"][0] != result["looks"][1] and EPOCHS[0] == 0
    sizes = result["layer_sizes"]
    assert sum(sizes) == len(trained.final) and len(sizes) == len(network.layers)
    for look in result["looks"]:
        shares = [layer["share"] for layer in look["layers"]]
        assert len(shares) == len(sizes) and sum(shares) == pytest.approx(1, abs=1e-4)
    assert all(len(look["values"]) == len(result["ranks"]) for look in result["looks"])
