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
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from lazyrich_helpers.data.datasets import Dataset
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.objectives import cross_entropies
from lazyrich_helpers.training.stack import share_correct


def _squared_error(made: Tensor, labels: Tensor) -> Tensor:
    """Return half the squared distance to the one-hot labels (M,), a mean over n."""
    distance = made - one_hot(labels, made.shape[-1])
    return distance.square().sum(-1).mean(-1) / 2


OBJECTIVES = {"cross_entropy": cross_entropies, "squared_error": _squared_error}
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
            made = self.outputs(split.inputs[None], weights)
            return share_correct(made, split.labels)


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
