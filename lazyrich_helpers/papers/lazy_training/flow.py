"""A linearized convolutional net trained for as long as one likes, without a step."""

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.models.linearized import linearized_outputs
from lazyrich_helpers.models.vectors import flat_parameters, named_parts
from lazyrich_helpers.papers.lazy_training.images import doubled, started_net


@dataclass(frozen=True, kw_only=True)
class FlowSettings:
    """The Conv-Net of `IMAGES` at its start, linearized there."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    times: tuple[float, ...] = tuple(
        float(f"{10 ** (k / 16):.4g}") for k in range(0, 97)
    )
    """Of gradient flow; a step of SGD with momentum μ takes η / (1 − μ)."""
    channels: int = 8
    num_layers: int = 2
    train_size: int = 1000


def flow_point(settings: FlowSettings, seed: int, device: str) -> pd.DataFrame:
    r"""Return loss and accuracy of one seed's linearized net over training time.

    Under the square loss gradient flow of $\bar h(w_0 + \delta) - h(w_0) = J\delta$ is
    $\dot\delta = J^\top(y - J\delta)/n$, solved in the eigenvectors of $J^\top J/n$.
    """
    data = doubled(images("digits", train_size=settings.train_size).load(device))
    train, test = data["train"], data["test"]
    net = started_net(settings.channels, settings.num_layers, seed, train)
    slopes = derivatives(net, train.images)
    goals = nn.functional.one_hot(train.labels, 10).to(slopes).flatten()
    num = len(train.labels)
    sizes, axes = torch.linalg.eigh(slopes.T @ slopes / num)
    pull = axes.T @ (slopes.T @ goals) / num
    slopes_of_test = derivatives(net, test.images)

    rows = []
    for time in settings.times:
        way = axes @ (pull * _grown(sizes, time))
        loss = (slopes @ way - goals).square().sum() / (2 * num)
        outputs = (slopes_of_test @ way).view(len(test.labels), 10)
        right = (outputs.argmax(1) == test.labels).double().mean()
        rows.append((seed, time, loss.item(), right.item()))
    return pd.DataFrame(rows, columns=["seed", "time", "train_loss", "test_accuracy"])


def _grown(sizes: Tensor, time: float) -> Tensor:
    """Return (1 − e^{−s t}) / s of eigenvalues s, t where s is 0 but for rounding."""
    sizes = sizes.clamp(min=1e-14)
    return -torch.expm1(-sizes * time) / sizes


def derivatives(net: nn.Module, inputs: Tensor) -> Tensor:
    """Return the derivative of every output of every image, (n · outputs, p)."""
    start = flat_parameters(net)
    columns = torch.empty(len(start), len(inputs) * 10).to(start)
    for place in range(len(start)):
        there = start.clone()
        there[place] += 1
        own = named_parts(net, start), named_parts(net, there)
        columns[place] = linearized_outputs(net, *own, inputs)[1].flatten()
    return columns.T


FLOW = Study(
    name="lazy-images-flow",
    says="The linearized Conv-Net on digits over training time, by gradient flow",
    point=flow_point,
    over="seeds",
    budgets={
        "smoke": FlowSettings(
            seeds=(0,), times=(1.0, 100.0), channels=2, train_size=100
        ),
        "laptop": FlowSettings(seeds=(0, 1), channels=4, train_size=200),
        "paper": FlowSettings(),
    },
    arithmetic="fp64",
)
