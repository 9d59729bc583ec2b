"""What training minimizes."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional as F

from lazyrich_helpers.config import Part
from lazyrich_helpers.models.network import Network


@runtime_checkable
class Objective(Protocol):
    """A config part that turns a network and a batch into a scalar to minimize."""

    of_logits: ClassVar[bool]
    """Whether it is a function of logits and labels alone. Then a network's frozen
    bottom may be cached, and seeds trained as one: the network that it is given may be
    what is left of one, or an ensemble. If not, neither is done."""

    def loss(
        self, network: Network, inputs: Tensor, labels: Tensor, start: Tensor
    ) -> Tensor:
        """Return the batch's mean loss, a scalar; of an ensemble, each network's.

        Args:
            network: Maps `inputs` to logits (..., batch, num_classes).
            inputs: Shape (..., batch, channels, height, width), unless `of_logits`.
            labels: Shape (..., batch), int64.
            start: All parameters before training, θ⁰ (num_parameters,), as
                `flat_parameters` has them; nothing if `of_logits`.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class CrossEntropy(Part, slot="objective", kind="cross_entropy"):
    """Mean cross-entropy in nats. Source: Li & Banerjee (2021), Section 3."""

    of_logits: ClassVar[bool] = True

    def loss(
        self, network: Network, inputs: Tensor, labels: Tensor, start: Tensor
    ) -> Tensor:
        logits = at_least_single(network(inputs))
        if labels.dim() == 1:
            return F.cross_entropy(logits, labels)
        # Classes second, as torch has them; an ensemble's logits lie so in memory, too.
        each = F.cross_entropy(logits.movedim(-1, 1), labels, reduction="none")
        return each.mean(-1)


def at_least_single(values: Tensor) -> Tensor:
    """Return `values` in fp32 where they are in less, such as bf16."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
