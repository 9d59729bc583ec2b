"""What a step of PARTIAL SGD costs: operations, and bytes that it has to hold."""

from typing import Any

from torch import Tensor

from lazyrich_helpers.lws.frozen_prefix import set_trainable
from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.measures.costs import backward_flops, forward_flops
from lazyrich_helpers.measures.timing import kept_for_backward
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.training.partial_sgd import mean_losses


def plan_flops(network: Any, plan: Plan, num_extra: int) -> tuple[int, int]:
    """Return a step's operations forward and backward, for one example.

    Layers that are frozen, and what is not in the plan's part, cost nothing backward; a
    mask of single entries saves nothing. `num_extra` is of full gradients that the
    sampler asked for beside the step's own.
    """
    own, full = network.flops(getattr(plan, "part", None)), network.flops()
    forward = forward_flops(own) + num_extra * forward_flops(full)
    every = range(len(full))
    backward = backward_flops(own, plan.layers) + num_extra * backward_flops(
        full, every
    )
    return forward, backward


def plan_bytes(
    network: Network, plan: Plan, num_extra: int, inputs: Tensor, labels: Tensor
) -> int:
    """Return the bytes that a step holds at its fullest, beside the parameters.

    What the forward pass keeps for the backward pass; gradients of what is trainable;
    where the gradient is taken elsewhere, copies of the parameters, and the gradient
    that led there. The network's gradients are lost.
    """
    layers = list(network.layers)
    set_trainable(layers, plan.layers)
    network.zero_grad(set_to_none=True)
    with kept_for_backward(*network.parameters(), inputs, labels) as kept:
        total = mean_losses(network, plan, inputs, labels).sum()
    total.backward()
    trainable = [p.nbytes for layer in plan.layers for p in layers[layer].parameters()]
    gradients = [p.nbytes for p in network.parameters() if p.grad is not None]
    network.zero_grad(set_to_none=True)
    copies = sum(trainable) if plan.perturbation is not None else 0
    return sum(kept.values()) + sum(gradients) + copies + num_extra * sum(trainable)
