"""Operations counted by hand, by torch, and as the paper's times have them."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lazyrich_helpers.lws.frozen_prefix import set_trainable
from lazyrich_helpers.lws.schedules import (
    BottomQ,
    Middle,
    RandomBeta,
    RandomUniform,
    TopBottom,
    TopK,
)
from lazyrich_helpers.measures.costs import (
    backward_flops,
    backward_share,
    forward_flops,
)
from lazyrich_helpers.models.convnets import VGG5, VGG11, ConvNet, VGG5Blocks
from lazyrich_helpers.models.flops import layer_flops
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.models.resnet import ResNet18

SMALL = {
    "relu_net": ReluNet(width=5, depth=2),
    "conv_net": ConvNet(width=3, depth=2),
    "vgg5": VGG5(width=2),
    "vgg5_blocks": VGG5Blocks(width=2),
    "vgg11": VGG11(width=2),
}


def test_by_hand():
    network = ReluNet(width=5, depth=2).build((1, 4, 4), 10)
    assert layer_flops(network, (1, 4, 4)) == [[2 * 16 * 5], [2 * 5 * 5], [2 * 5 * 10]]
    network = ConvNet(width=3, depth=2).build((2, 8, 8), 10)
    (first,), (second,), (top,) = layer_flops(network, (2, 8, 8))
    assert (first, second) == (2 * 64 * 2 * 3 * 9, 2 * 16 * 3 * 3 * 9)
    assert top == 2 * 3 * 4 * 10


@pytest.mark.parametrize("part", [*SMALL.values(), ResNet18(width=2)], ids=str)
def test_forward_as_torch_counts_it(part):
    network = part.build((1, 8, 8), 10).to("meta")
    network.train()
    mine = layer_flops(network, (1, 8, 8))
    assert network.training
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, 1, 8, 8, device="meta"))
    assert forward_flops(mine) == counter.get_total_flops()


@pytest.mark.parametrize("part", SMALL.values(), ids=SMALL)
@pytest.mark.parametrize(
    "schedule", [TopK(k=1), TopK(k=2), BottomQ(q=1), TopBottom(k=1, q=1), Middle()]
)
def test_backward_as_torch_counts_it(part, schedule):
    network = part.build((1, 8, 8), 10)
    XavierNormal().draw_(network, seed=0)
    awake = schedule.plan(0, 0, len(network.layers), 0).layers
    set_trainable(list(network.layers), awake)
    loss = network(torch.rand(3, 1, 8, 8)).logsumexp(1).sum()
    with FlopCounterMode(display=False) as counter:
        loss.backward()
    flops = layer_flops(network, (1, 8, 8))
    assert 3 * backward_flops(flops, awake) == counter.get_total_flops()


def vgg11():
    network = VGG11().build((3, 32, 32), 10)
    return layer_flops(network.to("meta"), (3, 32, 32))


def test_the_papers_relative_times_of_vgg11():
    flops, num = vgg11(), 11

    def share(schedule, epoch=0):
        return backward_share(flops, schedule.plan(epoch, 0, num, 0).layers)

    tops = [round(share(TopK(k=k)), 3) for k in (1, 2, 3, 4)]
    assert tops == [0.0, 0.001, 0.003, 0.034]
    ends = [BottomQ(q=4), TopBottom(k=1, q=4), TopBottom(k=4, q=4), Middle()]
    assert [round(share(one), 3) for one in ends] == [0.751, 0.751, 0.783, 0.932]
    # Table 1's times have a floor: its rows of top 1 all bottoms go to 0.09 at ρ = 0.
    floor = 0.09
    uniform = sum(share(TopK(k=k)) for k in range(1, 12)) / 11
    assert floor + (1 - floor) * uniform == pytest.approx(0.45, abs=0.02)
    drawn = [share(RandomBeta(), epoch) for epoch in range(3000)]
    beta = sum(drawn) / 3000
    assert floor + (1 - floor) * beta == pytest.approx(0.16, abs=0.02)
    drawn = [share(RandomUniform(), epoch) for epoch in range(3000)]
    assert sum(drawn) / 3000 == pytest.approx(uniform, abs=0.02)
