"""How close training is to the linearized model's, over the scale of the output."""

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.lazy_training.nets import TwoLayerNets, lesson, students
from lazyrich_helpers.reinit.tangent_kernel import stacked_gradients

DISTANCES = ("from_start", "from_linear", "outputs_apart")
"""What is measured of a training: `LawSettings` says which laws it should obey."""


@dataclass(frozen=True, kw_only=True)
class LawSettings:
    r"""A centred tanh net, trained in small steps beside its linearization.

    At a fixed horizon T, where $h(w_0) = 0$: $\sup_t \|w_\alpha - w_0\| = O(1/\alpha)$,
    $\sup_t \|w_\alpha - \bar w_\alpha\| = O(1/\alpha^2)$ and
    $\sup_t \|\alpha h(w_\alpha) - \alpha \bar h(\bar w_\alpha)\| = O(1/\alpha)$.

    Source: Chizat, Oyallon & Bach (2019), Theorem 2.2. The net is ours: the theorem
    asks for smooth units.
    """

    alphas: tuple[float, ...]
    """Scales of the output, α."""
    num_inputs: int = 5
    num_units: int = 40
    num_examples: int = 20
    num_steps: int = 2000
    step_size: float = 0.05
    """T is the number of steps times it."""
    seeds: tuple[int, ...] = tuple(range(10))


def law_point(settings: LawSettings, alpha: float, device: str) -> pd.DataFrame:
    """Return the largest distances during training at scale α, a row a seed."""
    nets, inputs, goals = _start(settings, device)
    start, first = nets.vectors(), nets(inputs).detach()
    slopes = stacked_gradients(nets, inputs)  # (num, n, p): the linearized model, whole
    moved = torch.zeros_like(start)  # its parameters, less the start
    largest = torch.zeros(len(DISTANCES), len(start)).to(start)
    size = settings.step_size / settings.num_examples
    for _ in range(settings.num_steps):
        outputs = alpha * (nets(inputs) - first)
        pulls = torch.autograd.grad(  # half the squares' gradient, all nets at once
            (outputs - goals).square().sum() / (2 * alpha**2), list(nets.parameters())
        )
        linear = alpha * (slopes @ moved[..., None])[..., 0]
        pull = ((linear - goals)[:, None] @ slopes)[:, 0] / alpha
        with torch.no_grad():
            moved = moved - size * pull
            for p, own in zip(nets.parameters(), pulls, strict=True):
                p -= size * own
            apart = alpha * (nets(inputs) - first - (slopes @ moved[..., None])[..., 0])
        now = nets.vectors() - start
        norms = [each.norm(dim=1) for each in (now, now - moved, apart)]
        largest = torch.maximum(largest, torch.stack(norms))
    with torch.no_grad():
        loss = (alpha * (nets(inputs) - first) - goals).square().mean(1) / 2
    rows = {"seed": list(settings.seeds), "train_loss": loss.tolist()}
    measured = zip(DISTANCES, largest.tolist(), strict=True)
    return pd.DataFrame(rows | dict(measured))


def _start(settings: LawSettings, device: str) -> tuple[TwoLayerNets, Tensor, Tensor]:
    """Return the nets, their inputs and the teacher's outputs, all in fp64."""
    task = lesson(settings.seeds, settings.num_inputs, settings.num_examples)
    nets = students(
        settings.seeds, settings.num_units, settings.num_inputs,
        symmetric=False, scale=settings.num_units**-0.5, smooth=True,
    )  # fmt: skip
    return nets.to(device), task.inputs.to(device), task.goals.to(device)


LAWS = Study(
    name="lazy-laws",
    says="Distances between training and its linearization over the output's scale",
    point=law_point,
    over="alphas",
    budgets={
        "smoke": LawSettings(alphas=(30.0, 300.0), num_steps=50, seeds=(0, 1)),
        "laptop": LawSettings(
            alphas=(1.0, 10.0, 100.0, 1000.0), num_steps=300, seeds=(0, 1, 2)
        ),
        "paper": LawSettings(alphas=(1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)),
    },
    arithmetic="fp64",
)
