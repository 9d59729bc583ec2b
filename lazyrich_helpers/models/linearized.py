r"""A network linearized in its parameters: the model that lazy training follows.

$\bar h(w) = h(w_0) + Dh(w_0)(w - w_0)$: linear in the parameters, not in the inputs.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp

Parameters = Mapping[str, Tensor]
"""Name → tensor, as in `named_parameters`."""


def linearized_outputs(
    model: nn.Module, start: Parameters, parameters: Parameters, inputs: Tensor
) -> tuple[Tensor, Tensor]:
    r"""Return $h(w_0)$ and $\bar h(w) - h(w_0) = Dh(w_0)(w - w_0)$, each (n, ...).

    One forward pass with a tangent; gradients with respect to `parameters` go through.

    Args:
        model: Any module whose operations torch can differentiate forward.
        start: w₀, of every parameter.
        parameters: w, of every parameter.
        inputs: Shape (n, ...).

    Source: Chizat, Oyallon & Bach (2019), Section 2.
    """
    start = {name: value.detach() for name, value in start.items()}
    moved = {name: parameters[name] - value for name, value in start.items()}

    def outputs(own: dict[str, Tensor]) -> Tensor:
        return functional_call(model, own, (inputs,))

    found = jvp(outputs, (start,), (moved,))
    return found[0], found[1]


class Linearized(nn.Module):
    """A model linearized where it stands now; trained like any other.

    Its parameters begin as copies of the model's. The model itself is left alone, and
    is read at every call: it may not be trained beside.

    Args:
        model: In the mode that is meant; any module.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = [model]  # in a list: its parameters are not ours
        own = {name: p.detach() for name, p in model.named_parameters()}
        self._names = list(own)
        for place, value in enumerate(own.values()):
            self.register_buffer(f"start_{place}", value.clone())
        self.moving = nn.ParameterList(value.clone() for value in own.values())

    def forward(self, inputs: Tensor) -> Tensor:
        """Return h̄ of inputs (n, ...)."""
        own = dict(zip(self._names, self.moving, strict=True))
        start = dict(zip(self._names, self.buffers(), strict=True))
        return torch.add(*linearized_outputs(self._model[0], start, own, inputs))
