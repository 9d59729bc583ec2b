"""SGD for many networks as one, each with a learning rate and momentum of its own.

All parameters are one matrix, a row per network, and a step is one product with it.
What `ensemble` trains are runs that are alike but for the seed, with a record each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from lazyrich_helpers.data.datasets import Split
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.stack import Stack, batches_of, orders_of, share_correct

if TYPE_CHECKING:
    from jaxtyping import Float


def stacked_logits(
    network: Network, parameters: Float[Tensor, "num p"], images: Tensor
) -> Float[Tensor, "num batch classes"]:
    """Return the logits of `network` at each row of parameters; its own are not read.

    Images are (batch, channels, h, w), seen by all, or (num, batch, ...).
    """
    shared = images.dim() == 4
    return Stack.at(network, parameters)(images, shared=shared)


def stacked_losses(
    network: Network, parameters: Float[Tensor, "num p"], images: Tensor, labels: Tensor
) -> Float[Tensor, " num"]:
    """Return each network's mean cross-entropy; labels are (batch,) or (num, batch)."""
    logits = stacked_logits(network, parameters, images)
    labels = labels.expand(logits.shape[:2])
    # Not `objectives.cross_entropies`: it rounds otherwise than the recorded studies.
    each = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return each.unflatten(0, logits.shape[:2]).mean(1)


@torch.no_grad()
def stacked_accuracy(
    network: Network, parameters: Float[Tensor, "num p"], split: Split
) -> Float[Tensor, " num"]:
    """Return the share of images that each network classifies correctly."""
    return share_correct(
        stacked_logits(network, parameters, split.images), split.labels
    )


def he_rows(network: Network, seeds: Sequence[int]) -> Float[Tensor, "num p"]:
    """Return a row of initial parameters for each seed: equal seeds, equal rows.

    Weights are Gaussian with variance 2 / fan_in, biases 0. Source: He et al. (2015),
    arXiv:1502.01852, Eq. 10.
    """
    rows = []
    for seed in seeds:
        stream = generator("he_rows", seed)
        parts = []
        for p in network.parameters():
            std = 0.0 if p.dim() == 1 else math.sqrt(2 / p[0].numel())
            parts.append(std * torch.randn(p.numel(), generator=stream))
        rows.append(torch.cat(parts))
    return torch.stack(rows)


@dataclass
class StackedSGD:
    r"""Networks in training, each by SGD with heavy-ball momentum, no weight decay.

    A step is $v \leftarrow \mu v + g$, then $\theta \leftarrow \theta - \eta v$; each
    row has its own $\eta$ and $\mu$, and rows of one seed see the same batches.
    """

    network: Network
    """Says what is computed."""
    train: Split
    parameters: Tensor
    """Shape (num, num_parameters); replaced at every step."""
    seeds: Sequence[int]
    """Of each row: draws the order of the images."""
    momenta: Tensor
    """Shape (num,)."""
    velocity: Tensor = field(init=False)
    """Shape (num, num_parameters)."""

    def __post_init__(self) -> None:
        self.velocity = torch.zeros_like(self.parameters)

    def losses(self, parameters: Tensor) -> Float[Tensor, " num"]:
        """Return each row's loss on all training images."""
        images, labels = self.train.images, self.train.labels
        return stacked_losses(self.network, parameters, images, labels)

    def orders(self, epoch: int) -> Tensor:
        """Return the order in which each row sees the images in an epoch (num, n)."""
        return orders_of("stacked_order", self.seeds, epoch, len(self.train))

    def batches(self, size: int) -> Callable[[int], Tensor | None]:
        """Return what tells each row's images of a step, from 0 (num, size); None: all.

        It draws an epoch's order once.
        """
        if size >= len(self.train):
            return lambda step: None
        return batches_of("stacked_order", self.seeds, len(self.train), size)

    def step(self, lrs: Float[Tensor, " num"], batch: Tensor | None = None) -> None:
        """Take a step on the images `batch` (num, batch) of each row; None: on all."""
        rows = self.parameters.detach().requires_grad_()
        if batch is None:
            losses = self.losses(rows)
        else:
            batch = batch.to(self.train.labels.device)
            images, labels = self.train.images[batch], self.train.labels[batch]
            losses = stacked_losses(self.network, rows, images, labels)
        (gradient,) = torch.autograd.grad(losses.sum(), rows)
        self.velocity = self.momenta[:, None] * self.velocity + gradient
        self.parameters = rows.detach() - lrs[:, None] * self.velocity

    def epoch(
        self, lrs: Float[Tensor, " num"], batch_size: int, epoch: int
    ) -> Float[Tensor, " num"]:
        """Take an epoch's steps; return the loss on all training images after it.

        A batch as large as the training set is all of it: one step, in no order.
        """
        if batch_size >= len(self.train):
            self.step(lrs)
        else:
            for batch in self.orders(epoch).split(batch_size, dim=1):
                self.step(lrs, batch)
        with torch.no_grad():
            return self.losses(self.parameters)
