r"""How a network's outputs depend on its inputs: the Jacobian, row by row or in one.

$J = \partial f / \partial x$ at an input $x$ has a row for each of the C outputs. Of a
network of ReLUs without biases it is the linear map that the network is at $x$, so that
$f(x) = J x$. It is **aligned** where $J = c x^\top$, its **centroid**
$\mu = J^\top 1$ where $\mu = c x$ (Walker et al., 2025).

Outputs (..., C) must each depend on their own input (..., d) alone, as without batch
norm: leading axes are networks, inputs, or both.
"""

import torch
from torch import Tensor

SMALLEST = 1e-8
"""Of an estimate of the squared norm: below, its root would have no gradient."""


def projected_norm(
    outputs: Tensor, inputs: Tensor, directions: Tensor, *, graph: bool = True
) -> Tensor:
    r"""Return an estimate of $\|J\|_F$ at every input (...), from a few projections.

    $\sqrt{\max(\frac{C}{k} \sum_j \|v_j^\top J\|^2, \epsilon)}$ for unit vectors $v_j$.
    Its square is right on average over the sphere; the root is too small on average.

    Args:
        outputs: Shape (..., C), made of `inputs`.
        inputs: Shape (..., d), which need gradients.
        directions: Shape (k, ..., C), from `unit_directions`.
        graph: Whether the estimate is trained on, which needs a second backward pass.

    Source: Hoffman et al. (2019), arXiv:1908.02729; the root: Walker et al. (2025).
    """
    squares = [
        row.square().sum(-1)
        for row in _products(outputs, inputs, directions, graph=graph)
    ]
    estimate = outputs.shape[-1] * torch.stack(squares).mean(0)
    return estimate.clamp_min(SMALLEST).sqrt()


def unit_directions(outputs: Tensor, num: int, generator: torch.Generator) -> Tensor:
    """Return `num` unit vectors for each of the outputs (..., C), uniform in angle."""
    drawn = torch.randn(num, *outputs.shape, generator=generator)
    return (drawn / drawn.norm(dim=-1, keepdim=True)).to(outputs)


def jacobians(outputs: Tensor, inputs: Tensor) -> Tensor:
    """Return the whole Jacobians (..., C, d), by a backward pass for each output."""
    num = outputs.shape[-1]
    rows = torch.eye(num).to(outputs).view(num, *[1] * (outputs.dim() - 1), num)
    each = _products(outputs, inputs, rows.expand(num, *outputs.shape), graph=False)
    return torch.stack(each, dim=-2)


def centroids(outputs: Tensor, inputs: Tensor) -> Tensor:
    r"""Return $\mu = J^\top 1$ (..., d), by one backward pass.

    Source: Walker et al. (2025).
    """
    (found,) = _products(outputs, inputs, torch.ones_like(outputs)[None], graph=False)
    return found


def _products(
    outputs: Tensor, inputs: Tensor, directions: Tensor, *, graph: bool
) -> list[Tensor]:
    r"""Return $v^\top J$ (..., d) for every direction (k, ..., C)."""
    return [
        torch.autograd.grad(outputs, inputs, v, retain_graph=True, create_graph=graph)[
            0
        ]
        for v in directions
    ]


def row_alignment(jacobian: Tensor, inputs: Tensor) -> Tensor:
    r"""Return the cosine of each row of J with x (..., C); 0 where a row is zero.

    By it, and not by the centroid's, one sees alignment under cross-entropy: there the
    aligned optimum has rows that sum to zero.
    """
    return torch.cosine_similarity(jacobian, inputs.unsqueeze(-2), dim=-1)


def first_component(jacobian: Tensor) -> Tensor:
    r"""Return how much of J one direction is (...): $\sigma_1^2 / \sum_i \sigma_i^2$.

    It is 1 if J has rank one. Source: Walker et al. (2025).
    """
    squares = torch.linalg.svdvals(jacobian).square()
    return squares[..., 0] / squares.sum(-1)
