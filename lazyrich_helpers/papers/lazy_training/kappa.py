r"""The relative scale κ: how lazy a net will be, from its start alone.

$\kappa_h(w_0) = \|h(w_0) - y\|\, \|D^2 h(w_0)\| / \|Dh(w_0)\|^2$, for the square loss:
by how much a step changes the derivative, relatively, over how much it changes the
loss. Training is lazy where it is far below 1.
"""

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.lazy_training.nets import TwoLayerNets, lesson, students
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.reinit.tangent_kernel import stacked_gradients

NUM_STARTS = 4
NUM_ITERATIONS = 20
"""Of the alternating maximization, from each start."""


@dataclass(frozen=True, kw_only=True)
class KappaSettings:
    r"""Two-layer tanh nets at their start, with outputs of 1/√m and of 1/m.

    The paper's bound for $h = \alpha(m) \sum_j b_j \phi(a_j x)$ is
    $E\,\kappa \lesssim m^{-1/2} + (m\, \alpha(m))^{-1}$.
    """

    widths: tuple[int, ...]
    """Units, m."""
    num_inputs: int = 5
    num_examples: int = 20
    seeds: tuple[int, ...] = tuple(range(10))


def relative_scale(nets: TwoLayerNets, inputs: Tensor, goals: Tensor) -> Tensor:
    r"""Return κ of each net (num,), on inputs (num, n, d) and goals (num, n).

    All norms are operator norms between Euclidean spaces; $1/\sqrt n$ cancels.
    """
    with torch.no_grad():
        distance = (nets(inputs) - goals).norm(dim=1)
    first = torch.linalg.matrix_norm(stacked_gradients(nets, inputs), ord=2)
    return distance * _second(nets, inputs) / first.square()


@torch.no_grad()
def _second(nets: TwoLayerNets, inputs: Tensor) -> Tensor:
    r"""Return ‖D²h‖ = max g·D²h(u, u) over unit vectors g, u (num,).

    Units share no second derivative, so that the maximum is that of one unit. Of each
    it is sought in turns: g fixed, u is an eigenvector; u fixed, g is along D²h(u, u).
    That may end at a lower maximum: the best of `NUM_STARTS` is taken.
    """
    units = nets.preactivations(inputs).tanh()  # (num, m, n)
    slope = nets.scale * (1 - units.square())
    curve = -2 * units * slope * nets.readout[..., None]
    best = torch.zeros(units.shape[:2]).to(units)
    draws = generator("lazy_training/kappa")
    for _ in range(NUM_STARTS):
        weights = torch.randn(units.shape[2], generator=draws).to(units)  # g
        weights = (weights / weights.norm()).expand_as(units)
        value = best
        for _ in range(NUM_ITERATIONS):
            sizes, vectors = torch.linalg.eigh(_form(weights, slope, curve, inputs))
            place = sizes.abs().argmax(-1)[..., None, None]
            u = vectors.take_along_dim(place, -1)[..., 0]  # (num, m, d + 1)
            along = u[..., :-1] @ inputs.transpose(1, 2)
            bent = curve * along.square() + 2 * slope * along * u[..., -1:]
            value = bent.norm(dim=2)
            weights = bent / value[..., None]
        best = torch.maximum(best, value)
    return best.max(1).values


def _form(weights: Tensor, slope: Tensor, curve: Tensor, inputs: Tensor) -> Tensor:
    """Return the matrix of g·D²h in each unit's (a, b): (num, m, d + 1, d + 1)."""
    hidden = torch.einsum("smn,snd,sne->smde", weights * curve, inputs, inputs)
    mixed = (weights * slope) @ inputs  # (num, m, d)
    upper = torch.cat([hidden, mixed[..., None]], dim=-1)
    lower = torch.cat([mixed, torch.zeros_like(mixed[..., :1])], dim=-1)
    return torch.cat([upper, lower[..., None, :]], dim=-2)


def kappa_point(settings: KappaSettings, width: int, device: str) -> pd.DataFrame:
    """Return κ of both scalings at a width, two rows a seed."""
    seeds = settings.seeds
    task = lesson(seeds, settings.num_inputs, settings.num_examples)
    frames = []
    for scaling, scale in (("1/√m", width**-0.5), ("1/m", 1 / width)):
        nets = students(
            seeds, width, settings.num_inputs,
            symmetric=False, scale=scale, smooth=True,
        )  # fmt: skip
        inputs, goals = task.inputs.to(device), task.goals.to(device)
        kappa = relative_scale(nets.to(device), inputs, goals).tolist()
        frames.append(pd.DataFrame({"scaling": scaling, "seed": seeds, "kappa": kappa}))
    return pd.concat(frames)


KAPPA = Study(
    name="lazy-kappa",
    says="The relative scale κ at the start over the width, for 1/√m and 1/m",
    point=kappa_point,
    over="widths",
    budgets={
        "smoke": KappaSettings(widths=(8, 32), num_examples=5, seeds=(0, 1)),
        "laptop": KappaSettings(widths=(8, 32, 128), seeds=(0, 1, 2)),
        "paper": KappaSettings(widths=(8, 16, 32, 64, 128, 256, 512, 1024)),
    },
    arithmetic="fp64",
)
