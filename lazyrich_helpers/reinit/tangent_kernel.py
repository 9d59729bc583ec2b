r"""The tangent kernel of any network on a few inputs, and how alike two kernels are.

$K_{ij} = \sum_c \nabla_\theta f_c(x_i) \cdot \nabla_\theta f_c(x_j)$: the empirical
kernel of Jacot et al. (2018), summed over the outputs $c$. Training is lazy as far as
it does not change (Chizat et al., 2019).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lazyrich_helpers.random_streams import generator

Forward = Callable[[nn.Module, Tensor], Tensor]
"""Maps a model and inputs (n, ...) to outputs (n, ...)."""
HELD = 1 << 28
"""Numbers of gradients held at once: 1 GB in fp32."""
NUM_DIRECTIONS = 10
"""Outputs up to which the sum is exact. Of more outputs it is estimated."""

ROUNDING = 1e-10
"""Of a kernel's norm: a centred one of less counts as zero."""


@dataclass(frozen=True)
class KernelChange:
    """How a kernel after training differs from the one before; None: one is zero."""

    relative_change: float | None
    r"""$\|K^T - K^0\| / \|K^0\|$: what lazy training keeps small."""
    distance: float | None
    r"""$1 - \langle K^0, K^T\rangle / (\|K^0\| \|K^T\|)$ of Fort et al. (2020), which
    does not see that a kernel grows."""
    centered_alignment: float | None
    """The cosine of the kernels less their mean over inputs (Cortes et al., 2012). What
    all inputs have in common hides changes from the distance."""
    num_inputs: int

    @property
    def has_only_grown(self) -> bool:
        """Whether most of a large change is in the kernel's size."""
        change, turned = self.relative_change, self.distance
        return change is not None and turned is not None and change > 1 > 10 * turned


def kernel_change(before: Tensor, after: Tensor) -> KernelChange:
    """Compare two kernels (n, n) of the same inputs."""
    cosine, norm = alignment(before, after), before.norm().item()
    return KernelChange(
        relative_change=(after - before).norm().item() / norm if norm else None,
        distance=None if cosine is None else 1 - cosine,
        centered_alignment=alignment(centered(before), centered(after)),
        num_inputs=len(before),
    )


def alignment(one: Tensor, two: Tensor) -> float | None:
    r"""Return $\langle K, L\rangle / (\|K\| \|L\|)$ of two kernels (n, n), 0 to 1.

    None if one of them is zero. Of centred kernels of features it is linear CKA.

    Source: Cortes et al. (2012); Kornblith et al. (2019).
    """
    norms = (one.norm() * two.norm()).item()
    return min(1.0, (one * two).sum().item() / norms) if norms else None


def centered(kernel: Tensor) -> Tensor:
    """Return the kernel (n, n) of features less their mean over the n inputs.

    It is zero, and not what rounding leaves, where features do not vary.
    """
    without = kernel - kernel.mean(0)
    without = without - without.mean(1, keepdim=True)
    return without * (without.norm() > ROUNDING * kernel.norm())


def tangent_kernel(model: nn.Module, inputs: Tensor, forward: Forward) -> Tensor:
    """Return the tangent kernel (n, n), fp64, of all the model's parameters.

    Of more than `NUM_DIRECTIONS` outputs as many random combinations v are taken, the
    same ones at every call. For independent standard normal v the mean of
    (∇f(x)·v) (∇f(x')·v) is the sum over outputs; ours is the number of combinations.
    Each input goes through the model alone, so that any model will do, and parameters
    are taken in groups, so that memory does for any size.

    Args:
        model: In the mode that is meant; left as it is, but for `requires_grad`.
        inputs: Shape (n, ...).
        forward: How the model is called.
    """
    kernel = torch.zeros(len(inputs), len(inputs), dtype=torch.float64)
    parameters = [p.requires_grad_() for p in model.parameters()]
    with torch.no_grad():
        directions = _directions(forward(model, inputs[:1]))
    # cuDNN has no backward pass of recurrent layers in evaluation mode.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        for group in _groups(parameters, HELD // len(inputs)):
            size = sum(p.numel() for p in group)
            wide = torch.promote_types(group[0].dtype, torch.float32)
            rows = torch.empty(len(inputs), size).to(group[0].device, wide)
            for direction in directions:
                for row, one in zip(rows, inputs.split(1), strict=True):
                    combined = forward(model, one).flatten() @ direction
                    each = torch.autograd.grad(combined, group, materialize_grads=True)
                    torch.cat([gradient.flatten() for gradient in each], out=row)
                kernel += (rows @ rows.T).cpu().double()
    return kernel


def _directions(outputs: Tensor) -> Tensor:
    """Return combinations (num, outputs) over which squares sum as over all outputs."""
    size = outputs.numel()
    if size <= NUM_DIRECTIONS:
        return torch.eye(size).to(outputs)
    drawn = torch.randn(
        NUM_DIRECTIONS, size, generator=generator("tangent_kernel", size)
    )
    return (drawn / NUM_DIRECTIONS**0.5).to(outputs)


def _groups(parameters: Sequence[Tensor], limit: int) -> Iterator[list[Tensor]]:
    """Yield all parameters in order: at most `limit` numbers, or one tensor."""
    group: list[Tensor] = []
    for p in parameters:
        if group and sum(q.numel() for q in group) + p.numel() > limit:
            yield group
            group = []
        group.append(p)
    yield group


def stacked_tangent_kernels(networks: nn.Module, inputs: Tensor) -> Tensor:
    """Return the tangent kernel (num, n, n) of each network of `stacked_gradients`."""
    features = stacked_gradients(networks, inputs)
    return features @ features.transpose(1, 2)


def stacked_gradients(networks: nn.Module, inputs: Tensor) -> Tensor:
    """Return each output's gradient, (num, n, parameters of one network).

    The networks, of one output each, are one module that maps inputs (num, n, ...) to
    outputs (num, n); its parameters have a first axis of networks, and no output
    depends on another network's. One backward pass then does an input of each.
    """
    parameters = list(networks.parameters())
    outputs = networks(inputs)
    rows = []
    for column in outputs.unbind(1):
        each = torch.autograd.grad(column.sum(), parameters, retain_graph=True)
        rows.append(torch.cat([gradient.flatten(1) for gradient in each], dim=1))
    return torch.stack(rows, dim=1)
