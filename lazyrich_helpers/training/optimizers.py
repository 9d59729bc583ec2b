"""Optimizers with their learning-rate schedules."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from lazyrich_helpers.config import (
    BelowOne,
    Count,
    NotNegative,
    Part,
    Positive,
    UpToOne,
)

Parameters = Iterable[nn.Parameter] | Iterable[dict[str, Any]]
"""Parameters, or groups of them as torch has them: dicts with `params`."""


@runtime_checkable
class OptimizerPart(Protocol):
    """A config part that builds a torch optimizer and knows its learning rate."""

    def build(self, parameters: Parameters) -> torch.optim.Optimizer:
        """Return the optimizer; parameters without a gradient are left alone."""
        ...

    def lr_at(self, epoch: int, step: int) -> float:
        """Return the learning rate of `step` of `epoch`, both counted from 0."""
        ...


@dataclass(frozen=True, kw_only=True)
class Adam(Part, slot="optimizer", kind="adam"):
    """Adam at a constant learning rate. Source: Kingma & Ba (2015), Algorithm 1."""

    lr: Positive
    """Learning rate; the paper's is 0.1."""
    beta1: BelowOne = 0.9
    """Decay of the running mean of gradients, per step."""
    beta2: BelowOne = 0.999
    """Decay of the running mean of squared gradients, per step."""
    eps: Positive = 1e-8
    """Added to the root of the second moment."""

    def build(self, parameters: Parameters) -> torch.optim.Optimizer:
        betas = (self.beta1, self.beta2)
        return torch.optim.Adam(
            parameters, lr=self.lr, betas=betas, eps=self.eps, fused=True
        )

    def lr_at(self, epoch: int, step: int) -> float:
        del epoch, step  # constant
        return self.lr


@dataclass(frozen=True, kw_only=True)
class SGD(Part, slot="optimizer", kind="sgd"):
    """SGD with Nesterov momentum, weight decay and step decay.

    The defaults are the paper's for CIFAR-10: Li & Banerjee (2021), Section 3.
    """

    lr: Positive = 0.01
    """Learning rate of the first epochs."""
    momentum: BelowOne = 0.9
    """Nesterov momentum; 0 is plain SGD."""
    weight_decay: NotNegative = 5e-4
    """L2 coefficient, added to the gradient."""
    lr_decay: UpToOne = 0.5
    """Factor on the learning rate every `decay_every` epochs; 1 keeps it constant."""
    decay_every: Count = 30
    """Epochs between two decays."""

    def build(self, parameters: Parameters) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(
            parameters,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.momentum > 0,
            weight_decay=self.weight_decay,
            fused=True,
        )
        for group in optimizer.param_groups:  # torch 2.13 has no fused SGD for DTensors
            if any(hasattr(p, "placements") for p in group["params"]):
                group["fused"] = False
        return optimizer

    def lr_at(self, epoch: int, step: int) -> float:
        del step
        return self.lr * self.lr_decay ** (epoch // self.decay_every)


@dataclass(frozen=True, kw_only=True)
class HarmonicSGD(Part, slot="optimizer", kind="harmonic_sgd"):
    r"""SGD with heavy-ball momentum, no weight decay, and $\eta_e = \eta / (1 + e/E)$.

    In epoch e, counted from 0. Source: the code of Chizat, Oyallon & Bach (2019), where
    E is 3.
    """

    lr: Positive
    """Learning rate of the first epoch, η."""
    momentum: BelowOne = 0.9
    halved_after: Count = 3
    """E: epochs after which the learning rate is half of η."""

    def build(self, parameters: Parameters) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters, lr=self.lr, momentum=self.momentum, fused=True
        )

    def lr_at(self, epoch: int, step: int) -> float:
        del step  # the same throughout an epoch
        return self.lr / (1 + epoch / self.halved_after)


@dataclass(frozen=True, kw_only=True)
class DecayedAdam(Part, slot="optimizer", kind="decayed_adam"):
    """Adam whose learning rate falls from `lr` to 0, in equal steps an epoch.

    Not the paper's: it ends a training at large steps without their noise.
    """

    lr: Positive
    """Learning rate of the first epoch."""
    decay_epochs: Count
    """Epochs until it would be 0: those of the training."""

    def build(self, parameters: Parameters) -> torch.optim.Optimizer:
        return Adam(lr=self.lr).build(parameters)

    def lr_at(self, epoch: int, step: int) -> float:
        del step  # the same throughout an epoch
        return self.lr * max(0.0, 1 - epoch / self.decay_epochs)
