"""What the loop asks of processes that train one network together; and one alone."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from lazyrich_helpers.models.network import Network


class Sharding(Protocol):
    """How processes share a training: each has a part of the batch, or of the layers.

    All of them run the same loop over the same images, in the same order. At the end of
    a step all of them have moved the parameters as one process would have: up to
    rounding, since sums are taken in another order.
    """

    @property
    def alone(self) -> bool:
        """Whether this process has every example and every parameter."""
        ...

    def called(self, network: Network) -> nn.Module:
        """Return what a step calls for logits, while these parameters are trainable."""
        ...

    def part(self, batch: Tensor) -> Tensor:
        """Return this process's examples of a batch (n, ...), in order; never none."""
        ...

    def weighted(self, loss: Tensor, num: int, num_all: int) -> Tensor:
        """Return a loss of which the processes' mean gradient is the whole batch's.

        Args:
            loss: Mean over this process's examples.
            num: How many these are.
            num_all: How many the batch has.
        """
        ...

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of what processes with different examples have."""
        ...


@dataclass(frozen=True)
class Alone:
    """One process that has all."""

    alone: bool = True

    def called(self, network: Network) -> nn.Module:
        return network

    def part(self, batch: Tensor) -> Tensor:
        return batch

    def weighted(self, loss: Tensor, num: int, num_all: int) -> Tensor:
        del num, num_all
        return loss

    def total(self, values: Tensor) -> Tensor:
        return values


ALONE = Alone()
