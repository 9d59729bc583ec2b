"""The networks whose loss curves are compared: what is trained, and how exactly."""

from dataclasses import replace
from typing import Any

import torch

from lazyrich_helpers.data.datasets import Dataset, images
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.lws.schedules import TopKAllBottoms
from lazyrich_helpers.models.convnets import VGG11
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.models.network import Network, ReluNet
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.loop import initialized, train
from lazyrich_helpers.training.objectives import CrossEntropy
from lazyrich_helpers.training.optimizers import SGD, Adam
from lazyrich_helpers.training.run_config import RunConfig, Training
from lazyrich_helpers.training.sharding import ALONE, Sharding

BY_SGD = "by SGD"
"""What the name of a network says that is not trained by Adam."""
FP64 = "in fp64"
"""How the name of a network ends that is trained in double precision."""


def config_of(name: str, settings: Any) -> RunConfig:
    """Return what is trained under a name of `sharded.CurveSettings`."""
    if name.startswith("record"):
        chosen = {"widths": [100], "lrs": [0.001], "seeds": [0]}
        config = make_recipe("figure-2", "paper", **chosen).configs[0]
        fewer = replace(config.training, num_epochs=settings.num_epochs)
        config = replace(config, training=fewer)
        return replace(config, optimizer=SGD(lr=0.01)) if BY_SGD in name else config
    plain = RunConfig(
        data=images("digits", train_size=settings.train_size),
        model=ReluNet(width=settings.width, depth=3),
        init=XavierNormal(),
        objective=CrossEntropy(),
        optimizer=Adam(lr=0.01),
        updates=TopKAllBottoms(k=1, rho=0.5),
        training=Training(num_epochs=settings.num_epochs, batch_size=50),
    )
    if name.startswith("relu_net"):
        return plain
    size = 32 if settings.images == "digits" else None
    return replace(
        plain,
        data=images(settings.images, train_size=settings.train_size, image_size=size),
        model=VGG11(width=settings.width),
        init=XavierNormal(gain=2**0.5),  # or ten epochs would not leave chance
        optimizer=SGD(lr=0.01),
    )


def data_of(config: RunConfig, dtype: torch.dtype, device: str = "cpu") -> Dataset:
    """Return its data, with images of a precision."""
    data = config.data.load(device)
    train_part, test = (
        replace(split, images=split.images.to(dtype))
        for split in (data.train, data.test)
    )
    return replace(data, train=train_part, test=test)


def started(config: RunConfig, data: Dataset) -> Network:
    """Return the network before its first step, as exact as its data."""
    return initialized(config, data).to(data.train.images.dtype)


def loss_curve(
    network: Network, config: RunConfig, data: Dataset, sharding: Sharding = ALONE
) -> list[float]:
    """Train it by the book's own loop; return its training loss at each epoch."""
    seldom = config.training.num_epochs
    epochs = train(network, data, config, eval_every=seldom, sharding=sharding)
    return [epoch.train_loss for epoch in epochs]


@torch.no_grad()
def change_last_bits_(network: Network, draw: int) -> None:
    """Move each parameter by what one rounding may, at most, move it."""
    for number, p in enumerate(network.parameters()):
        stream = generator("last bits", draw, number)
        part = 2 * torch.rand(p.shape, generator=stream, dtype=p.dtype) - 1
        p.mul_(1 + torch.finfo(p.dtype).eps * part)
