"""PARTIAL SGD: one loop for every sampler of masks and perturbations."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lazyrich_helpers.data.datasets import Split
from lazyrich_helpers.lws.frozen_prefix import set_trainable
from lazyrich_helpers.lws.partial import Course, Gradients, Sampler, along
from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.training.loop import num_correct
from lazyrich_helpers.training.objectives import cross_entropies
from lazyrich_helpers.training.stack import batches_of
from lazyrich_helpers.training.steps import perturbed

Batches = Callable[[int], tuple[Tensor, Tensor]]
"""Step → inputs (num, batch, ...) and labels (num, batch)."""


@dataclass(frozen=True, slots=True)
class PartialStep:
    """What one step did."""

    plan: Plan
    losses: Tensor
    """Of each network (num,), where the gradient was taken."""
    num_extra: int
    """Full gradients beside its own, that the sampler asked for."""
    backward_seconds: float
    """Of the process's CPU time, like `seconds`; a sampler's passes not included."""
    seconds: float
    """Of the whole step, with what the sampler did."""


def partial_sgd(
    network: Network,
    batches: Batches,
    sampler: Sampler,
    *,
    lr: Tensor,
    num_steps: int,
    steps_per_epoch: int,
    seed: int,
) -> Iterator[PartialStep]:
    r"""Train a stack of networks in place; yield after each step.

    A step is $x_{t+1} = x_t - \gamma\, p_t \odot g(x_t + \delta x_t)$. Frozen layers
    have no gradient, and the backward pass ends at the lowest trainable one.

    Args:
        network: Its parameters have the networks along their first axis.
        batches: What each step sees.
        sampler: Says what moves, and where the gradient is taken.
        lr: The learning rate γ of each network (num,).
        num_steps: Of the training.
        steps_per_epoch: For samplers that go by epochs.
        seed: Of the sampler's draws.
    """
    layers = list(network.layers)

    def gradient() -> Gradients:
        course.num_extra += 1
        total = mean_losses(network, Plan(course.every_layer), *seen).sum()
        found = iter(torch.autograd.grad(total, list(network.parameters())))
        return [[next(found) for _ in layer.parameters()] for layer in layers]

    course = Course(network, num_steps, steps_per_epoch, seed, lr, gradient)
    plans = sampler(course)
    for step in range(num_steps):
        seen = batches(step)
        began, extra = time.process_time(), course.num_extra
        set_trainable(layers, course.every_layer)
        plan = next(plans)
        set_trainable(layers, plan.layers)
        network.zero_grad(set_to_none=True)
        with perturbed(network, plan):
            found = mean_losses(network, plan, *seen)
            forward_ended = time.process_time()
            found.sum().backward()
        backward_ended = time.process_time()
        _move_(network, plan, lr)
        ended = time.process_time()
        yield PartialStep(
            plan,
            found.detach(),
            course.num_extra - extra,
            backward_ended - forward_ended,
            ended - began,
        )
    network.requires_grad_(True)


def mean_losses(network: Network, plan: Plan, inputs: Tensor, labels: Tensor) -> Tensor:
    """Return each network's mean cross-entropy (num,), of a plan's part alone."""
    part = getattr(plan, "part", None)
    logits = network(inputs) if part is None else network(inputs, part)
    return cross_entropies(logits, labels)


@torch.no_grad()
def _move_(network: Network, plan: Plan, lr: Tensor) -> None:
    """Take the step; gradients stay, for the sampler to look at."""
    for layer, scale in plan.scales.items():
        for number, p in enumerate(network.layers[layer].parameters()):
            if p.grad is None:  # of no use to the part that was computed
                continue
            change = along(lr * scale, p) * p.grad
            if plan.mask is not None:
                change = change * plan.mask(layer, number, p)
            p -= change


def shuffled(split: Split, seeds: Sequence[int], batch_size: int) -> Batches:
    """Return batches of `split`, each network's in the order of its own seed.

    Images come as vectors. The last examples of an epoch that fill no batch are left
    out.
    """
    inputs = split.images.flatten(1)
    chosen_at = batches_of("order", seeds, len(split), batch_size)

    def batches(step: int) -> tuple[Tensor, Tensor]:
        chosen = chosen_at(step).to(inputs.device)
        return inputs[chosen], split.labels[chosen]

    return batches


@torch.no_grad()
def accuracies(network: Network, split: Split, num: int, part: Any = None) -> Tensor:
    """Return the accuracy of each of `num` networks, or of a part of it (num,)."""

    def outputs(images: Tensor) -> Tensor:
        inputs = images.flatten(1).expand(num, -1, -1)
        return network(inputs) if part is None else network(inputs, part)

    return num_correct(outputs, split) / len(split)
