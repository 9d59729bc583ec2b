"""Late generalization at the paper's own scale, and the choice of the penalty's weight.

The first is for a GPU and not recorded here; the second is at our scale.
"""

from dataclasses import dataclass, replace

import pandas as pd
import torch

from lazyrich_helpers.papers.grokalign.measures import load_images
from lazyrich_helpers.papers.grokalign.nets import outputs
from lazyrich_helpers.papers.grokalign.tables import LEVEL, first_reach
from lazyrich_helpers.papers.grokalign.training import (
    METHODS,
    GrokkingSettings,
    LateSettings,
    Method,
    followed,
    training,
)
from lazyrich_helpers.training.stack import share_correct


@dataclass(frozen=True, kw_only=True)
class FullSettings(GrokkingSettings):
    """The paper's Table 1, cross-entropy: a step is four updates on batches of 256.

    Its 1,024 images are the first ones; ours are as many of each class.
    """

    seeds: tuple[int, ...] = tuple(range(10))
    dataset: str = "mnist"
    train_size: int = 1020
    width: int = 196
    weight_decay: float = 0.01
    num_steps: int = 100_000
    every: int = 500
    batch_size: int = 256
    penalty: float = 1e-3
    """λ of the methods that have one."""


def at_full_scale(settings: FullSettings, name: str, device: str) -> pd.DataFrame:
    """Return what `grokking` does, in fp64, until all seeds are at the paper's level.

    Source: Walker et al. (2025), Section 4 and its code.
    """
    data = load_images(settings.dataset, settings.train_size, device)
    data = replace(data, train=data.train.double(), test=data.test.double())
    method = METHODS[name]
    if method.penalty:
        method = replace(method, penalty=settings.penalty)
    return followed(settings, method, data, batch_size=settings.batch_size, until=LEVEL)


@dataclass(frozen=True, kw_only=True)
class PenaltySettings(LateSettings):
    """Penalties of other seeds than are compared, by images that are held out."""

    penalties: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3)
    """λ."""
    seeds: tuple[int, ...] = (5, 6, 7, 8, 9)
    num_steps: int = 5000


def penalty_point(
    settings: PenaltySettings, penalty: float, device: str
) -> pd.DataFrame:
    """Return when each seed's network is first right on 85 % of held-out images.

    Columns: `seed`, `step` (NaN if never), and `held_out`, the share in the end.
    """
    data = load_images(settings.dataset, settings.train_size, device, held_out=True)
    rows = []
    for step, weights in training(settings, Method(penalty=penalty), data):
        if step % settings.every == 0:
            with torch.no_grad():
                shares = share_correct(outputs(weights, data.test), data.test_labels)
            looks = zip(settings.seeds, shares.tolist(), strict=True)
            rows += [(seed, step, share) for seed, share in looks]
    table = pd.DataFrame(rows, columns=["seed", "step", "held_out"])
    found = [
        (seed, first_reach(own, "held_out", LEVEL, "step"), own.held_out.iloc[-1])
        for seed, own in table.groupby("seed")
    ]
    return pd.DataFrame(found, columns=["seed", "step", "held_out"]).round(4)
