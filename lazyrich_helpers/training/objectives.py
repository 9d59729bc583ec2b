"""What training minimizes."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor
from torch.nn import functional as F

from lazyrich_helpers.config import Part


@runtime_checkable
class Objective(Protocol):
    """A config part that turns logits and labels into a scalar to minimize."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return each batch's mean, shape (...), of logits (..., batch, classes)."""
        ...


@dataclass(frozen=True, kw_only=True)
class CrossEntropy(Part, slot="objective", kind="cross_entropy"):
    """Mean cross-entropy in nats. Source: Li & Banerjee (2021), Section 3."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if labels.dim() == 1:
            return F.cross_entropy(logits, labels)
        # Classes second, as torch has them; a stack's logits lie so in memory, too.
        each = F.cross_entropy(logits.movedim(-1, 1), labels, reduction="none")
        return each.mean(-1)
