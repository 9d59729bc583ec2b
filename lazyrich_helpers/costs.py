"""What a run costs, known before it runs: operations, bytes moved, kernels started.

**Operations** are those of `flops`: the products of matrix multiplications and of
convolutions. **Bytes** are those that have to pass between processor and memory, if no
cache carries them from one pass to the next: a step reads its batch; it reads the
weights of the layers it computes, and once more, going backward, those above the lowest
layer awake; it writes and reads what the forward pass keeps for the backward pass; it
writes the gradients of the layers awake; the optimizer reads these, and reads and
writes the weights and what it remembers of them. **Kernels** are the operations that
torch dispatches, views left out; in a small network their starts are what takes time.

A run's epochs are those that its seed drew. What sleeping layers make of the images is
counted once where `train` keeps it. Measures count as the passes that they declare, as
in `planning.estimate_seconds`.
"""

import copy
import functools
import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace

import torch
from torch import nn

from lazyrich_helpers.augmentation import CroppedImages
from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.flops import Flops, backward_flops, forward_flops, layer_flops
from lazyrich_helpers.initialization import XavierNormal
from lazyrich_helpers.measures import Measure
from lazyrich_helpers.models import Network
from lazyrich_helpers.optimizers import SGD
from lazyrich_helpers.planning import blueprint
from lazyrich_helpers.sleeping import MOST_BYTES, fitting
from lazyrich_helpers.sources import source_of
from lazyrich_helpers.step_facts import step_facts
from lazyrich_helpers.train import EVAL_BATCH, epoch_plans

SINGLE = 4
"""Bytes of a number in fp32."""
BESIDE = 4
"""Kernels of a step that are not the network's: a batch is fetched, a loss added up."""
SHIFT = 20
"""Kernels that shift and mirror a batch at random, about."""
OPTIMIZER = 2
"""Kernels of the optimizer for each layer awake: a counter, and a fused step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What some work costs. Costs add up."""

    linear: float = 0.0
    """Operations of matrix multiplications."""
    conv: float = 0.0
    """Operations of convolutions."""
    weights: float = 0.0
    """Bytes of weights, gradients and optimizer state, moved at least."""
    activations: float = 0.0
    """Bytes of images and of what layers make of them, moved at least."""
    kernels: float = 0.0
    """Kernels started."""

    @property
    def operations(self) -> float:
        """All operations."""
        return self.linear + self.conv

    @property
    def bytes(self) -> float:
        """All bytes."""
        return self.weights + self.activations

    def __add__(self, other: "Cost") -> "Cost":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Cost(**dict(zip(COSTS, map(sum, pairs), strict=True)))

    def times(self, num: float) -> "Cost":
        """Return the cost of doing it `num` times, one after the other."""
        values = (num * value for value in astuple(self))
        return Cost(**dict(zip(COSTS, values, strict=True)))

    def as_one(self, num: int) -> "Cost":
        """Return the cost of `num` alike that are done as one: the kernels of one."""
        return replace(self.times(num), kernels=self.kernels)


COSTS = tuple(field.name for field in fields(Cost))


def run_cost(
    config: RunConfig, measures: Sequence[type[Measure]] = (), *, eval_every: int = 1
) -> Cost:
    """Return the cost of a whole run; no data is read.

    Args:
        config: Of the run.
        measures: Taken of it.
        eval_every: Epochs between two looks at the test images.
    """
    return train_cost(config) + watch_cost(config, measures, eval_every=eval_every)


def train_cost(config: RunConfig) -> Cost:
    """Return the cost of all training steps, and of what is kept of sleeping layers."""
    return _train_cost(replace(config, init=XavierNormal()))  # it costs nothing


@functools.lru_cache(maxsize=4096)
def _train_cost(config: RunConfig) -> Cost:
    num = num_train(config)
    shares: Counter[tuple[int, frozenset[int]]] = Counter()
    filled: Counter[tuple[int, int]] = Counter()
    for epoch in epochs(config):
        filled.update(epoch.fills)
        for awake, share in epoch.shares.items():
            shares[epoch.start, awake] += share  # type: ignore[assignment]
    total = Cost()
    for (start, awake), share in shares.items():
        steps = share * num / config.training.batch_size
        total += step_cost(config, awake, start).times(steps)
    for (start, end), times in filled.items():
        total += pass_cost(config, num, start, end).times(times)
    return total


def watch_cost(
    config: RunConfig, measures: Sequence[type[Measure]] = (), *, eval_every: int = 1
) -> Cost:
    """Return the cost of test evaluations and measures.

    Evaluations count as whole passes, though sleeping layers may spare a part of them.
    """
    num_layers, num_epochs = len(blueprint(config).layers), config.training.num_epochs
    passes = math.ceil(num_epochs / eval_every)
    passes += sum(measure.test_passes for measure in measures)
    passes += num_layers * sum(measure.layer_passes for measure in measures)
    watching = sum(measure.epoch_passes for measure in measures)
    steps = watching * num_epochs * num_train(config) / config.training.batch_size
    every = step_cost(config, range(num_layers)).times(steps) if steps else Cost()
    return every + pass_cost(config, num_test(config)).times(passes)


def num_train(config: RunConfig) -> int:
    """Return how many images the run trains on."""
    return config.columns()["train_size"]


def num_test(config: RunConfig) -> int:
    """Return how many test images its data set has."""
    return source_of(config.columns()["dataset"]).num_test


def step_cost(config: RunConfig, awake: Collection[int], start: int = 0) -> Cost:
    """Return the cost of a step with layers `awake`, computed from layer `start` on."""
    awake = frozenset(awake)
    facts = step_facts(config, awake, start)
    batch, weights = config.training.batch_size, layer_parameters(config)
    moving = sum(weights[layer] for layer in awake)
    numbers = sum(weights[start:]) + sum(weights[min(awake) + 1 :])
    numbers += (2 + 2 + 2 * num_states(config)) * moving
    linear, conv = (
        batch * (forward_flops(flops[start:]) + backward_flops(flops, awake))
        for flops in _by_kind(config)
    )
    return Cost(
        linear=linear,
        conv=conv,
        weights=SINGLE * numbers,
        activations=2 * facts.kept + facts.inputs,
        kernels=facts.kernels
        + BESIDE
        + OPTIMIZER * len(awake)
        + (0 if num_views(config) else SHIFT),
    )


def pass_cost(
    config: RunConfig, num_images: int, start: int = 0, end: int | None = None
) -> Cost:
    """Return the cost of `num_images` on their way through layers `start` to `end`.

    Bytes are those of the weights, for each batch, and of the images.
    """
    facts, batches = step_facts(config, frozenset(), start), num_images / EVAL_BATCH
    linear, conv = (
        num_images * forward_flops(flops[start:end]) for flops in _by_kind(config)
    )
    return Cost(
        linear=linear,
        conv=conv,
        weights=batches * SINGLE * sum(layer_parameters(config)[start:end]),
        activations=num_images * facts.inputs / config.training.batch_size,
        kernels=batches * facts.kernels,
    )


def num_states(config: RunConfig) -> int:
    """Return how many numbers the optimizer remembers of each weight that moves."""
    part = config.optimizer
    return int(part.momentum > 0) if isinstance(part, SGD) else 2  # else Adam


def layer_parameters(config: RunConfig) -> list[int]:
    """Return the parameters of each layer, bottom first."""
    layers = blueprint(config).layers
    return [sum(p.numel() for p in layer.parameters()) for layer in layers]


def _by_kind(config: RunConfig) -> tuple[Flops, Flops]:
    """Return `layer_flops` of linear layers, then of convolutional ones; others 0."""
    return _split_flops(blueprint(config), config.data.image_shape)


@functools.lru_cache
def _split_flops(network: Network, shape: tuple[int, int, int]) -> tuple[Flops, Flops]:
    flops = layer_flops(network, shape)
    convolves = [
        any(isinstance(module, nn.Conv2d) for module in layer.modules())
        for layer in network.layers
    ]
    pairs = list(zip(flops, convolves, strict=True))
    linear = [[0 if conv else n for n in layer] for layer, conv in pairs]
    return linear, [[n if conv else 0 for n in layer] for layer, conv in pairs]


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch computes."""

    start: int
    """The lowest layer that its steps compute."""
    fills: list[tuple[int, int]]
    """Stretches of sleeping layers, computed once for all training images and kept."""
    shares: dict[frozenset[int], float]
    """Layers awake → share of the epoch's images."""


def epochs(config: RunConfig) -> Iterator[Epoch]:
    """Yield what each epoch of the run computes, as `train` would do it."""
    num_images, views = num_train(config), num_views(config)
    sizes = [num_images * size for size in input_bytes(config)]
    num = num_images if config.updates.per_step else 1
    batch_size = config.training.batch_size
    kept: list[list[int]] = [[]] * views  # of each, the layers that read what is kept
    for number in range(config.training.num_epochs):
        plans = epoch_plans(config, number, num, len(sizes))
        images: Counter[frozenset[int]] = Counter()
        for place, plan in enumerate(plans):
            images[plan.layers] += min(batch_size, num - place * batch_size)
        lowest = min(map(min, images))
        kept = [[each for each in starts if each <= lowest] for starts in kept]
        first = start = 0
        if views:
            place = number % views
            first = max(kept[place], default=0)
            kept[place] = kept_after(kept[place], lowest, sizes)
            start = max(kept[place], default=0)
        fills = [(first, start)] if first < start else []
        yield Epoch(start, fills, {k: n / num for k, n in images.items()})


def kept_after(starts: Sequence[int], cut: int, sizes: Sequence[int]) -> list[int]:
    """Return at which layers a `SleepingBottom` keeps something, but for the images.

    Args:
        starts: Where it does before it is asked for the inputs of layer `cut`.
        cut: Layers below sleep.
        sizes: Bytes of what each layer reads of all images.
    """
    below = [start for start in starts if start <= cut]
    if cut == 0 or cut in below or sizes[cut] > MOST_BYTES:
        return below
    return fitting({start: sizes[start] for start in [*below, cut]}, MOST_BYTES)


def num_views(config: RunConfig) -> int:
    """Return how many fixed sets of training images there are; 0: always new ones."""
    data = config.data
    return data.num_views if isinstance(data, CroppedImages) else 1


def input_bytes(config: RunConfig) -> list[int]:
    """Return the bytes of what each layer reads of an image, bottom first."""
    half = config.training.precision == "bf16"
    sizes = _input_numbers(blueprint(config), config.data.image_shape)
    each = [SINGLE] + [2 if half else SINGLE] * (len(sizes) - 1)
    return [size * number for size, number in zip(sizes, each, strict=True)]


@functools.lru_cache
def _input_numbers(network: Network, shape: tuple[int, int, int]) -> list[int]:
    """Return how many numbers each layer reads of an image, bottom first."""
    hidden, sizes = torch.zeros(1, *shape, device="meta"), []
    with torch.no_grad():
        for layer in copy.deepcopy(network).eval().layers:
            sizes.append(hidden.numel())
            hidden = layer(hidden)
    return sizes
