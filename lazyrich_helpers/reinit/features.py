"""What a network makes of inputs, layer by layer, and how low-dimensional it is."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lazyrich_helpers.reinit.tangent_kernel import Forward, alignment, centered


@dataclass
class Features:
    """Kernels of each layer's outputs on one batch, and both sides of the last layer.

    A layer is a module that has parameters and no modules inside. One that is called
    several times counts as it was called last.
    """

    kernels: dict[str, Tensor | None] = field(default_factory=dict)
    """Name, in the order of calls → centred kernel (n, n), fp64; None if its outputs
    are not n rows."""
    last_inputs: Tensor | None = None
    """What the layer that was called last was given."""
    last_outputs: Tensor | None = None

    def similarity(self, other: "Features") -> dict[str, float | None]:
        """Return each layer's linear CKA with `other`'s; None unless both vary."""
        found: dict[str, float | None] = {}
        for name, one in self.kernels.items():
            two = other.kernels.get(name)
            found[name] = None
            if one is not None and two is not None:
                found[name] = alignment(one, two)
        return found

    @property
    def low_rank(self) -> float | None:
        """`low_rank_measure` of the last layer, None if there is no such layer."""
        if self.last_inputs is None or self.last_outputs is None:
            return None
        return low_rank_measure(self.last_inputs, self.last_outputs)


def features(model: nn.Module, inputs: Tensor, forward: Forward) -> Features:
    """Return what the model's layers make of inputs (n, ...), in one forward pass.

    Only kernels are kept: beside the forward pass, memory holds the outputs of one
    layer.
    """
    found = Features()

    def look(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, given: Any, made: Any) -> None:
            outputs = _first_tensor(made)
            found.last_inputs, found.last_outputs = _first_tensor(given), outputs
            found.kernels.pop(name, None)  # of a call before: the last one's place
            found.kernels[name] = None
            if outputs is not None and len(outputs) == len(inputs):
                rows = outputs.detach().flatten(1).cpu().double()  # MPS has no fp64
                found.kernels[name] = centered(rows @ rows.T)

        return hook

    with torch.no_grad(), contextlib.ExitStack() as hooks:
        for name, module in model.named_modules():
            if _is_layer(module):
                hooks.enter_context(module.register_forward_hook(look(name)))
        outputs = forward(model, inputs)
    if found.last_outputs is None or found.last_outputs.shape != outputs.shape:
        found.last_inputs = None  # the layer that was called last is not the readout
    return found


def low_rank_measure(last_inputs: Tensor, last_outputs: Tensor) -> float | None:
    r"""Return $D_{LR}$ of Nam et al. (2024): 0 is rich, 1 is lazy.

    $D_{LR} = 1 - \mathrm{CKA}(T, T_{MP})$: $T$ is the kernel of the features before
    the last layer, $T_{MP}$, the minimum projection operator, projects on constants and
    on what the outputs span. It is 0 where the features have no direction but those
    that the outputs use, all of one size. On n inputs, with centred features $\Phi$ and
    an orthonormal basis $Q$ of the span of r centred outputs,
    $\mathrm{CKA} = \|Q^\top\Phi\|^2 / (\|\Phi^\top\Phi\| \sqrt r)$; the centring of the
    outputs before they are projected on is ours.

    Args:
        last_inputs: Features (..., num_features); all leading axes are inputs.
        last_outputs: Outputs (..., num_outputs).

    Returns:
        None if there are not more inputs than outputs, or features do not vary.
    """
    before = last_inputs.detach().flatten(0, -2).cpu().double()
    after = last_outputs.detach().flatten(0, -2).cpu().double()
    before, after = before - before.mean(0), after - after.mean(0)
    if len(after) <= after.shape[1] + 1 or not before.any() or not after.any():
        return None
    basis, sizes, _ = torch.linalg.svd(after, full_matrices=False)
    smallest = sizes.max() * max(after.shape) * torch.finfo(torch.float32).eps
    basis = basis[:, sizes > smallest]  # (n, rank)
    shared = (basis.T @ before).square().sum()
    gram = before.T @ before if len(before) > before.shape[1] else before @ before.T
    return 1 - (shared / gram.norm() / basis.shape[1] ** 0.5).item()


def _is_layer(module: nn.Module) -> bool:
    inside = dict(module.named_children())
    inside.pop("parametrizations", None)  # of its own weight, such as weight norm
    whole = not inside or isinstance(module, nn.MultiheadAttention)
    return whole and bool([*module.parameters()])


def _first_tensor(values: Any) -> Tensor | None:
    """Return the first tensor with rows in what a module is given, or gives."""
    if isinstance(values, Tensor):
        return values if values.dim() > 1 else None
    if isinstance(values, tuple | list):
        return next((v for v in map(_first_tensor, values) if v is not None), None)
    return None
