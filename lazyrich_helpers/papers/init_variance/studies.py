"""What is measured of deep networks as they start, after Luther & Seung (2019)."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.models.initialization import LITERAL_GAIN, XavierNormal
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.models.variance_preserving import pre_activations
from lazyrich_helpers.papers.init_variance.nets import (
    INITS,
    gradient_squares,
    network_from,
    variances_by_layer,
    white_noise,
)
from lazyrich_helpers.papers.init_variance.theory import (
    correlations,
    input_correlations,
)

LAYERS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50)
STOPS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 35, 40, 45, 50)
"""Of the explorer."""


@dataclass(frozen=True, kw_only=True)
class NoiseSettings:
    """White noise through deep networks: what the studies of it share."""

    depth: int = 50
    layers: tuple[int, ...] = STOPS
    """Whose variances are kept."""
    num_samples: int = 500
    """To start on, where a start looks at data, and as many others to measure on."""
    seeds: tuple[int, ...] = tuple(range(10))


@dataclass(frozen=True, kw_only=True)
class DecaySettings(NoiseSettings):
    """Through networks with He's start."""

    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    layers: tuple[int, ...] = LAYERS


@dataclass(frozen=True, kw_only=True)
class StartSettings(NoiseSettings):
    """Through networks from each start."""

    inits: tuple[str, ...] = tuple(INITS)
    width: int = 512


@dataclass(frozen=True, kw_only=True)
class HistogramSettings(StartSettings):
    """What a few units of one network make of it."""

    num_units: int = 6
    num_bins: int = 25
    limit: float = 3.0
    """Where the bins end, in root mean squares of the layer."""
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """Images through ReLU-Nets with the main paper's start."""

    widths: tuple[int, ...] = (10, 100, 1000)
    depth: int = 4
    gains: tuple[float, ...] = (1.0, LITERAL_GAIN)
    dataset: str = "mnist"
    train_size: int = 1000
    seeds: tuple[int, ...] = tuple(range(10))


def decay(settings: DecaySettings, width: int, device: str) -> pd.DataFrame:
    """Return total and sample variance by layer and seed, at one width."""
    rows = []
    for seed in settings.seeds:
        inputs = white_noise(settings.num_samples, width, seed)
        network = network_from("he", width, settings.depth, seed, inputs).to(device)
        found = variances_by_layer(network, inputs.to(device))
        rows += [(seed, *row) for row in found if row[0] in settings.layers]
    return pd.DataFrame(rows, columns=["seed", "layer", "total", "sample"])


def starts(settings: StartSettings, init: str, device: str) -> pd.DataFrame:
    """Return variances and gradients by layer and seed, from one start.

    They are measured on other inputs than it was started on.
    """
    rows = []
    for seed in settings.seeds:
        both = white_noise(2 * settings.num_samples, settings.width, seed)
        first, inputs = both.split(settings.num_samples)
        network = network_from(init, settings.width, settings.depth, seed, first)
        network, inputs = network.to(device), inputs.to(device)
        gradients = gradient_squares(network, inputs, seed)
        for layer, total, sample in variances_by_layer(network, inputs):
            if layer in settings.layers:
                rows.append((seed, layer, total, sample, gradients[layer - 1]))
    columns = ["seed", "layer", "total", "sample", "gradient"]
    return pd.DataFrame(rows, columns=columns)


def histograms(settings: HistogramSettings, init: str, device: str) -> pd.DataFrame:
    """Return how often a unit is in each bin, by layer and unit, in samples."""
    (seed,) = settings.seeds
    both = white_noise(2 * settings.num_samples, settings.width, seed)
    first, inputs = both.split(settings.num_samples)
    network = network_from(init, settings.width, settings.depth, seed, first)
    edges = np.linspace(-settings.limit, settings.limit, settings.num_bins + 1)
    found = pre_activations(network.to(device), inputs.to(device))
    rows = []
    for layer, (_, made) in enumerate(found, start=1):
        if layer not in settings.layers:
            continue
        scale = made.square().mean().sqrt()
        for unit, values in enumerate((made[: settings.num_units] / scale).cpu()):
            counts, _ = np.histogram(values.numpy(), edges)
            rows.append((seed, layer, unit, scale.item(), *counts))
    bins = [f"bin_{place}" for place in range(settings.num_bins)]
    return pd.DataFrame(rows, columns=["seed", "layer", "unit", "scale", *bins])


def images_through(settings: ImageSettings, width: int, device: str) -> pd.DataFrame:
    """Return variances by layer, gain and seed, of images, at one width.

    Beside them `theory`: ρ in infinite width, of all pairs of these images.
    """
    data = images(settings.dataset, train_size=settings.train_size).load()
    inputs, rows = data.train.images, []
    theory = correlations(settings.depth, input_correlations(inputs))
    model = ReluNet(width=width, depth=settings.depth)
    for gain, seed in itertools.product(settings.gains, settings.seeds):
        network = model.build(data.image_shape, data.num_classes)
        XavierNormal(gain=gain).initialize_(network, seed, inputs)
        found = variances_by_layer(network.to(device), inputs.to(device))
        rows += [(seed, gain, *row, theory[row[0] - 1]) for row in found]
    columns = ["seed", "gain", "layer", "total", "sample", "theory"]
    return pd.DataFrame(rows, columns=columns)


def budgets(paper: Any, laptop: dict[str, Any], smoke: dict[str, Any]) -> Any:
    """Return settings by budget: a smaller one says what differs from the larger."""
    return {
        "smoke": replace(paper, **(laptop | smoke)),
        "laptop": replace(paper, **laptop),
        "paper": paper,
    }


FEW = {"seeds": (0, 1, 2)}
_SHALLOW = {"depth": 6, "layers": (1, 2, 4, 6)}
DECAY = Study(
    name="variance-decay",
    says="Total and sample variance down a ReLU network with He's start",
    point=decay,
    over="widths",
    budgets=budgets(
        DecaySettings(),
        {"widths": (32, 64, 128, 256), **FEW},
        {"widths": (16, 32), "num_samples": 100, **_SHALLOW},
    ),
)
STARTED = Study(
    name="variance-starts",
    says="Variances and gradients down a ReLU network from each start",
    point=starts,
    over="inits",
    budgets=budgets(
        StartSettings(),
        {"width": 128, **FEW},
        {"width": 16, "num_samples": 100, **_SHALLOW},
    ),
)
HISTOGRAMS = Study(
    name="variance-histograms",
    says="Pre-activations of six units down a ReLU network from each start",
    point=histograms,
    over="inits",
    budgets=budgets(
        HistogramSettings(),
        {"width": 128},
        {"width": 16, "num_samples": 100, **_SHALLOW},
    ),
)
IMAGES = Study(
    name="variance-images",
    says="Total and sample variance of images in ReLU-Nets with Xavier's start",
    point=images_through,
    over="widths",
    budgets=budgets(
        ImageSettings(), {"dataset": "digits", **FEW}, {"widths": (10, 30)}
    ),
)
