"""One set of weights at several widths, beside networks trained for each width."""

from dataclasses import dataclass

import pandas as pd

from lazyrich_helpers.data.datasets import Dataset, images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.lws.partial import Sampler
from lazyrich_helpers.lws.perturbing_samplers import alternating, first_units
from lazyrich_helpers.models.stacked import StackedReluNet, Units, draw_
from lazyrich_helpers.papers.partial_sgd.rates import at_best_rate
from lazyrich_helpers.random_streams import generator

SCHEMES = ("alone", "together", "together, total")
"""Each width on its own; taking turns, as many steps of each width; as many in all."""


@dataclass(frozen=True, kw_only=True)
class WidthSettings:
    """A fully connected network, and the widths that it is used at."""

    schemes: tuple[str, ...] = SCHEMES
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


def point(settings: WidthSettings, scheme: str, device: str) -> pd.DataFrame:
    """Return each width's test accuracy, of every seed, at its best learning rate.

    The rate is chosen on held-out images by the mean over seeds: for each network that
    is trained, so that widths which share their weights share it.
    """
    data = images(settings.dataset, train_size=settings.train_size).load(device)
    sizes = [settings.width] * settings.depth
    parts = {share: first_units(sizes, share) for share in settings.shares}
    if scheme != "alone":
        count = settings.num_steps * (len(parts) if scheme == "together" else 1)
        return _best(settings, data, alternating(*parts.values()), parts, count)
    frames = [
        _best(settings, data, alternating(part), {share: part}, settings.num_steps)
        for share, part in parts.items()
    ]
    return pd.concat(frames, ignore_index=True)


def _best(
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
    lr, tested = at_best_rate(settings, network, data, sampler, count, parts.values())
    rows = [
        (seed, share, lr, accuracy)
        for share, part in parts.items()
        for seed, accuracy in zip(settings.seeds, tested(part), strict=True)
    ]
    return pd.DataFrame(rows, columns=["seed", "share", "lr", "accuracy"])


WIDTHS = Study(
    name="partial-widths",
    says="One set of weights used at several widths, and each width trained alone",
    point=point,
    over="schemes",
    budgets={
        "smoke": WidthSettings(
            shares=(0.5, 1.0),
            width=16,
            depth=2,
            num_steps=20,
            lrs=(0.1,),
            seeds=(0, 1),
            dataset="digits",
        ),
        "laptop": WidthSettings(
            width=32,
            depth=2,
            num_steps=100,
            lrs=(0.1, 0.2),
            seeds=(0, 1, 2),
            dataset="digits",
        ),
        "paper": WidthSettings(),
    },
)
