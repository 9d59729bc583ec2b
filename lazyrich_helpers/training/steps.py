"""The steps of one epoch: what moves at each, and how."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lazyrich_helpers.data.augmentation import shifted
from lazyrich_helpers.lws.frozen_prefix import set_trainable
from lazyrich_helpers.lws.plans import OfParameter, Plan
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.run_config import RunConfig
from lazyrich_helpers.training.sharding import Sharding


@dataclass(frozen=True, eq=False)
class EpochTask:
    """What one epoch has to do."""

    epoch: int
    plans: list[Plan]
    """Of each step."""
    cut: int
    """The lowest layer that is computed at each step; those below it are frozen."""
    inputs: Tensor
    """What that layer reads, for every training image, (n, ...)."""
    labels: Tensor
    """Shape (n,), int64."""
    shift: int | None
    """Largest random shift of an image, as in `Dataset`."""
    start: Tensor
    """θ⁰, as `Objective.loss` has it."""
    sharding: Sharding
    """How processes share the batches and the layers."""


def train_epoch(
    network: Network,
    task: EpochTask,
    config: RunConfig,
    optimizer: torch.optim.Optimizer,
) -> float:
    """Take every step of one epoch; return the mean training loss, in nats."""
    epoch, seed, sharding = task.epoch, config.training.seed, task.sharding
    order = example_order(config, len(task.labels), epoch).to(task.labels.device)
    # Summed there: one wait per epoch. As exact as the parameters are.
    dtype = next(network.parameters()).dtype
    total = torch.zeros((), dtype=dtype, device=order.device)
    computed, trainable = network.above(task.cut), frozenset[int]()
    called: Any = computed
    batches = order.split(config.training.batch_size)
    try:
        for step, (plan, batch) in enumerate(zip(task.plans, batches, strict=True)):
            if plan.layers != trainable:
                trainable = plan.layers
                set_trainable(list(network.layers), trainable)
                called = sharding.called(computed)
            lr = config.optimizer.lr_at(epoch, step)
            for layer, scale in plan.scales.items():
                optimizer.param_groups[layer]["lr"] = lr * scale
            for layer in plan.forget:
                for p in network.layers[layer].parameters():
                    optimizer.state.pop(p, None)
            inputs, labels = task.inputs[batch], task.labels[batch]
            if task.shift is not None:
                stream = generator("shift", seed, epoch, step)
                inputs = shifted(inputs, task.shift, stream)
            inputs, labels = sharding.part(inputs), sharding.part(labels)
            optimizer.zero_grad(set_to_none=True)
            with perturbed(network, plan):
                loss = config.objective.loss(called, inputs, labels, task.start)
                sharding.weighted(loss, len(labels), len(batch)).backward()
            with _masked(network, plan):
                optimizer.step()
            total += loss.detach() * len(labels)
    finally:
        network.requires_grad_(True)
    return sharding.total(total).item() / len(order)


def example_order(config: RunConfig, num_examples: int, epoch: int) -> Tensor:
    """Return the order in which `epoch` shows the examples (n,), on the CPU."""
    stream = generator("order", config.training.seed, epoch)
    return torch.randperm(num_examples, generator=stream)


@contextlib.contextmanager
def perturbed(network: Network, plan: Plan) -> Iterator[None]:
    """Inside, the trainable parameters are where the gradient is to be taken."""
    before = []
    if plan.perturbation is not None:
        for p, added in _of_each(plan.perturbation, network, plan):
            before.append((p, p.detach().clone()))
            p.data.add_(added)
    try:
        yield
    finally:
        for p, values in before:  # bit for bit; taking it off again would round
            p.data.copy_(values)


@contextlib.contextmanager
def _masked(network: Network, plan: Plan) -> Iterator[None]:
    """Inside, an optimizer may step; what the plan masks is afterwards as it was."""
    before = []
    if plan.mask is not None:
        for p, moves in _of_each(plan.mask, network, plan):
            before.append((p, p.detach().clone(), moves))
            if p.grad is not None:
                p.grad.masked_fill_(~moves, 0.0)
    yield
    for p, values, moves in before:  # momentum and weight decay moved it, too
        p.data.copy_(torch.where(moves, p.data, values))


def _of_each(
    function: OfParameter, network: Network, plan: Plan
) -> Iterator[tuple[nn.Parameter, Tensor]]:
    """Yield each trainable parameter with what a plan's function has for it."""
    for layer in sorted(plan.layers):
        for number, p in enumerate(network.layers[layer].parameters()):
            yield p, function(layer, number, p.detach())
