r"""The XOR of two inputs among thousands, learned late by a wide network.

$y = x_1 x_2$ with $x_1, x_2 = \pm 1$, and p − 2 more entries $\pm 0.05$ that say
nothing. A network of one hidden layer first fits them, then finds the two that count.
"""

import functools
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.papers.grokalign.input_jacobian import jacobians, projected_norm
from lazyrich_helpers.papers.grokalign.nets import drawn_weights, outputs
from lazyrich_helpers.random_streams import generator


@dataclass(frozen=True, kw_only=True)
class XorSettings:
    """The paper: p = 40,000, width 2,048, λ = 1."""

    penalties: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0)
    """λ, of GrokAlign."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    num_inputs: int = 20_000
    width: int = 256
    train_size: int = 400
    num_test: int = 200
    lr: float = 0.1
    weight_decay: float = 0.1
    num_steps: int = 1000
    every: int = 10
    noise_std: float = 1.0
    """Of the Gaussian noise on all inputs but the two, in the noisy test."""


@dataclass(frozen=True)
class XorProblem:
    """Data of every seed and its first layer, in coordinates that training can reach.

    Gradient descent adds multiples of training inputs to the first layer's rows, and
    a penalty on the Jacobian multiples of the rows: what is orthogonal to both stays
    zero. In an orthonormal basis of their span nothing changes but the cost.
    """

    first: Tensor
    """The first layer (num, width, r), with r = width + train_size."""
    second: Tensor
    train: Tensor
    """Inputs (num, n, r)."""
    train_labels: Tensor
    """−1 or 1, (num, n)."""
    test: Tensor
    noisy: Tensor
    test_labels: Tensor
    test_norms: Tensor
    """Of the whole test inputs (num, n), which the span does not hold."""


def xor_inputs(num: int, num_inputs: int, draws: torch.Generator) -> Tensor:
    """Return inputs (num, num_inputs), fp64, of signs; all but two are small."""
    signs = torch.randint(2, (num, num_inputs), generator=draws).double() * 2 - 1
    signs[:, 2:] *= 0.05
    return signs


@functools.lru_cache(maxsize=1)  # for every penalty the same
def xor_problem(settings: XorSettings, device: str) -> XorProblem:
    """Return the problem of each seed."""
    parts: list[list[Tensor]] = []
    for seed in settings.seeds:
        draws = generator("grokalign_xor", seed)
        num, size = settings.num_test, settings.num_inputs
        train = xor_inputs(settings.train_size, size, draws)
        test = xor_inputs(num, size, draws)
        noise = settings.noise_std * torch.randn(num, size, generator=draws)
        noise[:, :2] = 0
        sizes = [settings.num_inputs, settings.width, 1]
        first, second = (w[0].detach() for w in drawn_weights(sizes, [seed]))
        spanning = torch.cat([first.double(), train])
        # With Z = L Q and orthonormal rows Q, the rows of L are Z's coordinates.
        gram = spanning @ spanning.T
        lower = torch.linalg.cholesky(gram)
        others = torch.cat([test, test + noise])
        solved = torch.linalg.solve_triangular(lower, spanning @ others.T, upper=False)
        parts.append([
            lower[: settings.width],
            second,
            lower[settings.width :],
            train[:, 0] * train[:, 1],
            *solved.T.split(num),
            test[:, 0] * test[:, 1],
            test.norm(dim=1),
        ])  # fmt: skip
    stacked = [
        torch.stack(each).float().to(device) for each in zip(*parts, strict=True)
    ]
    return XorProblem(*stacked)


def xor(settings: XorSettings, penalty: float, device: str) -> pd.DataFrame:
    r"""Return a row for each seed and measured step at one penalty.

    The loss is $\frac1n \sum (f(x) - y)^2$ and λ times the mean of $\|J\|$. There is
    one output, so that one projection is exact.
    """
    problem = xor_problem(settings, device)
    weights = [w.clone().requires_grad_() for w in (problem.first, problem.second)]
    optimizer = torch.optim.SGD(
        weights, lr=settings.lr, weight_decay=settings.weight_decay
    )
    frames = []
    for step in range(settings.num_steps + 1):
        if step % settings.every == 0:
            found = pd.DataFrame(xor_measured(weights, problem)).round(4)
            found.insert(0, "seed", list(settings.seeds))
            found.insert(1, "step", step)
            frames.append(found)
        inputs = problem.train.clone().requires_grad_(penalty > 0)
        scores = outputs(weights, inputs)
        total = (scores[..., 0] - problem.train_labels).square().mean(-1).sum()
        if penalty:
            one = torch.ones_like(scores)[None]
            total = total + penalty * projected_norm(scores, inputs, one).mean(-1).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    return pd.concat(frames, ignore_index=True)


def xor_measured(weights: list[Tensor], problem: XorProblem) -> dict[str, list[float]]:
    """Return accuracies and alignment of each network, by name."""
    inputs = problem.test.clone().requires_grad_()
    scores = outputs(weights, inputs)
    jacobian = jacobians(scores, inputs)[..., 0, :]  # (num, n, r)
    along = (jacobian * inputs).sum(-1)
    norms = jacobian.norm(dim=-1)
    cosine = along / (norms * problem.test_norms).clamp_min(1e-12)

    def accuracy(x: Tensor, y: Tensor) -> list[float]:
        with torch.no_grad():
            return (outputs(weights, x)[..., 0] * y > 0).double().mean(-1).tolist()

    return {
        "train": accuracy(problem.train, problem.train_labels),
        "test": accuracy(problem.test, problem.test_labels),
        "noisy": accuracy(problem.noisy, problem.test_labels),
        "alignment": cosine.abs().mean(-1).tolist(),
        "norm": norms.mean(-1).tolist(),
    }
