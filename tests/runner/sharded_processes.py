"""What two processes find of shared networks.

`torchrun … -m tests.runner.sharded_processes`: the first leaves it in a
folder, for `test_sharded` to compare with one process.
"""

import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.distributed.tensor import parallel
from torch.distributed.tensor.debug import CommDebugMode
from torch.nn import functional as F

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.lws.frozen_prefix import set_trainable
from lazyrich_helpers.lws.layerwise import LayerwiseSparse
from lazyrich_helpers.lws.schedules import RandomUniform, TopKAllBottoms
from lazyrich_helpers.models.convnets import VGG5, VGG11
from lazyrich_helpers.models.network import Network, ReluNet, relu_net
from lazyrich_helpers.papers.sharded.halo import tiled_convolution
from lazyrich_helpers.papers.sharded.wire import Wire
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.runner.processes import join, leave
from lazyrich_helpers.training.layouts import LAYOUTS, gathered, lay_out, require_same
from lazyrich_helpers.training.loop import initialized, train
from lazyrich_helpers.training.optimizers import SGD
from lazyrich_helpers.training.sharding import ALONE
from lazyrich_helpers.training.tensor_parallel import guard_convolutions, split_layers
from tests import tiny

SPARSE = TopKAllBottoms(k=1, rho=0.5)
UNEVEN = replace(tiny.CONFIG.training, batch_size=33, seed=1)
"""Two processes have 17 and 16 examples of each, of the last batch one each."""
CONFIGS = {
    "relu net": tiny.config(updates=SPARSE, training=UNEVEN),
    "relu net, by steps": tiny.config(
        model=ReluNet(width=12, depth=3),
        optimizer=SGD(lr=0.05),
        updates=RandomUniform(draw="step"),
    ),
    "VGG-11": tiny.config(
        data=images("digits", train_size=100, image_size=32),
        model=VGG11(width=4),
        optimizer=SGD(lr=0.01),
        updates=TopKAllBottoms(k=3, rho=0.5),
        training=replace(tiny.CONFIG.training, num_epochs=2, seed=1),
    ),
}
SIZES = (8, 16, 3)
"""Inputs, units and classes of networks that are laid out by hand."""
PLANS = {"full": {0, 1, 2, 3}, "top 1": {3}, "top 2": {2, 3}, "lowest": {0}}
"""Layers of a network of four that a step updates."""
BATCH = 8


def trained(config: Any, layout: str) -> dict[str, Any]:
    """Return a training's losses by epoch, and the parameters that it ends with."""
    data = config.data.load("cpu")
    network = initialized(config, data)
    sharding = lay_out(network, layout) if layout else ALONE
    epochs = list(train(network, data, config, sharding=sharding))
    found = {name: gathered(p) for name, p in network.named_parameters()}
    losses = [epoch.train_loss for epoch in epochs]
    return {"losses": losses, "correct": epochs[-1].num_correct, "parameters": found}


def small_net(depth: int = 3) -> Network:
    """Return the same small network in every process."""
    inputs, units, classes = SIZES
    network = relu_net(units, depth, inputs, classes)
    stream = generator("small net")
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(0.3 * torch.randn(p.shape, generator=stream))
    return network


def small_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and labels."""
    inputs = torch.randn(BATCH, SIZES[0], generator=generator("small batch"))
    return inputs, torch.arange(BATCH) % SIZES[2]


def sparse_training(layout: str, schedule: Any) -> dict[str, torch.Tensor]:
    """Return parameters after a reader's own loop with `LayerwiseSparse`."""
    network, (inputs, labels) = small_net(), small_batch()
    sharding = lay_out(network, layout) if layout else ALONE
    optimizer = torch.optim.AdamW(network.parameters(), 0.01)
    sparse = LayerwiseSparse(network.layers, optimizer, schedule, seed=3)
    for epoch in range(6):
        with sparse.epoch(epoch):
            called = sharding.called(network)
            for _ in range(3):
                optimizer.zero_grad()
                mine = sharding.part(inputs), sharding.part(labels)
                F.cross_entropy(called(mine[0]), mine[1]).backward()
                optimizer.step()
    return {name: gathered(p) for name, p in network.named_parameters()}


def wires(layout: str, trainable: set[int]) -> dict[str, float]:
    """Return the bytes that one process sends in a step, and its collectives."""
    network, (inputs, labels) = small_net(), small_batch()
    sharding = lay_out(network, layout)
    set_trainable(list(network.layers), trainable)
    called = sharding.called(network)
    with CommDebugMode() as theirs, Wire() as wire:
        logits = called(sharding.part(inputs))
        F.cross_entropy(logits, sharding.part(labels)).backward()
    calls = sum(wire.calls.values())
    counts = theirs.get_total_counts()
    return {"bytes": wire.sent(2), "calls": calls, "torch counts": counts}


def kept_ddp(static_graph: bool, first: str, then: str) -> tuple[list[bool], str]:
    """Return which gradients are the same in both processes, and torch's error.

    Torch's own, made once, while other layers are trainable than later.
    """
    network, (inputs, labels) = small_net(), small_batch()
    set_trainable(list(network.layers), PLANS[first])
    called = nn.parallel.DistributedDataParallel(network, static_graph=static_graph)
    mine = slice(4 * distributed.get_rank(), 4 * distributed.get_rank() + 4)
    same: list[bool] = []
    try:
        for plan in (first, then, then):
            set_trainable(list(network.layers), PLANS[plan])
            network.zero_grad()
            F.cross_entropy(called(inputs[mine]), labels[mine]).backward()
            grads = [p.grad for p in network.parameters() if p.grad is not None]
            same = [is_same(grad) for grad in grads]
    except RuntimeError as error:  # which both find
        return same, str(error)
    return same, ""


def is_same(values: torch.Tensor) -> bool:
    """Return whether both processes have these values."""
    both = [torch.empty_like(values) for _ in range(2)]
    distributed.all_gather(both, values)
    return torch.equal(*both)


def distributed_convolutions() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what torch makes of layouts, and what ours says, beside the truth.

    And the same of gradients, where a batch is sharded.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    mesh = init_device_mesh("cpu", (2,))
    maps = torch.randn(4, 8, 8, 8, generator=generator("maps"))
    cases = {
        "space": (Shard(2), Replicate(), 1),
        "channels out": (Replicate(), Shard(0), 1),
        "channels in": (Shard(1), Shard(1), 1),
        "batch": (Shard(0), Replicate(), 1),
        "batch, stride 2": (Shard(0), Replicate(), 2),
    }
    found, gradients = {}, {}
    for name, (of_maps, of_weight, stride) in cases.items():
        torch.manual_seed(0)
        layer: Any = nn.Conv2d(8, 6, 3, padding=1, stride=stride)
        right = layer(maps)
        right.square().mean().backward()
        rightly = [p.grad for p in layer.parameters()]
        spread = distribute_tensor(maps, mesh, [of_maps])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layer.weight = nn.Parameter(
                distribute_tensor(layer.weight, mesh, [of_weight])
            )
            bias = Shard(0) if name == "channels out" else Replicate()
            layer.bias = nn.Parameter(distribute_tensor(layer.bias, mesh, [bias]))
            result = layer(spread)
            theirs = result.full_tensor().detach()
            guard_convolutions(layer)
            said = refusal(lambda: layer(spread))  # noqa: B023
            found[name] = (theirs, right.detach(), said)
            if name.startswith("batch"):
                result.square().mean().backward()
                grads = [p.grad.full_tensor() for p in layer.parameters()]
                gradients[name] = list(zip(grads, rightly, strict=True))
    return found, gradients


def refusal(attempt: Any) -> str:
    """Return why something is refused; nothing where it is not."""
    try:
        attempt()
    except ValueError as error:
        return str(error)
    return ""


def refusals() -> dict[str, str]:
    """Return what this process is told of what can not be shared."""
    rank = distributed.get_rank()
    other = small_net()
    with torch.no_grad():
        next(other.parameters())[0, 0] += rank
    optimizer = torch.optim.SGD(other.parameters(), 0.1)
    seeded = LayerwiseSparse(other.layers, optimizer, SPARSE, seed=rank)
    odd = relu_net(5, 1, 4, 2)
    norm = VGG5(width=2, batch_norm=True).build((1, 28, 28), 10)
    convolution = {"layers.0.1": "column"}
    vgg = VGG11(width=2).build((1, 32, 32), 10)
    return {
        "start": refusal(lambda: lay_out(other, "dp")),
        "schedule": refusal(lambda: require_same("the schedule", seeded.state_dict())),
        "width": refusal(lambda: lay_out(odd, "tp")),
        "batch norm": refusal(lambda: lay_out(norm, "dp")),
        "layout": refusal(lambda: lay_out(small_net(), "ddp")),
        "split": refusal(lambda: split_layers(vgg, None, convolution)),
        "few": refusal(lambda: lay_out(small_net(), "dp").part(torch.zeros(1))),
    }


def trainable(layout: str) -> list[bool]:
    """Return which parameters are trainable once a half frozen network is laid out."""
    network = small_net()
    set_trainable(list(network.layers), {1, 3})
    lay_out(network, layout)
    return [p.requires_grad for p in network.parameters()]


def trainable_under_another_torch() -> list[bool]:
    """Return the same where torch's new parameters are all trainable."""
    theirs = parallel.parallelize_module

    def unfreezing(network: nn.Module, *means: Any) -> None:
        theirs(network, *means).requires_grad_(True)

    parallel.parallelize_module = unfreezing  # type: ignore[assignment]
    try:
        return trainable("tp")
    finally:
        parallel.parallelize_module = theirs


def strips(kernel: int) -> dict[str, torch.Tensor]:
    """Return a convolution of strips and its gradients, put together."""
    layer, maps, above = convolution_of(kernel)
    rank = distributed.get_rank()
    mine = maps.chunk(2, dim=2)[rank].clone().requires_grad_()
    outputs = tiled_convolution(layer, mine)
    outputs.backward(above.chunk(2, dim=2)[rank])
    found = {"outputs": outputs.detach(), "inputs": mine.grad}
    for name, values in found.items():
        parts = [torch.empty_like(values) for _ in range(2)]
        distributed.all_gather(parts, values.contiguous())
        found[name] = torch.cat(parts, dim=2)
    for name, p in layer.named_parameters():
        distributed.all_reduce(p.grad)
        found[name] = p.grad
    return found


def convolution_of(kernel: int) -> tuple[nn.Conv2d, torch.Tensor, torch.Tensor]:
    """Return a convolution, maps, and a gradient of its outputs, in fp64."""
    stream = generator("strips", kernel)
    layer = nn.Conv2d(3, 4, kernel, padding=kernel // 2).double()
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randn(p.shape, generator=stream))
    maps = torch.randn(2, 3, 8, 6, generator=stream, dtype=torch.float64)
    above = torch.randn(2, 4, 8, 6, generator=stream, dtype=torch.float64)
    return layer, maps, above


def main(folder: str) -> None:
    """Find all of it as one of two processes."""
    join("cpu")
    torch.set_num_threads(1)
    convolutions, gradients = distributed_convolutions()
    frozen = {layout: trainable(layout) for layout in LAYOUTS}
    changes = [("full", "top 1"), ("top 1", "full")]
    found = {
        "trained": {(n, w): trained(c, w) for n, c in CONFIGS.items() for w in LAYOUTS},
        "sparse": {layout: sparse_training(layout, SPARSE) for layout in LAYOUTS},
        "wires": {
            (w, name): wires(w, own) for w in LAYOUTS for name, own in PLANS.items()
        },
        "convolutions": convolutions,
        "kernels' gradients": gradients,
        "trainable": frozen | {"another torch's tp": trainable_under_another_torch()},
        "kept ddp": {
            (static, *two): kept_ddp(static, *two)
            for static in (False, True)
            for two in changes
        },
        "strips": {kernel: strips(kernel) for kernel in (1, 3, 5)},
        "refusals": refusals(),
    }
    torch.save(found, Path(folder) / f"found-{distributed.get_rank()}.pt")
    leave(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
