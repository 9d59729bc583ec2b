"""Deep networks trained from each start, after Luther & Seung (2019)."""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.init_variance.nets import (
    STARTS,
    network_from,
    steps_to,
    train_together,
)
from lazyrich_helpers.papers.init_variance.studies import FEW, budgets


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Deep networks trained from each start, over one grid of learning rates."""

    inits: tuple[str, ...] = STARTS
    width: int = 64
    depths: tuple[int, ...] = (10, 20, 30)
    lrs: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1, 0.3)
    num_steps: int = 300
    batch_size: int = 64
    loss: float = 0.5
    """To be reached, in nats; the mean over the last `window` batches."""
    window: int = 10
    num_points: int = 10
    """Of the loss curve."""
    dataset: str = "digits"
    train_size: int = 1000
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


def training(settings: TrainingSettings, init: str, device: str) -> pd.DataFrame:
    """Return steps to a loss, losses on the way and test accuracy, from one start.

    Starts see all training images. Depths are trained one after the other; all seeds
    and learning rates as one.
    """
    data = images(settings.dataset, train_size=settings.train_size).load(device)
    first = data.train.images.cpu()
    grid = list(itertools.product(settings.lrs, settings.seeds))
    tables = []
    for depth in settings.depths:
        started = {
            seed: network_from(init, settings.width, depth, seed, first).to(device)
            for seed in settings.seeds
        }
        losses, correct = train_together(
            [started[seed] for _, seed in grid],
            data,
            lrs=[lr for lr, _ in grid],
            seeds=[seed for _, seed in grid],
            num_steps=settings.num_steps,
            batch_size=settings.batch_size,
        )
        losses = losses.cpu()
        table = pd.DataFrame(grid, columns=["lr", "seed"])
        table.insert(0, "depth", depth)
        table["steps"] = steps_to(losses, settings.loss, settings.window)
        table["accuracy"] = np.array(correct) / len(data.test)
        for end in _ends(settings):
            table[f"loss_{end}"] = losses[end - settings.window : end].mean(0).tolist()
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _ends(settings: TrainingSettings) -> list[int]:
    """Return after which steps the loss is kept."""
    each = settings.num_steps // settings.num_points
    return [each * point for point in range(1, settings.num_points + 1)]


TRAINING = Study(
    name="variance-training",
    says="Deep ReLU networks trained by SGD from each start",
    point=training,
    over="inits",
    budgets=budgets(
        TrainingSettings(),
        {
            "depths": (10,),
            "lrs": (0.01, 0.03, 0.1),
            "num_steps": 150,
            **FEW,
        },
        {
            "width": 16,
            "depths": (4,),
            "lrs": (0.1,),
            "num_steps": 20,
            "num_points": 2,
            "seeds": (0, 1),
        },
    ),
)
