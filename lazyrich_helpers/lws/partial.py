r"""Partial gradients: one protocol for what a step updates and where it looks.

A step of PARTIAL SGD is $x_{t+1} = x_t - \gamma\, p_t \odot g(x_t + \delta x_t)$:
a mask $p_t$ says what moves, a perturbation $\delta x_t$ where the gradient is taken.

Source: Mohtashami, Jaggi & Stich (2022), arXiv:2106.08895; the form of the step is from
memory of the paper and agrees with its abstract.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.models.network import Network


@dataclass(frozen=True, slots=True)
class PartialPlan(Plan):
    """A plan that may compute a part of the network alone.

    A part is a mask that skips the work it saves: it equals the mask of its parameters
    with the perturbation that sets all others to zero.
    """

    part: Any = None
    """As the network's `forward` takes it; None: all of it."""


Gradients = list[list[Tensor]]
"""Of each layer, bottom first, the gradient of each of its parameters."""


@dataclass(eq=False)
class Course:
    """The training that a sampler goes along with."""

    network: Network
    """A stack: the first axis of each parameter tells networks apart."""
    num_steps: int
    steps_per_epoch: int
    seed: int
    lr: Tensor
    """Of each network (num,)."""
    gradient: Callable[[], Gradients]
    """At the parameters as they are, on the step's examples: a pass of its own."""
    num_extra: int = field(default=0)
    """How often `gradient` was asked."""

    @property
    def num_layers(self) -> int:
        return len(self.network.layers)

    @property
    def num_epochs(self) -> int:
        return -(-self.num_steps // self.steps_per_epoch)

    @property
    def every_layer(self) -> frozenset[int]:
        return frozenset(range(self.num_layers))


Sampler = Callable[[Course], Iterator[Plan]]
"""Yields the plan of each step. When it is asked for the next, the parameters still
have the gradients of the last (None: frozen)."""


def along(values: Tensor, like: Tensor) -> Tensor:
    """Return a number per network (num,) with axes to multiply `like` by it."""
    return values.view(-1, *[1] * (like.dim() - 1))
