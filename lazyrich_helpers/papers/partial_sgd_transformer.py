"""A low-rank and a full Transformer, trained jointly and each alone."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.data.datasets import Dataset, images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.lws.perturbing_samplers import alternating
from lazyrich_helpers.models.stacked import Core, draw_
from lazyrich_helpers.models.stacked_transformer import LowRankTransformer
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.partial_sgd import accuracies, partial_sgd, shuffled

SCHEMES = {
    "core alone": ((Core(),), 1.0),
    "full alone": ((None,), 1.0),
    "joint": ((Core(), None), 2.0),
    "joint, total": ((Core(), None), 1.0),
}
"""What takes turns, and the steps over those of a network that is trained alone."""


@dataclass(frozen=True, kw_only=True)
class TransformerSettings:
    """A small Transformer on the rows of 8×8 digits, eight tokens each."""

    ranks: tuple[int, ...] = (1, 2, 4)
    train_sizes: tuple[int, ...] = (200, 1000)
    size: int = 16
    """Of a token's vector."""
    heads: int = 2
    blocks: int = 2
    batch_size: int = 25
    num_steps: int = 400
    lrs: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3)
    seeds: tuple[int, ...] = tuple(range(10))


def point(settings: TransformerSettings, rank: int, device: str) -> pd.DataFrame:
    """Return test accuracies of core and full net, of every scheme, size and seed."""
    frames = []
    for train_size in settings.train_sizes:
        data = images("digits", train_size=train_size).load(device)
        for scheme in SCHEMES:
            rows = _best(settings, data, rank, scheme)
            frames.append(rows.assign(train_size=train_size, scheme=scheme))
    return pd.concat(frames, ignore_index=True)


def _best(
    settings: TransformerSettings, data: Dataset, rank: int, scheme: str
) -> pd.DataFrame:
    """Return the accuracies at the rate that is best on held-out images.

    It is best for what is trained: the core, the full network, or the mean of both.
    """
    seeds = [seed for _ in settings.lrs for seed in settings.seeds]
    parts, times = SCHEMES[scheme]
    network = _trained(settings, data, rank, seeds, parts, times)

    def of_each(split, part) -> Tensor:
        found = accuracies(network, split, len(seeds), part)
        return found.view(len(settings.lrs), -1).cpu()

    held_out = torch.stack([of_each(data.held_out, part).mean(1) for part in parts])
    best = int(held_out.mean(0).argmax())
    return pd.DataFrame(
        {
            "seed": settings.seeds,
            "lr": settings.lrs[best],
            "core": of_each(data.test, Core())[best].tolist(),
            "full": of_each(data.test, None)[best].tolist(),
        }
    )


def _trained(
    settings: TransformerSettings,
    data: Dataset,
    rank: int,
    seeds: list[int],
    parts: tuple[Any, ...],
    times: float,
) -> LowRankTransformer:
    _, *tokens = data.image_shape
    network = LowRankTransformer(
        len(seeds),
        tokens=(tokens[0], tokens[1]),
        size=settings.size,
        heads=settings.heads,
        blocks=settings.blocks,
        rank=rank,
        num_classes=data.num_classes,
    ).to(data.device)
    draw_(network, [generator("transformer", seed) for seed in seeds], rest=1.0)
    lrs = torch.tensor(settings.lrs).repeat_interleave(len(settings.seeds))
    training = partial_sgd(
        network,
        shuffled(data.train, seeds, settings.batch_size),
        alternating(*parts),
        lr=lrs.to(data.device),
        num_steps=round(times * settings.num_steps),
        steps_per_epoch=len(data.train) // settings.batch_size,
        seed=0,
    )
    for _ in training:
        pass
    return network


TRANSFORMER = Study(
    name="partial-transformer",
    says="A low-rank core and the full Transformer on rows of 8×8 digits, trained "
    "jointly and each alone",
    point=point,
    over="ranks",
    budgets={
        "smoke": TransformerSettings(
            ranks=(2,),
            train_sizes=(200,),
            size=8,
            num_steps=10,
            lrs=(0.1,),
            seeds=(0, 1),
        ),
        "laptop": TransformerSettings(
            ranks=(1, 4),
            train_sizes=(200,),
            size=8,
            num_steps=100,
            lrs=(0.03, 0.1),
            seeds=(0, 1, 2),
        ),
        "paper": TransformerSettings(),
    },
)
