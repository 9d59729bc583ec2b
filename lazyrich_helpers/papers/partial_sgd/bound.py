"""The bound of PARTIAL SGD, against measured gradient norms on a quadratic."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.random_streams import generator

SMOOTHNESS = 1.0
"""L: the largest curvature of the quadratic."""


@dataclass(frozen=True, kw_only=True)
class BoundSettings:
    """A quadratic, and masks of which the first block is always trained."""

    rhos: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
    """Probabilities that the other blocks are trained; 0: never."""
    radii: tuple[float, ...] = (0.0, 0.1, 0.3)
    """Lengths of the perturbation, uphill."""
    dimension: int = 40
    num_blocks: int = 4
    num_steps: int = 4000
    lr: float = 0.1
    noise: float = 1.0
    """σ: root mean square length of the gradient's noise."""
    seeds: tuple[int, ...] = tuple(range(20))


def bound(
    f_start: float, lr: float, num_steps: int, noise: float, squares: float
) -> float:
    r"""Return what the mean of $\lVert p_t \odot \nabla f(x_t) \rVert^2$ is below.

    For an L-smooth f, $\gamma \le 1/L$, an unbiased gradient with variance at most
    $\sigma^2$, and masks and perturbations independent of the step's noise,

    $$\frac{1}{T} \sum_t E \lVert p_t \odot \nabla f(x_t) \rVert^2 \le
    \frac{2 F_0}{\gamma T} + L \gamma \sigma^2 +
    \frac{L^2}{T} \sum_t E \lVert \delta x_t \rVert^2 .$$

    If masks keep a share α of the squared gradient on average, the mean of
    $\lVert \nabla f(x_t) \rVert^2$ is below this divided by α.

    Args:
        f_start: $F_0 = f(x_0) - \inf f$.
        lr: γ.
        num_steps: T.
        noise: σ.
        squares: Mean of $\lVert \delta x_t \rVert^2$.

    Source: derived for this book, of the form that we remember the paper's to have; not
    the paper's own theorem.
    """
    smooth = SMOOTHNESS
    return 2 * f_start / (lr * num_steps) + smooth * lr * noise**2 + smooth**2 * squares


def point(settings: BoundSettings, rho: float, device: str) -> pd.DataFrame:
    """Return measured means and bounds of every perturbation and seed."""
    frames = [_descended(settings, rho, radius) for radius in settings.radii]
    return pd.concat(frames, ignore_index=True)


def _descended(settings: BoundSettings, rho: float, radius: float) -> pd.DataFrame:
    curvature = torch.linspace(0.05, SMOOTHNESS, settings.dimension).double()
    curvature = curvature.view(settings.num_blocks, -1).T.flatten()  # mixed in blocks
    streams = [generator("quadratic", seed) for seed in settings.seeds]
    masked, full, start = descend(settings, curvature, rho, radius, streams)
    limit = bound(start, settings.lr, settings.num_steps, settings.noise, radius**2)
    alpha = rho if rho else np.nan  # nothing is promised of what never moves
    return pd.DataFrame(
        {
            "seed": settings.seeds,
            "radius": radius,
            "masked": masked.numpy(),
            "full": full.numpy(),
            "bound": limit,
            "full_bound": limit / alpha,
        }
    )


def descend(
    settings: BoundSettings,
    curvature: Tensor,
    rho: float,
    radius: float,
    streams: list[torch.Generator],
) -> tuple[Tensor, Tensor, float]:
    r"""Descend $f(x) = \frac12 \sum_i h_i x_i^2$; return two means, of each seed.

    The mean squared length of the masked and of the whole gradient over the steps, and
    $F_0$, which is the same for all.
    """
    num, size = len(streams), settings.dimension
    x = torch.ones(num, size, dtype=torch.float64)
    start = float(0.5 * (curvature * x[0] ** 2).sum())
    first = torch.arange(size) < size // settings.num_blocks
    masked, full = torch.zeros(num).double(), torch.zeros(num).double()
    for _ in range(settings.num_steps):
        drawn = [torch.rand(settings.num_blocks, generator=s) < rho for s in streams]
        moves = torch.stack(drawn).repeat_interleave(size // settings.num_blocks, 1)
        moves = moves | first
        noises = [torch.randn(size, generator=s, dtype=x.dtype) for s in streams]
        noise = torch.stack(noises) * settings.noise / size**0.5
        gradient = curvature * x
        masked += (gradient * moves).square().sum(1)
        full += gradient.square().sum(1)
        length = gradient.norm(dim=1, keepdim=True).clamp_min(1e-12)
        there = x + radius * gradient / length
        x = x - settings.lr * moves * (curvature * there + noise)
    return masked / settings.num_steps, full / settings.num_steps, start


BOUND = Study(
    name="partial-bound",
    says="PARTIAL SGD on a quadratic: mean squared gradients, masked and whole, and "
    "their bounds",
    point=point,
    over="rhos",
    budgets={
        "smoke": BoundSettings(rhos=(0.2, 1.0), num_steps=100, seeds=(0, 1)),
        "laptop": BoundSettings(rhos=(0.1, 1.0), num_steps=1000, seeds=(0, 1, 2)),
        "paper": BoundSettings(),
    },
    arithmetic="fp64",
)
