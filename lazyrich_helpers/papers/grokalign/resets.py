"""Re-initialization and alignment: what resetting the most moved weights destroys."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from lazyrich_helpers.papers.grokalign.input_jacobian import jacobians, row_alignment
from lazyrich_helpers.papers.grokalign.measures import (
    NUM_MEASURED,
    ImageRows,
    load_images,
    true_row,
)
from lazyrich_helpers.papers.grokalign.nets import (
    Weights,
    drawn_weights,
    outputs,
    own_inputs,
)
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.reinit.reinitialization import movement_order, reinitialized
from lazyrich_helpers.training.stack import share_correct

FRACTIONS = (0.0, *(10.0 ** (k / 4) for k in range(-12, 1)))
"""γ: 0, and 0.1 % to 100 %, four a decade."""
BATCH = 50


@dataclass(frozen=True, kw_only=True)
class ResetSettings:
    """ReLU-Nets with two hidden layers, as elsewhere in this book, without biases."""

    widths: tuple[int, ...] = (32, 128, 512)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    dataset: str = "mnist"
    train_size: int = 2000
    num_epochs: int = 10
    lr: float = 1e-3
    """Adam's."""


def resets(settings: ResetSettings, width: int, device: str) -> pd.DataFrame:
    """Return accuracy and alignment at every γ, for each seed of a width."""
    data = load_images(settings.dataset, settings.train_size, device)
    num_classes = int(data.train_labels.max()) + 1
    sizes = [data.train.shape[1], width, width, num_classes]
    start = [w.detach().to(device) for w in drawn_weights(sizes, settings.seeds)]
    final = adam_trained(start, data, settings)
    frames = []
    for gamma, weights in reset_weights(start, final):
        accuracy, aligned = accuracy_and_alignment(weights, data)
        columns = {"accuracy": accuracy.tolist(), "alignment": aligned.tolist()}
        frame = pd.DataFrame({"seed": settings.seeds, "gamma": gamma} | columns)
        frames.append(frame.round(5))
    return pd.concat(frames, ignore_index=True)


def adam_trained(start: Weights, data: ImageRows, settings: ResetSettings) -> Weights:
    """Return the weights after training, all networks in the same order of images."""
    weights = [w.clone().requires_grad_() for w in start]
    optimizer = torch.optim.Adam(weights, lr=settings.lr)
    num = len(settings.seeds)
    for epoch in range(settings.num_epochs):
        draws = generator("grokalign_order", epoch)
        order = torch.randperm(len(data.train), generator=draws)
        for batch in order.to(data.train.device).split(BATCH):
            scores = outputs(weights, data.train[batch]).flatten(0, 1)
            labels = data.train_labels[batch].repeat(num)
            optimizer.zero_grad()
            (num * F.cross_entropy(scores, labels)).backward()
            optimizer.step()
    return [w.detach() for w in weights]


def reset_weights(start: Weights, final: Weights) -> Iterator[tuple[float, Weights]]:
    """Yield γ and the weights of every network after γ-active re-initialization."""
    before = torch.cat([w.flatten(1) for w in start], 1)  # (num, parameters)
    after = torch.cat([w.flatten(1) for w in final], 1)
    sizes = [w[0].numel() for w in start]
    orders = [movement_order(*pair) for pair in zip(before, after, strict=True)]
    for gamma in FRACTIONS:
        found = torch.stack([
            reinitialized(b, a, order, fraction=gamma, scenario="active")
            for b, a, order in zip(before, after, orders, strict=True)
        ])  # fmt: skip
        parts = found.split(sizes, 1)
        yield gamma, [p.view_as(w) for p, w in zip(parts, start, strict=True)]


def accuracy_and_alignment(weights: Weights, data: ImageRows) -> tuple[Tensor, Tensor]:
    """Return each network's test accuracy, and the mean cosine of true-class rows."""
    inputs = own_inputs(weights, data.test[:NUM_MEASURED])
    rows = row_alignment(jacobians(outputs(weights, inputs), inputs), inputs)
    true = true_row(rows, data.test_labels[:NUM_MEASURED])
    with torch.no_grad():
        return share_correct(outputs(weights, data.test), data.test_labels), true
