"""What training minimizes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from lazyrich_helpers.config import Part, Positive, one_of
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.vectors import named_parts


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
        return cross_entropies(logits, labels)


@dataclass(frozen=True, kw_only=True)
class Scaled(Part, slot="objective", kind="scaled"):
    r"""The loss of a scaled model: large scales make training lazy, small ones rich.

    $F_\alpha(w) = R(\alpha h(w)) / \alpha^2$, or with the centred model
    $h(w) - h(w_0)$ in place of $h(w)$. $R$ is the batch's mean cross-entropy, or half
    the squared distance to the labels' one-hot vectors. Where it is centred, what is
    trained is `outputs`: the network's own logits, and so a record's curves, are of
    $h(w)$, which at large scales has hardly left $h(w_0)$. `Laziness` measures both.

    Source: Chizat, Oyallon & Bach (2019), Section 2; its code centres so.
    """

    of_logits: ClassVar[bool] = False

    output_scale: Positive
    """α."""
    centred: bool = True
    """Whether the outputs at initialization are taken off. They are not trained."""
    loss_kind: Annotated[str, one_of(("cross_entropy", "square"))] = "cross_entropy"
    """`cross_entropy` or `square`."""

    def outputs(self, network: Network, inputs: Tensor, start: Tensor) -> Tensor:
        """Return α h, or α (h − h at θ⁰): what predicts (batch, num_classes)."""
        logits = network(inputs)
        if self.centred:
            own = named_parts(network, start)
            with torch.no_grad():
                first = functional_call(network, own, (inputs,))
            logits = logits - first
        return self.output_scale * at_least_single(logits)

    def loss(
        self, network: Network, inputs: Tensor, labels: Tensor, start: Tensor
    ) -> Tensor:
        outputs = self.outputs(network, inputs, start)
        if self.loss_kind == "cross_entropy":
            value = F.cross_entropy(outputs, labels)
        else:
            goal = F.one_hot(labels, outputs.shape[1]).to(outputs)
            value = (outputs - goal).square().sum(1).mean() / 2
        return value / self.output_scale**2


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy (num,) of each of (num, batch, classes) logits."""
    # Classes second, as torch has them; an ensemble's logits lie so in memory, too.
    each = F.cross_entropy(logits.movedim(-1, 1), labels, reduction="none")
    return each.mean(-1)


def at_least_single(values: Tensor) -> Tensor:
    """Return `values` in fp32 where they are in less, such as bf16."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
