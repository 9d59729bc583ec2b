"""The loss around a network's parameters: how sharp it is, how it lies along a step.

Many networks are looked at together: `losses` maps the parameters of each, a row of
(num, num_parameters), to its loss (num,), which no other row may change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.func import grad, jvp

from lazyrich_helpers.config import require

if TYPE_CHECKING:
    from jaxtyping import Float

Losses = Callable[[Tensor], Tensor]


def hessian_product(
    losses: Losses, parameters: Float[Tensor, "num p"], directions: Tensor
) -> Float[Tensor, "num p"]:
    """Return each network's Hessian times its row of `directions` (num, p)."""
    gradient = grad(lambda rows: losses(rows).sum())
    return jvp(gradient, (parameters,), (directions,))[1]


def sharpness(
    losses: Losses,
    parameters: Float[Tensor, "num p"],
    *,
    num_steps: int = 16,
    generator: torch.Generator,
) -> Float[Tensor, " num"]:
    r"""Return the largest eigenvalue of each network's Hessian, by Lanczos' method.

    After $k$ steps it is the largest of the tridiagonal matrix $Q^\top H Q$, where $Q$
    is an orthonormal basis of $v, Hv, \ldots, H^{k-1}v$ and $v$ is random: never above
    the true one, up to rounding. The basis is kept orthogonal by projecting twice.
    Where $v, Hv, \ldots$ span fewer than $k$ directions it is filled up with rounding,
    and a largest eigenvalue below 0 may be found as about 0.

    Args:
        losses: Rows of parameters → losses; see this module.
        parameters: Shape (num, num_parameters).
        num_steps: Products with the Hessian; no more than parameters are of use.
        generator: Draws $v$, on the CPU.

    Raises:
        ValueError: If there is no step.
    """
    require(num_steps >= 1, "num_steps", "at least 1", num_steps)
    parameters = parameters.detach()
    num, size = parameters.shape
    drawn = torch.randn(num, size, generator=generator, dtype=parameters.dtype)
    direction = torch.nn.functional.normalize(drawn.to(parameters.device), dim=1)
    basis, products = [], []
    for _ in range(min(num_steps, size)):
        basis.append(direction)
        product = hessian_product(losses, parameters, direction)
        products.append(product)
        rest = product
        for _ in range(2):  # once leaves rounding that grows from step to step
            for known in basis:
                rest = rest - (rest * known).sum(1, keepdim=True) * known
        direction = torch.nn.functional.normalize(rest, dim=1)
    projected = torch.einsum(
        "inp,jnp->nij", torch.stack(basis), torch.stack(products)
    )  # (num, k, k)
    symmetric = (projected + projected.mT) / 2
    finite = symmetric.isfinite().all(2).all(1)  # a diverged network has none
    largest = torch.linalg.eigvalsh(symmetric[finite].double())[:, -1]
    found = symmetric.new_full((num,), float("nan"))
    found[finite] = largest.to(found.dtype)
    return found


def slopes_along(
    losses: Losses,
    before: Float[Tensor, "num p"],
    after: Float[Tensor, "num p"],
    places: Sequence[float],
) -> tuple[Float[Tensor, "places num"], Float[Tensor, "places num"]]:
    r"""Return losses and slopes along the lines from `before` to `after`.

    The slope at place $s$ is $\frac{d}{ds} L(\theta + s\,\Delta)$, where $\Delta$ leads
    from `before` ($s = 0$) to `after` ($s = 1$). It is exact, so that a line can be
    told to be convex, its slope never falling, where losses differ by less than
    rounding.
    """
    moved = after - before
    found = [jvp(losses, (before + s * moved,), (moved,))[:2] for s in places]
    heights, slopes = (torch.stack(values) for values in zip(*found, strict=True))
    return heights, slopes
