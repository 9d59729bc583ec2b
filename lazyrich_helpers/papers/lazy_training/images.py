"""A small convolutional net on digits, from richly trained to linearized."""

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
from lazyrich_helpers.models.linearized import Linearized
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.vectors import flat_parameters
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
    _descend(model, objective, start, train, lr, seed, settings.num_epochs)

    found: dict[str, Any] = {}
    with torch.no_grad():
        for name, split in data.items():
            outputs = objective.outputs(model, split.images, start)  # type: ignore
            right = (outputs.argmax(1) == split.labels).double().mean().item()
            found[f"{name}_accuracy"] = right
        loss = objective.loss(model, *_pair(train), start)  # type: ignore
    found["train_loss"] = loss.item() * scale**2
    found |= {"moved": math.nan, "kept_states": math.nan}
    if inverse_alpha:  # a linearized net's units have no states of their own
        moved = (flat_parameters(net) - start).norm() / start.norm()
        found["moved"] = moved.item()
        found["kept_states"] = kept_states(net, start, data["test"].images)
    return found


def _descend(
    model: nn.Module,
    objective: Scaled,
    start: Tensor,
    train: Split,
    lr: float,
    seed: int,
    num_epochs: int,
) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=MOMENTUM)
    for epoch in range(num_epochs):
        for group in optimizer.param_groups:
            group["lr"] = lr / (1 + epoch / 3)
        stream = generator("lazy_training/order", seed, epoch)
        order = torch.randperm(len(train), generator=stream).to(start.device)
        for batch in order.split(BATCH):
            optimizer.zero_grad()
            pair = train.images[batch], train.labels[batch]
            objective.loss(model, *pair, start).backward()  # type: ignore[arg-type]
            optimizer.step()


def _pair(split: Split) -> tuple[Tensor, Tensor]:
    return split.images, split.labels


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
