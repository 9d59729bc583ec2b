"""Step sizes of SGD on digits: what they do to the loss, from where, with momentum.

All networks of a point, every step size, momentum and seed of it, are trained as one.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.data.datasets import Dataset, images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.papers.two_regimes.loss_surface import sharpness, slopes_along
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.stacked_sgd import (
    StackedSGD,
    he_rows,
    stacked_accuracy,
)


def quarter_decades(low: int, high: int) -> tuple[float, ...]:
    """Return 10^(k/4) for k from `low` to `high`, in four digits."""
    return tuple(float(f"{10 ** (k / 4):.4g}") for k in range(low, high + 1))


@dataclass(frozen=True, kw_only=True)
class Digits:
    """ReLU-Nets on digits at a grid of step sizes; what all studies here share."""

    train_size: int = 1000
    """Images."""
    width: int = 32
    """Units per hidden layer, of which there are two."""
    lrs: tuple[float, ...] = quarter_decades(-10, 1)
    """Step sizes η; with momentum, η/(1 − μ)."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Each draws initial weights and the order of the images."""


@dataclass(frozen=True, kw_only=True)
class StepSizes(Digits):
    """Settings of `STEP_SIZES`."""

    batch_sizes: tuple[int, ...] = (8, 32, 128)
    num_epochs: int = 30


@dataclass(frozen=True, kw_only=True)
class StepLines(Digits):
    """Settings of `LINES`."""

    batch_sizes: tuple[int, ...] = (32, 1000)
    """As large as the training set: full-batch gradient descent."""
    marks: tuple[int, ...] = (20, 60, 200, 500, 950)
    """Steps at which it is measured."""
    num_lines: int = 10
    """Consecutive steps from each mark on."""


@dataclass(frozen=True, kw_only=True)
class Boundary(Digits):
    """Settings of `BOUNDARY`."""

    warm_epochs: tuple[int, ...] = (0, 1, 3, 10, 30)
    """Epochs with the large step, before the sweep."""
    large_lr: float = quarter_decades(-3, -3)[0]
    """The large step size, in the middle of those at which the loss keeps rising."""
    batch_size: int = 32
    num_epochs: int = 30
    """Of the sweep."""


def started(
    settings: Digits,
    device: str,
    momenta: Sequence[float] = (0.0,),
) -> tuple[StackedSGD, pd.DataFrame, Tensor, Dataset]:
    """Return networks at θ⁰, what each is (lr, momentum, seed), its step size, data.

    With momentum μ a network's step size is (1 − μ) times its `lr`, so that equal `lr`
    are matched.
    """
    grid = list(itertools.product(settings.lrs, momenta, settings.seeds))
    about = pd.DataFrame(grid, columns=["lr", "momentum", "seed"])
    seeds = about.seed.tolist()
    data = images("digits", train_size=settings.train_size).load(device)
    network = ReluNet(width=settings.width, depth=2).build(data.image_shape, 10)
    to = {"dtype": torch.float32, "device": device}
    run = StackedSGD(
        network,
        data.train,
        he_rows(network, seeds).to(device),
        seeds,
        torch.tensor(about.momentum.to_numpy(), **to),
    )
    steps = torch.tensor((about.lr * (1 - about.momentum)).to_numpy(), **to)
    return run, about, steps, data


def warm(run: StackedSGD, lr: float, batch_size: int, num_epochs: int) -> None:
    """Train all networks at one step size without momentum, then forget its epochs."""
    momenta, run.momenta = run.momenta, torch.zeros_like(run.momenta)
    lrs = torch.full_like(momenta, lr)
    for epoch in range(num_epochs):
        run.epoch(lrs, batch_size, -1 - epoch)  # orders of its own
    run.momenta, run.velocity = momenta, torch.zeros_like(run.velocity)


def rises(losses: Tensor) -> Tensor:
    """Return the share of epochs (epochs + 1, num) whose loss is above the last one's.

    A loss that is not finite counts as one that rose.
    """
    before, after = losses[:-1], losses[1:]
    return 1 - (after <= before).float().mean(0)


def step_sizes(settings: StepSizes, batch_size: int, device: str) -> pd.DataFrame:
    """Return the training loss and test accuracy of each network after each epoch."""
    run, about, lrs, data = started(settings, device)
    rows = []
    losses = run.losses(run.parameters)
    for epoch in range(settings.num_epochs + 1):
        if epoch:
            losses = run.epoch(lrs, batch_size, epoch)
        accuracy = stacked_accuracy(run.network, run.parameters, data.test)
        own = {"loss": rounded(losses), "test_accuracy": rounded(accuracy)}
        rows.append(about.drop(columns="momentum").assign(epoch=epoch, **own))
    return pd.concat(rows, ignore_index=True)


def rounded(values: Tensor) -> list[float]:
    """Return values with four digits; that is enough to draw them."""
    return [float(f"{value:.4g}") for value in values.tolist()]


def step_lines(settings: StepLines, batch_size: int, device: str) -> pd.DataFrame:
    """Return how sharp the loss is, and how it lies along steps, at each mark.

    Of the full training loss: `sharpness`; and of the steps from a mark on, the share
    along which it is `convex`, the share that end beyond the minimum (`overshoot`: the
    slope there is positive), and the share that end higher than they began (`uphill`).
    """
    run, about, lrs, _ = started(settings, device)
    batches = run.batches(batch_size)
    rows, done = [], 0
    for mark in settings.marks:
        for step in range(done, mark):
            run.step(lrs, batches(step))
        stream = generator("sharpness", mark)
        sharp = sharpness(run.losses, run.parameters, generator=stream)
        told = []
        for step in range(mark, mark + settings.num_lines):
            before = run.parameters
            run.step(lrs, batches(step))
            told.append(_along(run, before))
        done = mark + settings.num_lines
        losses = run.losses(run.parameters)
        convex, overshoot, uphill = torch.stack(told).mean(0)
        found = {
            "loss": losses, "sharpness": sharp, "convex": convex,
            "overshoot": overshoot, "uphill": uphill,
        }  # fmt: skip
        columns = {
            name: rounded(torch.where(losses.isfinite(), values, torch.nan))
            for name, values in found.items()
        }
        rows.append(about.drop(columns="momentum").assign(step=mark, **columns))
    return pd.concat(rows, ignore_index=True)


def _along(run: StackedSGD, before: Tensor) -> Tensor:
    """Return whether a step's line is convex, overshoots, goes uphill: (3, num)."""
    places = [0, 0.25, 0.5, 0.75, 1]
    heights, slopes = slopes_along(run.losses, before, run.parameters, places)
    rounding = 1e-5 * slopes.abs().max(0).values
    convex = (slopes.diff(dim=0) >= -rounding).all(0)
    return torch.stack([convex, slopes[-1] > 0, heights[-1] > heights[0]]).float()


def boundary(settings: Boundary, warm_epochs: int, device: str) -> pd.DataFrame:
    """Return how often the loss rises at each step size, started from large steps'."""
    run, about, lrs, _ = started(settings, device)
    warm(run, settings.large_lr, settings.batch_size, warm_epochs)
    stream = generator("sharpness", warm_epochs)
    sharp = sharpness(run.losses, run.parameters, generator=stream)
    curve = [run.losses(run.parameters)]
    for epoch in range(settings.num_epochs):
        curve.append(run.epoch(lrs, settings.batch_size, epoch))
    losses = torch.stack(curve)
    return about.drop(columns="momentum").assign(
        sharpness=rounded(sharp),
        first=rounded(losses[0]),
        loss=rounded(losses[-5:].mean(0)),
        rises=rounded(rises(losses)),
    )


FEW = {"train_size": 200, "lrs": (0.01, 0.1, 1.0), "seeds": (0, 1)}
"""At `smoke`."""
COARSE = {"train_size": 500, "lrs": quarter_decades(-8, 0)[::2], "seeds": (0, 1, 2)}
"""At `laptop`."""
STEP_SIZES = Study(
    name="regimes-step-sizes",
    says="Training loss and test accuracy over epochs, by step size and batch size",
    point=step_sizes,
    over="batch_sizes",
    budgets={
        "smoke": StepSizes(**FEW, batch_sizes=(32,), num_epochs=4),
        "laptop": StepSizes(**COARSE, batch_sizes=(32,), num_epochs=20),
        "paper": StepSizes(),
    },
)
LINES = Study(
    name="regimes-lines",
    says="Sharpness, and the loss along the line between consecutive iterates",
    point=step_lines,
    over="batch_sizes",
    budgets={
        "smoke": StepLines(**FEW, batch_sizes=(200,), marks=(5, 10), num_lines=2),
        "laptop": StepLines(
            **COARSE, batch_sizes=(32, 500), marks=(20, 200), num_lines=4
        ),
        "paper": StepLines(),
    },
)
BOUNDARY = Study(
    name="regimes-boundary",
    says="How often the loss rises at each step size, after epochs of large steps",
    point=boundary,
    over="warm_epochs",
    budgets={
        "smoke": Boundary(**FEW, warm_epochs=(0, 2), num_epochs=3),
        "laptop": Boundary(**COARSE, warm_epochs=(0, 10), num_epochs=20),
        "paper": Boundary(),
    },
)
