"""Training of the dial's networks, all at once, by SGD or Adam."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lazyrich_helpers.data.datasets import Split
from lazyrich_helpers.papers.dial.nets import OBJECTIVES, Nets
from lazyrich_helpers.training.stack import orders_of

BATCH = 50
"""Images in a step."""
LOOK_EVERY = 10
"""Steps between two looks at the loss of all training images."""


def train_nets(
    nets: Nets,
    split: Split,
    steps: Tensor | list[Tensor],
    num_steps: int,
    *,
    optimizer: str = "sgd",
    target: float = 0.0,
) -> tuple[list[Tensor], Tensor]:
    """Train all networks at once, in place; they do not disturb each other.

    Returned are their weights as the training loss first came down to the target, at
    the end where it did not, and after how many steps that was (M,); 0: not at all.

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
    reached = [w.clone() for w in nets.weights]
    reached_at = torch.zeros(len(nets.alphas))
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
            for kept, w in zip(reached, nets.weights, strict=True):
                kept[now] = w[now]
            reached_at[now] = step
            done |= now
            if done.all():
                return reached, reached_at
    for kept, w in zip(reached, nets.weights, strict=True):
        kept[~done] = w[~done]
    return reached, reached_at


def _batches(
    nets: Nets, split: Split, num_steps: int
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
                split.images[batch].repeat(num_levels, 1, 1),
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
