"""Parts of a network trained together and each alone: widths, and a low-rank core."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.data.datasets import Dataset, Split, images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.lws.partial import Sampler
from lazyrich_helpers.lws.perturbing_samplers import alternating, first_units
from lazyrich_helpers.models.stacked import Core, StackedReluNet, Units, draw_
from lazyrich_helpers.models.stacked_transformer import LowRankTransformer
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.partial_sgd import accuracies, partial_sgd, shuffled


def at_rates(
    settings: Any,
    network: Any,
    data: Dataset,
    sampler: Sampler,
    num_steps: int,
) -> Callable[[Iterable[Any]], tuple[float, Callable[[Any], list[float]]]]:
    """Train networks at every rate; return how to choose one of them for some parts.

    What is returned takes parts of the network, None is the whole, and returns the rate
    that is best for them on held-out images, for the mean over seeds and parts; and
    part → the test accuracy of each seed at this rate.

    Args:
        settings: Has `lrs`, `seeds` and `batch_size`.
        network: A stack, of each rate one for each seed; trained in place.
        data: What they learn from.
        sampler: Of their steps.
        num_steps: Of each.
    """
    seeds = list(settings.seeds) * len(settings.lrs)
    lrs = torch.tensor(settings.lrs).repeat_interleave(len(settings.seeds))
    training = partial_sgd(
        network,
        shuffled(data.train, seeds, settings.batch_size),
        sampler,
        lr=lrs.to(data.device),
        num_steps=num_steps,
        steps_per_epoch=len(data.train) // settings.batch_size,
        seed=0,
    )
    for _ in training:
        pass

    def of_each(split: Split, part: Any) -> Tensor:  # (num_lrs, num_seeds)
        found = accuracies(network, split, len(seeds), part)
        return found.view(len(settings.lrs), -1).cpu()

    def best_for(parts: Iterable[Any]) -> tuple[float, Callable[[Any], list[float]]]:
        means = [of_each(data.held_out, part).mean(1) for part in parts]
        best = int(torch.stack(means).mean(0).argmax())
        return settings.lrs[best], lambda part: of_each(data.test, part)[best].tolist()

    return best_for


SHARED = ("alone", "together", "together, total")
"""Each width on its own; taking turns, as many steps of each width; as many in all."""


@dataclass(frozen=True, kw_only=True)
class WidthSettings:
    """A fully connected network, and the widths that it is used at."""

    schemes: tuple[str, ...] = SHARED
    shares: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    """Of the hidden units, the first ones."""
    dataset: str = "mnist"
    train_size: int = 1000
    width: int = 64
    depth: int = 3
    batch_size: int = 50
    num_steps: int = 300
    lrs: tuple[float, ...] = (0.1, 0.2, 0.4)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


def width_point(settings: WidthSettings, scheme: str, device: str) -> pd.DataFrame:
    """Return each width's test accuracy, of every seed, at its best learning rate.

    The rate is chosen on held-out images by the mean over seeds: for each network that
    is trained, so that widths which share their weights share it.
    """
    data = images(settings.dataset, train_size=settings.train_size).load(device)
    sizes = [settings.width] * settings.depth
    parts = {share: first_units(sizes, share) for share in settings.shares}
    if scheme != "alone":
        count = settings.num_steps * (len(parts) if scheme == "together" else 1)
        return _best_widths(settings, data, alternating(*parts.values()), parts, count)
    frames = [
        _best_widths(
            settings, data, alternating(part), {share: part}, settings.num_steps
        )
        for share, part in parts.items()
    ]
    return pd.concat(frames, ignore_index=True)


def _best_widths(
    settings: WidthSettings,
    data: Dataset,
    sampler: Sampler,
    parts: dict[float, Units],
    count: int,
) -> pd.DataFrame:
    seeds = list(settings.seeds) * len(settings.lrs)
    inputs = data.train.images[0].numel()
    sizes = (inputs, *[settings.width] * settings.depth, data.num_classes)
    network = StackedReluNet(len(seeds), sizes).to(data.device)
    draw_(network, [generator("widths", seed) for seed in seeds])
    lr, tested = at_rates(settings, network, data, sampler, count)(parts.values())
    rows = [
        (seed, share, lr, accuracy)
        for share, part in parts.items()
        for seed, accuracy in zip(settings.seeds, tested(part), strict=True)
    ]
    return pd.DataFrame(rows, columns=["seed", "share", "lr", "accuracy"])


WIDTHS = Study(
    name="partial-widths",
    says="One set of weights used at several widths, and each width trained alone",
    point=width_point,
    over="schemes",
    budgets={
        "smoke": WidthSettings(
            shares=(0.5, 1.0), width=16, depth=2, num_steps=20, lrs=(0.1,),
            seeds=(0, 1), dataset="digits",
        ),
        "laptop": WidthSettings(
            width=32, depth=2, num_steps=100, lrs=(0.1, 0.2), seeds=(0, 1, 2),
            dataset="digits",
        ),
        "paper": WidthSettings(),
    },
)  # fmt: skip


SCHEMES = {
    "core alone": ((Core(),), 1.0),
    "core alone, twice": ((Core(),), 2.0),
    "full alone": ((None,), 1.0),
    "joint": ((Core(), None), 2.0),
    "joint, total": ((Core(), None), 1.0),
}
"""What takes turns, and the steps over those of a network that is trained alone.

All steps train the matrices of the core: twice as many of the core alone train them as
often as joint training does."""
OWN = {"joint, the core's rate": Core(), "joint, the full one's rate": None}
"""The networks of `joint` at the rate that is best for one part, not for both."""


@dataclass(frozen=True, kw_only=True)
class TransformerSettings:
    """A small Transformer on the rows of 8×8 digits, eight tokens each."""

    schemes: tuple[str, ...] = tuple(SCHEMES)
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


def transformer_point(
    settings: TransformerSettings, rank: int, device: str
) -> pd.DataFrame:
    """Return test accuracies of core and full net, of every scheme, size and seed."""
    frames = []
    for train_size in settings.train_sizes:
        data = images("digits", train_size=train_size).load(device)
        for scheme in settings.schemes:
            rows = _best_transformers(settings, data, rank, scheme)
            frames.append(rows.assign(train_size=train_size))
    return pd.concat(frames, ignore_index=True)


def _best_transformers(
    settings: TransformerSettings, data: Dataset, rank: int, scheme: str
) -> pd.DataFrame:
    """Return the accuracies at the rate that is best on held-out images.

    It is best for what is trained: the core, the full network, or the mean of both. For
    `joint` there are also those at the rate that is best for one part: see `OWN`.
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
    best_for = at_rates(settings, network, data, alternating(*parts), num_steps)
    chosen = {scheme: parts}
    if scheme == "joint":
        chosen |= {name: (part,) for name, part in OWN.items()}
    frames = []
    for name, own in chosen.items():
        lr, tested = best_for(own)
        scores = {"core": tested(Core()), "full": tested(None), "scheme": name}
        frames.append(pd.DataFrame({"seed": settings.seeds, "lr": lr, **scores}))
    return pd.concat(frames, ignore_index=True)


TRANSFORMER = Study(
    name="partial-transformer",
    says="A low-rank core and the full Transformer on rows of 8×8 digits, trained "
    "jointly and each alone",
    point=transformer_point,
    over="ranks",
    budgets={
        "smoke": TransformerSettings(
            ranks=(2,), train_sizes=(200,), size=8, num_steps=10, lrs=(0.1,),
            seeds=(0, 1),
        ),
        "laptop": TransformerSettings(
            ranks=(1, 4), train_sizes=(200,), size=8, num_steps=100, lrs=(0.03, 0.1),
            seeds=(0, 1, 2),
        ),
        "paper": TransformerSettings(),
    },
)  # fmt: skip
