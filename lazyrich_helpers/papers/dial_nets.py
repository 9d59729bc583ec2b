r"""Many small networks as one, each with its own output scale and step size.

$f(x) = \alpha\,(h(x) - h_0(x))$ with
$h(x) = \sqrt{2/N}\, W_3^\top\phi(\sqrt{2/N}\, W_2^\top\phi(W_1^\top x / \sqrt D))$:
two hidden layers of $N$ ReLUs, standard normal weights, inputs of mean square 1. The
centring by $h_0$, the untrained network, is that of Chizat et al. (2019). The strength
of feature learning is $\gamma = 1/(\alpha\sqrt N)$, and a step of size $\eta$ is
$W \leftarrow W - \eta N \nabla_W L$, as in Atanasov et al. (2024): at fixed $\gamma$
and $\eta$ wide networks then train alike.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from lazyrich_helpers.data.datasets import Dataset
from lazyrich_helpers.random_streams import generator

BATCH = 50
"""Images in a step."""
LOOK_EVERY = 10
"""Steps between two looks at the loss of all training images."""


def _cross_entropy(made: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy (M,) of outputs (M, n, classes), in nats."""
    each = cross_entropy(made.movedim(-1, 1), labels, reduction="none")
    return each.mean(-1)


def _squared_error(made: Tensor, labels: Tensor) -> Tensor:
    """Return half the squared distance to the one-hot labels (M,), a mean over n."""
    distance = made - one_hot(labels, made.shape[-1])
    return distance.square().sum(-1).mean(-1) / 2


OBJECTIVES = {"cross_entropy": _cross_entropy, "squared_error": _squared_error}
"""Name → outputs (M, n, classes) and labels (M, n) → losses (M,)."""


@dataclass(frozen=True)
class LabeledRows:
    """Images as rows of mean square 1 (n, D), and their labels (n,)."""

    inputs: Tensor
    labels: Tensor


def rows(data: Dataset) -> tuple[LabeledRows, LabeledRows]:
    """Return the training and the test images of a data set as rows."""
    scale = data.train.images.square().mean().sqrt()
    parts = (data.train, data.test)
    train, test = (LabeledRows(p.images.flatten(1) / scale, p.labels) for p in parts)
    return train, test


@dataclass
class Nets:
    """M networks of one width; every `len(seeds)` in a row differ in the seed alone."""

    seeds: Sequence[int]
    alphas: Tensor
    """Output scales (M,)."""
    weights: list[Tensor]
    """Of each layer (M, inputs, outputs)."""
    initial: list[Tensor]
    centred: bool = True
    """Whether the untrained network's outputs are subtracted."""
    objective: str = "cross_entropy"
    """One of `OBJECTIVES`."""
    trained: Tensor | None = None
    """Layers that are trained (M, 3), 0 or 1; None: all."""
    scales: list[float] = field(default_factory=list)

    def hidden(
        self, inputs: Tensor, weights: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return what both hidden layers make of inputs (M or 1, n, D), before ReLU."""
        first = inputs @ weights[0] * self.scales[0]
        return first, first.relu() @ weights[1] * self.scales[1]

    def raw(self, inputs: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """Return h (M, n, classes) with these weights."""
        _, second = self.hidden(inputs, weights)
        return second.relu() @ weights[2] * self.scales[2]

    def outputs(self, inputs: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """Return f (M, n, classes) with these weights."""
        made = self.raw(inputs, weights)
        if self.centred:
            made = made - self.raw(inputs, self.initial)
        return self.alphas[:, None, None] * made

    def loss(self, split: LabeledRows, weights: Sequence[Tensor]) -> Tensor:
        """Return the mean of the objective over images (M,)."""
        with torch.no_grad():
            made = self.outputs(split.inputs[None], weights)
            labels = split.labels.expand(len(made), -1)
            return OBJECTIVES[self.objective](made, labels)

    def accuracy(self, split: LabeledRows, weights: Sequence[Tensor]) -> Tensor:
        """Return the share of images classified correctly (M,)."""
        with torch.no_grad():
            named = self.outputs(split.inputs[None], weights).argmax(-1)
            return (named == split.labels).double().mean(-1)


def new_nets(
    width: int,
    num_inputs: int,
    num_classes: int,
    alphas: Sequence[float],
    seeds: Sequence[int],
    *,
    centred: bool = True,
    objective: str = "cross_entropy",
    spreads: Sequence[float] | None = None,
) -> Nets:
    """Draw networks: for each output scale, one per seed; all of a seed start alike.

    Args:
        width: Units of each hidden layer, N.
        num_inputs: D.
        num_classes: Outputs.
        alphas: Output scales.
        seeds: Of the weights and of the order of the images.
        centred: As in `Nets`.
        objective: As in `Nets`.
        spreads: Standard deviations of the weights for each of `alphas`; None: 1.
    """
    sizes = (num_inputs, width, width, num_classes)
    spread = torch.tensor(spreads or [1.0] * len(alphas)).repeat_interleave(len(seeds))
    initial = []
    for layer, shape in enumerate(itertools.pairwise(sizes)):
        drawn = [
            torch.randn(shape, generator=generator("dial", seed, layer))
            for seed in seeds
        ]
        stacked = torch.stack(drawn).repeat(len(alphas), 1, 1)
        initial.append(stacked * spread[:, None, None])
    return Nets(
        seeds=seeds,
        alphas=torch.tensor(alphas).repeat_interleave(len(seeds)),
        weights=[w.clone() for w in initial],
        initial=initial,
        centred=centred,
        objective=objective,
        scales=[num_inputs**-0.5, math.sqrt(2 / width), math.sqrt(2 / width)],
    )


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
    move = {"sgd": _Sgd, "adam": _Adam}[optimizer](nets.weights)
    reached = Reached([w.clone() for w in nets.weights], torch.zeros(len(nets.alphas)))
    done = torch.zeros(len(nets.alphas), dtype=torch.bool)
    for step, (inputs, labels) in enumerate(_batches(nets, split, num_steps), 1):
        leaves = [w.requires_grad_() for w in nets.weights]
        losses = OBJECTIVES[nets.objective](nets.outputs(inputs, leaves), labels)
        gradients = torch.autograd.grad(losses.sum(), leaves)
        with torch.no_grad():
            directions = move.directions(gradients)
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
        orders = torch.stack(
            [
                torch.randperm(
                    len(split.labels), generator=generator("dial_order", seed, epoch)
                )
                for seed in nets.seeds
            ]
        )
        for batch in orders.split(BATCH, dim=1):
            if taken == num_steps:
                return
            taken += 1
            yield (
                split.inputs[batch].repeat(num_levels, 1, 1),
                split.labels[batch].repeat(num_levels, 1),
            )


class _Sgd:
    def __init__(self, weights: Sequence[Tensor]) -> None:
        pass

    def directions(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        return list(gradients)


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
