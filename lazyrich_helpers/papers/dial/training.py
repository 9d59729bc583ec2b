"""Training of the dial's networks, all at once, by SGD or Adam."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lazyrich_helpers.papers.dial.nets import OBJECTIVES, LabeledRows, Nets
from lazyrich_helpers.training.stack import orders_of

BATCH = 50
"""Images in a step."""
LOOK_EVERY = 10
"""Steps between two looks at the loss of all training images."""


@dataclass
class Reached:
    """Networks when their training loss first came down to a target, and when."""

    weights: list[Tensor]
    """Of those that did not reach it, at the end."""
    steps: Tensor
    """(M,); 0: not reached."""


def train_nets(
    nets: Nets,
    split: LabeledRows,
    steps: Tensor | list[Tensor],
    num_steps: int,
    *,
    optimizer: str = "sgd",
    target: float = 0.0,
) -> Reached:
    """Train all networks at once, in place; they do not disturb each other.

    Args:
        nets: The networks.
        split: What they are trained on.
        steps: What multiplies the gradient, or Adam's direction, of the weights (M,);
            a list has one for each layer.
        num_steps: Minibatches; fewer if all networks have reached the target.
        optimizer: `sgd` or `adam`.
        target: Training loss at which networks are looked at.
    """
    each = steps if isinstance(steps, list) else [steps] * len(nets.weights)
    adam = _Adam(nets.weights) if optimizer == "adam" else None
    reached = Reached([w.clone() for w in nets.weights], torch.zeros(len(nets.alphas)))
    done = torch.zeros(len(nets.alphas), dtype=torch.bool)
    for step, (inputs, labels) in enumerate(_batches(nets, split, num_steps), 1):
        leaves = [w.requires_grad_() for w in nets.weights]
        losses = OBJECTIVES[nets.objective](nets.outputs(inputs, leaves), labels)
        gradients = torch.autograd.grad(losses.sum(), leaves)
        with torch.no_grad():
            directions = adam.directions(gradients) if adam else gradients
            for layer, (w, d) in enumerate(zip(leaves, directions, strict=True)):
                size = each[layer]
                if nets.trained is not None:
                    size = size * nets.trained[:, layer]
                w.detach_().sub_(size[:, None, None] * d)
        if step % LOOK_EVERY == 0 and target:
            now = (nets.loss(split, nets.weights) <= target) & ~done
            for kept, w in zip(reached.weights, nets.weights, strict=True):
                kept[now] = w[now]
            reached.steps[now] = step
            done |= now
            if done.all():
                return reached
    for kept, w in zip(reached.weights, nets.weights, strict=True):
        kept[~done] = w[~done]
    return reached


def _batches(
    nets: Nets, split: LabeledRows, num_steps: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images (M, batch, D) and labels; networks of a seed see the same ones."""
    num_levels, taken = len(nets.alphas) // len(nets.seeds), 0
    for epoch in range(num_steps):
        orders = orders_of("dial_order", nets.seeds, epoch, len(split.labels))
        for batch in orders.split(BATCH, dim=1):
            if taken == num_steps:
                return
            taken += 1
            yield (
                split.inputs[batch].repeat(num_levels, 1, 1),
                split.labels[batch].repeat(num_levels, 1),
            )


class _Adam:
    """Of torch's default constants; torch's own has one step size for a tensor."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self.num = 0
        self.means = [torch.zeros_like(w) for w in weights]
        self.squares = [torch.zeros_like(w) for w in weights]

    def directions(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        self.num += 1
        found = []
        for mean, square, g in zip(self.means, self.squares, gradients, strict=True):
            mean.lerp_(g, 0.1)
            square.mul_(0.999).addcmul_(g, g, value=0.001)
            size = (square / (1 - 0.999**self.num)).sqrt() + 1e-8
            found.append(mean / (1 - 0.9**self.num) / size)
        return found
