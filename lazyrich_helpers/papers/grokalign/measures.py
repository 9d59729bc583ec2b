"""What is measured of networks that generalize late, and on which images."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.papers.grokalign.input_jacobian import (
    centroids,
    first_component,
    jacobians,
    row_alignment,
)
from lazyrich_helpers.papers.grokalign.nets import Weights, outputs, own_inputs
from lazyrich_helpers.training.stack import share_correct

NUM_MEASURED = 100
"""Test images at which Jacobians and robustness are measured."""
ATTACK_STEPS = 10


@dataclass(frozen=True)
class ImageRows:
    """Rows of pixels, less their mean and over their standard deviation."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    unit: float
    """What a pixel's range, 0 to 1, is long here."""


def load_images(
    dataset: str, train_size: int, device: str, *, held_out: bool = False
) -> ImageRows:
    """Return a balanced training set and `2 * NUM_MEASURED` or more test images.

    With `held_out`, images that are held out stand for the test images.
    """
    data = images(dataset, train_size=train_size).load(device)
    other = data.held_out if held_out else data.test
    train, test = (s.images.flatten(1) for s in (data.train, other))
    mean, std = train.mean(), train.std()
    few = slice(0, 1000)
    return ImageRows(
        (train - mean) / std,
        data.train.labels,
        (test[few] - mean) / std,
        other.labels[few],
        1 / std.item(),
    )


def measured(weights: Weights, data: ImageRows, radius: float) -> dict[str, Tensor]:
    """Return what is measured of each network (num,), by name."""
    labels = data.test_labels[:NUM_MEASURED]
    inputs = own_inputs(weights, data.test[:NUM_MEASURED])
    scores = outputs(weights, inputs)
    jacobian, centroid = jacobians(scores, inputs), centroids(scores, inputs)
    rows = row_alignment(jacobian, inputs)  # (num, n, C)
    near = attacked(weights, data.test[:NUM_MEASURED], labels, radius * data.unit)
    with torch.no_grad():
        return {
            "train": share_correct(outputs(weights, data.train), data.train_labels),
            "test": share_correct(outputs(weights, data.test), data.test_labels),
            "robust": share_correct(outputs(weights, near), labels),
            "true_row": true_row(rows, labels),
            "highest_row": rows.amax(-1).mean(-1),
            "lowest_row": rows.amin(-1).mean(-1),
            "centroid": torch.cosine_similarity(centroid, inputs, -1).mean(-1),
            "norm": jacobian.flatten(-2).norm(dim=-1).mean(-1),
            "first_component": first_component(jacobian).mean(-1),
        }


def true_row(rows: Tensor, labels: Tensor) -> Tensor:
    """Return the true classes' mean (num,) of what each class has (num, n, C)."""
    own = rows.gather(-1, labels.expand(rows.shape[:-1])[..., None])
    return own.mean((-1, -2))


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
