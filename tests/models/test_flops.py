"""Operations counted by hand and by torch, and as the paper's times have them."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lazyrich_helpers.lws.frozen_prefix import set_trainable
from lazyrich_helpers.lws.schedules import (
    BottomQ,
    Middle,
    TopBottom,
    TopK,
)
from lazyrich_helpers.measures.costs import backward_flops, backward_share
from lazyrich_helpers.models.convnets import VGG11
from lazyrich_helpers.models.flops import layer_flops
from tests.models.test_convnets import SMALL, built


def test_forward_as_counted_by_hand():
    network = built(SMALL["conv_net"]).train()
    convolutions = [[2 * 8 * 8 * 3 * 9], [2 * 4 * 4 * 3 * 3 * 9]]
    assert layer_flops(network, (1, 8, 8)) == [*convolutions, [2 * 3 * 2 * 2 * 10]]
    assert network.training
    network = SMALL["resnet18"].build((1, 8, 8), 10).to("meta")
    pixels = 4 * 4  # of a block that halves the side: two convolutions, a shortcut
    halving = [2 * pixels * weights for weights in (2 * 4 * 9, 4 * 4 * 9, 2 * 4)]
    assert layer_flops(network, (1, 8, 8))[3] == halving


@pytest.mark.parametrize("part", SMALL.values(), ids=SMALL)
@pytest.mark.parametrize(
    "schedule", [TopK(k=1), TopK(k=2), BottomQ(q=1), TopBottom(k=1, q=1), Middle()]
)
def test_backward_as_torch_counts_it(part, schedule):
    network = built(part)
    awake = schedule.plan(0, 0, len(network.layers), 0).layers
    set_trainable(list(network.layers), awake)
    loss = network(torch.rand(3, 1, 8, 8)).logsumexp(1).sum()
    with FlopCounterMode(display=False) as counter:
        loss.backward()
    flops = layer_flops(network, (1, 8, 8))
    assert 3 * backward_flops(flops, awake) == counter.get_total_flops()


def test_the_papers_relative_times_of_vgg11():
    network = VGG11().build((3, 32, 32), 10)
    flops = layer_flops(network.to("meta"), (3, 32, 32))

    def share(schedule):
        return backward_share(flops, schedule.plan(0, 0, 11, 0).layers)

    tops = [round(share(TopK(k=k)), 3) for k in (1, 2, 3, 4)]
    assert tops == [0.0, 0.001, 0.003, 0.034]
    ends = [BottomQ(q=4), TopBottom(k=1, q=4), TopBottom(k=4, q=4), Middle()]
    assert [round(share(one), 3) for one in ends] == [0.751, 0.751, 0.783, 0.932]
