"""Training that generalizes late, and what is added to make it sooner.

Walker et al. (2025), Table 1: a deep ReLU network whose weights start eight times too
large fits few images at once and generalizes only when weight decay has shrunk it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.papers.grokalign_nets import (
    Weights,
    drawn_weights,
    outputs,
    own_inputs,
)
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.reinit.input_jacobian import (
    centroids,
    first_component,
    jacobians,
    projected_norm,
    row_alignment,
    unit_directions,
)
from lazyrich_helpers.training.stack import share_correct


@dataclass(frozen=True, kw_only=True)
class Method:
    """What is added to AdamW with weight decay."""

    penalty: float = 0.0
    r"""$\lambda$ of GrokAlign: times the mean estimate of $\|J\|_F$."""
    target: float = 0.0
    r"""The constrained variant's: $\lambda |t - \|J\|_F|$ is what is penalized."""
    slow_gradient: float = 0.0
    """Grokfast: how much of the gradients' moving average is added to the gradient."""
    noise: bool = False
    """Whether inputs get Gaussian noise, more of it while few of them are right."""


METHODS = {
    "weight decay": Method(),
    "GrokAlign": Method(penalty=0.1),
    "constrained": Method(penalty=0.1, target=5.0),
    "Grokfast": Method(slow_gradient=0.1),
    "noise": Method(noise=True),
}
MEMORY = 0.8
"""Of Grokfast's moving average; the authors' code."""
LEAST_NOISE, MOST_NOISE = 0.03, 0.06
"""Standard deviations of the inputs' noise: the authors'."""
NUM_MEASURED = 100
"""Test images at which Jacobians and robustness are measured."""
ATTACK_STEPS = 10


@dataclass(frozen=True, kw_only=True)
class GrokkingSettings:
    """The paper: MNIST, 1,024 images, width 196, decay 0.01, up to 100,000 steps."""

    methods: tuple[str, ...] = tuple(METHODS)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    dataset: str = "digits"
    train_size: int = 250
    width: int = 64
    depth: int = 4
    """Weight matrices."""
    gain: float = 8.0
    """How many times too large the weights start; the paper's."""
    lr: float = 1e-3
    weight_decay: float = 0.1
    num_steps: int = 10_000
    """All images make a step."""
    every: int = 100
    """Steps from one measurement to the next."""
    radius: float = 0.05
    """Of attacks: the most that a pixel, from 0 to 1, is changed."""


@dataclass(frozen=True)
class ImageRows:
    """Rows of pixels, less their mean and over their standard deviation."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    unit: float
    """What a pixel's range, 0 to 1, is long here."""


def load_images(dataset: str, train_size: int, device: str) -> ImageRows:
    """Return a balanced training set and `2 * NUM_MEASURED` or more test images."""
    data = images(dataset, train_size=train_size).load(device)
    train, test = (s.images.flatten(1) for s in (data.train, data.test))
    mean, std = train.mean(), train.std()
    few = slice(0, 1000)
    return ImageRows(
        (train - mean) / std,
        data.train.labels,
        (test[few] - mean) / std,
        data.test.labels[few],
        1 / std.item(),
    )


def training(
    settings: GrokkingSettings, method: Method, data: ImageRows
) -> Iterator[tuple[int, Weights]]:
    """Yield the step and the weights before it, and those after the last.

    All seeds are trained as one, by the sum of their losses.
    """
    sizes = [data.train.shape[1], *[settings.width] * (settings.depth - 1)]
    sizes.append(int(data.train_labels.max()) + 1)
    weights = [
        w.detach().to(data.train.device).requires_grad_()
        for w in drawn_weights(sizes, settings.seeds, gain=settings.gain)
    ]
    optimizer = torch.optim.AdamW(
        weights, lr=settings.lr, weight_decay=settings.weight_decay
    )
    means: list[Tensor] = []  # Grokfast's moving averages
    for step in range(settings.num_steps):
        yield step, weights
        draws = generator("grokalign_step", step)
        optimizer.zero_grad()
        loss(weights, data, method, draws).backward()
        if method.slow_gradient:
            means = add_slow_gradient_(weights, means, method.slow_gradient)
        optimizer.step()
    yield settings.num_steps, weights


def loss(
    weights: Weights, data: ImageRows, method: Method, draws: torch.Generator
) -> Tensor:
    """Return the training loss, summed over networks; `draws` is for this step."""
    inputs = own_inputs(weights, data.train)
    num = len(inputs)
    if method.noise:
        inputs = inputs + noise(weights, inputs, data.train_labels, draws)
    scores = outputs(weights, inputs)
    total = F.cross_entropy(scores.flatten(0, 1), data.train_labels.repeat(num)) * num
    if method.penalty:
        estimate = projected_norm(scores, inputs, unit_directions(scores, 1, draws))
        off = (estimate - method.target).abs()  # with no target the norm itself
        total = total + method.penalty * off.mean(-1).sum()
    return total


@torch.no_grad()
def noise(
    weights: Weights, inputs: Tensor, labels: Tensor, draws: torch.Generator
) -> Tensor:
    """Return noise for inputs (num, n, d), by each network's training accuracy."""
    wrong = 1 - share_correct(outputs(weights, inputs), labels)
    scale = (MOST_NOISE * wrong).clamp_min(LEAST_NOISE).to(inputs)
    drawn = torch.randn(inputs.shape, generator=draws).to(inputs)
    return scale[:, None, None] * drawn


@torch.no_grad()
def add_slow_gradient_(
    weights: Weights, means: list[Tensor], share: float
) -> list[Tensor]:
    r"""Add `share` of the gradients' moving average to each gradient; return averages.

    $m \leftarrow 0.8\, m + 0.2\, g$ from $m = g$ on, then $g \leftarrow g + s\, m$.

    Source: Grokfast, Lee et al. (2024), arXiv:2405.20233; constants as Walker et al.
    """
    gradients = [w.grad for w in weights if w.grad is not None]
    means = means or [g.clone() for g in gradients]
    for gradient, mean in zip(gradients, means, strict=True):
        mean.lerp_(gradient, 1 - MEMORY)
        gradient.add_(mean, alpha=share)
    return means


def grokking(settings: GrokkingSettings, name: str, device: str) -> pd.DataFrame:
    """Return a row for each seed and measured step of a method's training."""
    data = load_images(settings.dataset, settings.train_size, device)
    frames = []
    seconds, start = 0.0, time.process_time()
    for step, weights in training(settings, METHODS[name], data):
        if step in (10, 20, 50) or step % settings.every == 0:
            seconds += time.process_time() - start
            found = measured(weights, data, settings.radius)
            frame = pd.DataFrame({k: v.detach().cpu() for k, v in found.items()})
            frame = frame.round(4)
            frame.insert(0, "seed", list(settings.seeds))
            frame.insert(1, "step", step)
            frames.append(frame.assign(seconds=round(seconds, 3)))
            start = time.process_time()
    return pd.concat(frames, ignore_index=True)


def measured(weights: Weights, data: ImageRows, radius: float) -> dict[str, Tensor]:
    """Return what is measured of each network (num,), by name."""
    labels = data.test_labels[:NUM_MEASURED]
    inputs = own_inputs(weights, data.test[:NUM_MEASURED])
    scores = outputs(weights, inputs)
    jacobian, centroid = jacobians(scores, inputs), centroids(scores, inputs)
    rows = row_alignment(jacobian, inputs)  # (num, n, C)
    true = rows.gather(-1, labels.expand(rows.shape[:-1])[..., None])
    near = attacked(weights, data.test[:NUM_MEASURED], labels, radius * data.unit)
    with torch.no_grad():
        return {
            "train": share_correct(outputs(weights, data.train), data.train_labels),
            "test": share_correct(outputs(weights, data.test), data.test_labels),
            "robust": share_correct(outputs(weights, near), labels),
            "true_row": true.mean((-1, -2)),
            "highest_row": rows.amax(-1).mean(-1),
            "lowest_row": rows.amin(-1).mean(-1),
            "centroid": torch.cosine_similarity(centroid, inputs, -1).mean(-1),
            "norm": jacobian.flatten(-2).norm(dim=-1).mean(-1),
            "first_component": first_component(jacobian).mean(-1),
        }


def attacked(weights: Weights, inputs: Tensor, labels: Tensor, radius: float) -> Tensor:
    """Return inputs (num, n, d) moved against each network, by projected gradients.

    Ten steps of a quarter of the radius along the sign of the loss's gradient; no
    pixel moves farther than the radius, in the units of `inputs`.

    Source: Madry et al. (2018), arXiv:1706.06083, without its random start.
    """
    clean = own_inputs(weights, inputs)
    moved = clean
    targets = labels.repeat(len(clean))
    for _ in range(ATTACK_STEPS):
        scores = outputs(weights, moved).flatten(0, 1)
        total = F.cross_entropy(scores, targets, reduction="sum")
        (gradient,) = torch.autograd.grad(total, moved)
        moved = moved.detach() + radius / 4 * gradient.sign()
        moved = clean.detach() + (moved - clean.detach()).clamp(-radius, radius)
        moved.requires_grad_()
    return moved.detach()
