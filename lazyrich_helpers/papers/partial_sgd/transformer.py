"""A low-rank and a full Transformer, trained jointly and each alone."""

from dataclasses import dataclass

import pandas as pd

from lazyrich_helpers.data.datasets import Dataset, images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.lws.perturbing_samplers import alternating
from lazyrich_helpers.models.stacked import Core, draw_
from lazyrich_helpers.models.stacked_transformer import LowRankTransformer
from lazyrich_helpers.papers.partial_sgd.rates import at_best_rate
from lazyrich_helpers.random_streams import generator

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
    parts, times = SCHEMES[scheme]
    seeds = list(settings.seeds) * len(settings.lrs)
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
    num_steps = round(times * settings.num_steps)
    lr, tested = at_best_rate(
        settings, network, data, alternating(*parts), num_steps, parts
    )
    scores = {"core": tested(Core()), "full": tested(None)}
    return pd.DataFrame({"seed": settings.seeds, "lr": lr, **scores})


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
