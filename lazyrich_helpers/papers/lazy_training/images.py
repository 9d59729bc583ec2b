"""A small convolutional net on digits, from richly trained to linearized.

The linearized one also for as long as one likes, without a step, by gradient flow.
"""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from lazyrich_helpers.data.datasets import Dataset, Split, images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.measures.laziness import kept_states
from lazyrich_helpers.models.convnets import conv_net
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.models.linearized import Linearized, linearized_outputs
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.vectors import flat_parameters, named_parts
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.objectives import Scaled

BATCH = 128
MOMENTUM = 0.9
"""As the paper's code; it has no weight decay either."""


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """A centred Conv-Net under the square loss, over the scale of its output."""

    inverse_alphas: tuple[float, ...]
    """1/α; at 0 the linearized net, the limit: of it α changes nothing."""
    lrs: tuple[float, ...] = (0.03, 0.1)
    """Learning rates at the start. In epoch e (from 0) they are divided by 1 + e/3."""
    channels: int = 8
    num_layers: int = 2
    """Of convolutions."""
    train_size: int = 1000
    num_epochs: int = 30
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


def image_point(
    settings: ImageSettings, inverse_alpha: float, device: str
) -> pd.DataFrame:
    """Return what trainings at 1/α end in, a row for each learning rate and seed."""
    data = doubled(images("digits", train_size=settings.train_size).load(device))
    rows = [
        {"lr": lr, "seed": seed, **_trained(settings, inverse_alpha, lr, seed, data)}
        for lr in settings.lrs
        for seed in settings.seeds
    ]
    return pd.DataFrame(rows)


def doubled(data: Dataset) -> dict[str, Split]:
    """Return the splits with images in fp64."""
    splits = {"train": data.train, "held_out": data.held_out, "test": data.test}
    return {
        name: Split(split.images.double(), split.labels)
        for name, split in splits.items()
    }


def started_net(channels: int, num_layers: int, seed: int, train: Split) -> Network:
    """Return a Conv-Net for digits at its start, in fp64."""
    net = conv_net(channels, num_layers, (1, 8, 8), 10)
    XavierNormal().initialize_(net, seed, train.images[:BATCH].cpu())
    return net.double().to(train.labels.device)


def _trained(
    settings: ImageSettings,
    inverse_alpha: float,
    lr: float,
    seed: int,
    data: dict[str, Split],
) -> dict[str, Any]:
    """Train one net; return losses, accuracies and how far it went."""
    train = data["train"]
    net = started_net(settings.channels, settings.num_layers, seed, train)
    model: nn.Module = net if inverse_alpha else Linearized(net)
    start = flat_parameters(model)
    scale = 1 / inverse_alpha if inverse_alpha else 1.0
    objective = Scaled(output_scale=scale, loss_kind="square")
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=MOMENTUM)
    for epoch in range(settings.num_epochs):
        optimizer.param_groups[0]["lr"] = lr / (1 + epoch / 3)
        stream = generator("lazy_training/order", seed, epoch)
        order = torch.randperm(len(train), generator=stream).to(start.device)
        for batch in order.split(BATCH):
            optimizer.zero_grad()
            pair = train.images[batch], train.labels[batch]
            objective.loss(model, *pair, start).backward()  # type: ignore[arg-type]
            optimizer.step()

    found: dict[str, Any] = {}
    with torch.no_grad():
        for name, split in data.items():
            outputs = objective.outputs(model, split.images, start)  # type: ignore
            right = (outputs.argmax(1) == split.labels).double().mean().item()
            found[f"{name}_accuracy"] = right
        loss = objective.loss(model, train.images, train.labels, start)  # type: ignore
    found["train_loss"] = loss.item() * scale**2
    found |= {"moved": math.nan, "kept_states": math.nan}
    if inverse_alpha:  # a linearized net's units have no states of their own
        moved = (flat_parameters(net) - start).norm() / start.norm()
        found["moved"] = moved.item()
        found["kept_states"] = kept_states(net, start, data["test"].images)
    return found


IMAGES = Study(
    name="lazy-images",
    says="A small Conv-Net on digits over the scale of its output, and linearized",
    point=image_point,
    over="inverse_alphas",
    budgets={
        "smoke": ImageSettings(
            inverse_alphas=(1.0, 0.0), lrs=(0.03,), channels=2, train_size=100,
            num_epochs=2, seeds=(0,),
        ),
        "laptop": ImageSettings(
            inverse_alphas=(1.0, 0.01, 0.0), lrs=(0.03,), channels=4, train_size=200,
            num_epochs=10, seeds=(0, 1),
        ),
        "paper": ImageSettings(
            inverse_alphas=(4.0, 1.0, 0.1, 0.001, 0.0)
        ),
    },
    arithmetic="fp64",
)  # fmt: skip


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
