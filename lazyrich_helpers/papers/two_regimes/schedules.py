"""Schedules of the step size on a small CIFAR-10: large, small, large then small."""

import itertools
import math
from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch.nn import functional as F

from lazyrich_helpers.data.datasets import Split, images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.papers.two_regimes.studies import rounded
from lazyrich_helpers.training.stacked_sgd import (
    StackedSGD,
    he_rows,
    stacked_accuracy,
)

LONGER = 4
"""Times as many epochs for `small, longer`."""
DROP = 0.8
"""Part of the epochs before `one drop` drops."""


@dataclass(frozen=True, kw_only=True)
class StepSchedules:
    """ReLU-Nets at several schedules, without momentum, decay or augmentation."""

    dataset: str = "cifar10"
    train_size: int = 2000
    """Images; as many are held out."""
    test_size: int = 2000
    """The first so many test images."""
    pooling: int = 2
    """Pixels that are averaged per side of an image: 32 become 16."""
    width: int = 64
    """Units per hidden layer, of which there are two."""
    schedules: tuple[str, ...] = ("constant", "one drop", "cosine", "small, longer")
    lrs: tuple[float, ...] = (0.01, 0.05, 0.2)
    """Step sizes that schedules start with."""
    small_lr: float = 0.01
    """The step size of `small, longer` and after the drop."""
    batch_size: int = 32
    num_epochs: int = 60
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


def step_size(
    schedule: str, lr: float, small_lr: float, epoch: int, num_epochs: int
) -> float:
    r"""Return the step size of an epoch, counted from 0.

    `one drop` is `lr` for the first `DROP` of the epochs and `small_lr` from then on;
    `cosine` is $\eta (1 + \cos(\pi e / E)) / 2$; all others are constant.

    Source: for the cosine, Loshchilov & Hutter (2017), arXiv:1608.03983, Eq. 5.
    """
    if schedule == "one drop" and epoch >= DROP * num_epochs:
        return small_lr
    if schedule == "cosine":
        return lr * (1 + math.cos(math.pi * epoch / num_epochs)) / 2
    return lr


def schedules(settings: StepSchedules, schedule: str, device: str) -> pd.DataFrame:
    """Return the training loss after each epoch, and now and then the accuracies.

    From the small step size itself `one drop` and `cosine` are not run.
    """
    num_epochs, lrs = settings.num_epochs, settings.lrs
    if schedule == "small, longer":
        num_epochs, lrs = LONGER * num_epochs, (settings.small_lr,)
    elif schedule != "constant":
        lrs = tuple(lr for lr in lrs if lr > settings.small_lr)
    about = pd.DataFrame(
        list(itertools.product(lrs, settings.seeds)), columns=["lr", "seed"]
    )
    train, held_out, test = _splits(settings, device)
    channels, height, width = train.images.shape[1:]
    model = ReluNet(width=settings.width, depth=2)
    network = model.build((channels, height, width), 10)
    seeds = about.seed.tolist()
    start = he_rows(network, seeds).to(device)
    run = StackedSGD(network, train, start, seeds, torch.zeros(len(about)).to(device))
    rows = []
    for epoch in range(num_epochs):
        now = [
            step_size(schedule, lr, settings.small_lr, epoch, num_epochs)
            for lr in about.lr
        ]
        losses = run.epoch(torch.tensor(now, device=device), settings.batch_size, epoch)
        table = about.assign(epoch=epoch + 1, loss=rounded(losses))
        looks = (epoch + 1) % 5 == 0 or epoch + 1 == num_epochs
        for name, split in {"held_out": held_out, "test": test}.items():
            accuracy = [float("nan")] * len(about)
            if looks:
                found = stacked_accuracy(network, run.parameters, split)
                accuracy = rounded(found)
            table[f"{name}_accuracy"] = accuracy
        rows.append(table)
    return pd.concat(rows, ignore_index=True)


def _splits(settings: StepSchedules, device: str) -> list[Split]:
    """Return the images, pooled and scaled by the training set's mean and spread."""
    data = images(settings.dataset, train_size=settings.train_size).load(device)
    test = Split(
        data.test.images[: settings.test_size], data.test.labels[: settings.test_size]
    )
    splits = [
        replace(split, images=F.avg_pool2d(split.images, settings.pooling))
        for split in (data.train, data.held_out, test)
    ]
    over = (0, 2, 3)
    mean = splits[0].images.mean(over, keepdim=True)
    std = splits[0].images.std(over, keepdim=True)
    return [replace(split, images=(split.images - mean) / std) for split in splits]


DIGITS = {"dataset": "digits", "pooling": 1}
SCHEDULES = Study(
    name="regimes-schedules",
    says="Training loss and accuracies over epochs, by schedule and step size",
    point=schedules,
    over="schedules",
    budgets={
        "smoke": StepSchedules(
            **DIGITS, train_size=100, width=8, lrs=(0.01, 0.1), num_epochs=2, seeds=(0,)
        ),
        "laptop": StepSchedules(
            **DIGITS, train_size=200, width=32, lrs=(0.01, 0.1), num_epochs=15,
            seeds=(0, 1),
        ),
        "paper": StepSchedules(seeds=tuple(range(20))),
    },
)  # fmt: skip
