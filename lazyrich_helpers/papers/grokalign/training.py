"""Training that generalizes late, and what is added to make it sooner.

Walker et al. (2025), Table 1: a deep ReLU network whose weights start eight times too
large fits few images at once and generalizes only when weight decay has shrunk it.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from lazyrich_helpers.papers.grokalign.input_jacobian import (
    projected_norm,
    unit_directions,
)
from lazyrich_helpers.papers.grokalign.measures import (
    ImageRows,
    load_images,
    measured,
)
from lazyrich_helpers.papers.grokalign.nets import (
    Weights,
    drawn_weights,
    outputs,
    own_inputs,
)
from lazyrich_helpers.random_streams import generator
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


@dataclass(frozen=True, kw_only=True)
class LateSettings:
    """Networks that generalize late, whatever is added to weight decay.

    The paper: MNIST, 1,024 images, width 196, decay 0.01, up to 100,000 steps.
    """

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


@dataclass(frozen=True, kw_only=True)
class GrokkingSettings(LateSettings):
    """By what is added to weight decay."""

    methods: tuple[str, ...] = tuple(METHODS)
    radius: float = 0.05
    """Of attacks: the most that a pixel, from 0 to 1, is changed."""


def training(
    settings: LateSettings,
    method: Method,
    data: ImageRows,
    batch_size: int | None = None,
) -> Iterator[tuple[int, Weights]]:
    """Yield the step and the weights before it, and those after the last.

    All seeds are trained as one, by the sum of their losses. A step is an update on all
    images or, with `batch_size`, one on each batch of them, in their order.
    """
    size = batch_size or len(data.train)
    batches = [
        replace(data, train=images, train_labels=labels)
        for images, labels in zip(
            data.train.split(size), data.train_labels.split(size), strict=True
        )
    ]
    sizes = [data.train.shape[1], *[settings.width] * (settings.depth - 1)]
    sizes.append(int(data.train_labels.max()) + 1)
    weights = [
        w.detach().to(data.train).requires_grad_()
        for w in drawn_weights(sizes, settings.seeds, gain=settings.gain)
    ]
    optimizer = torch.optim.AdamW(
        weights, lr=settings.lr, weight_decay=settings.weight_decay
    )
    means: list[Tensor] = []  # Grokfast's moving averages
    for step in range(settings.num_steps):
        yield step, weights
        draws = generator("grokalign_step", step)
        for batch in batches:
            optimizer.zero_grad()
            loss(weights, batch, method, draws).backward()
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
    return followed(settings, METHODS[name], data)


def followed(
    settings: GrokkingSettings,
    method: Method,
    data: ImageRows,
    *,
    batch_size: int | None = None,
    until: float = math.inf,
) -> pd.DataFrame:
    """Return a row for each seed and measured step, as `measured` has it.

    It ends where all networks have reached the test accuracy `until`.
    """
    frames = []
    reached = torch.zeros(len(settings.seeds), dtype=torch.bool)
    seconds, start = 0.0, _now(data.train.device)
    for step, weights in training(settings, method, data, batch_size):
        if step in (10, 20, 50) or step % settings.every == 0:
            seconds += _now(data.train.device) - start
            found = measured(weights, data, settings.radius)
            frame = pd.DataFrame({k: v.detach().cpu() for k, v in found.items()})
            frame = frame.round(4)
            frame.insert(0, "seed", list(settings.seeds))
            frame.insert(1, "step", step)
            frames.append(frame.assign(seconds=round(seconds, 3)))
            reached |= found["test"].cpu() >= until
            if reached.all():
                break
            start = _now(data.train.device)
    return pd.concat(frames, ignore_index=True)


def _now(device: torch.device) -> float:
    """Return seconds that this process has computed; on a GPU, the wall clock's."""
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()
