"""What a run costs: operations of its network, of the plans that its seed drew.

All of it follows from the config alone, and is counted on a network without numbers, so
that no data need be there. Every record has it (`run_costs`), so that tables and
figures need neither the network nor its draws; it is no option of a recipe.
"""

import functools
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.sources import source_of
from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.flops import Flops, layer_flops
from lazyrich_helpers.training.loop import epoch_plans
from lazyrich_helpers.training.run_config import RunConfig


def forward_flops(flops: Flops) -> int:
    """Return a step's operations forward, for one image; `flops` as `layer_flops`."""
    return sum(map(sum, flops))


def backward_flops(flops: Flops, trainable: Collection[int]) -> int:
    """Return a step's operations backward where only these layers are updated.

    In a residual block a second weight reads what the first does; then this counts a
    gradient of it too many in the lowest trainable layer.
    """
    weights = sum(sum(flops[layer]) for layer in trainable)
    lowest = min(trainable)
    inputs = sum(flops[lowest][1:]) + forward_flops(flops[lowest + 1 :])
    return weights + inputs


def backward_share(flops: Flops, trainable: Collection[int]) -> float:
    """Return `backward_flops` as a share of those of full training, 0 to 1."""
    return backward_flops(flops, trainable) / backward_flops(flops, range(len(flops)))


def step_share(flops: Flops, backward: float) -> float:
    """Return a step's operations as a share of full training's, from `backward`'s."""
    forward, full = forward_flops(flops), backward_flops(flops, range(len(flops)))
    return (forward + full * backward) / (forward + full)


NAME, VERSION = "costs", 1
"""Of `run_costs` in a record."""
OVERHEAD = 50_000
"""Multiplications that take about as long as a step's fixed cost on a CPU."""


def run_costs(config: RunConfig) -> dict[str, Any]:
    """Return what a record says of its run's costs, ready for JSON.

    `layers`, bottom first: `num_parameters`, the `shapes` (out, in) of its weight
    matrices, kernels flattened, and the `flops` of each, forward, for one image.
    `plans`: which layers were trained together, and in how many epochs (`num`), or
    steps where a schedule changes within an epoch. `backward` and `forward`: the run's
    operations over full training's, and the same by epoch.
    """
    full = forward_flops(flops_of(config))
    drawn = [plan for plans in plans_of(config) for plan in plans]
    counts = Counter(tuple(sorted(plan.layers)) for plan in drawn)
    return {
        "version": VERSION,
        "layers": _layers(config),
        "plans": [{"layers": [*k], "num": num} for k, num in sorted(counts.items())],
        "backward": backward_cost(config),
        "backward_by_epoch": epoch_costs(config),
        "forward": forward_cost(config),
        "forward_by_epoch": [own / full for own in forward_operations(config)],
    }


def _layers(config: RunConfig) -> list[dict[str, Any]]:
    layers = [[*layer.parameters()] for layer in config.blueprint().layers]
    return [
        {
            "num_parameters": sum(p.numel() for p in own),
            "shapes": [[len(p), p[0].numel()] for p in own if p.dim() > 1],
            "flops": list(flops),
        }
        for own, flops in zip(layers, flops_of(config), strict=True)
    ]


def num_parameters(config: RunConfig) -> int:
    """Return how many parameters the run's network has."""
    return sum(p.numel() for p in config.blueprint().parameters())


def multiply_adds(config: RunConfig) -> int:
    """Return the multiplications of one image's way through the run's network."""
    return forward_flops(flops_of(config)) // 2


def flops_of(config: RunConfig) -> Flops:
    """Return `layer_flops` of the run's network."""
    return _flops_of(config.blueprint(), config.data.image_shape)


_flops_of = functools.lru_cache(layer_flops)


@functools.lru_cache(maxsize=1)  # those who ask about a run do so in turn
def plans_of(config: RunConfig) -> list[list[Plan]]:
    """Return each epoch's plans: of every step, or one where it tells of them all."""
    num_layers = len(config.blueprint().layers)
    num_examples = config.columns()["train_size"] if config.updates.per_step else 1
    epochs = range(config.training.num_epochs)
    return [epoch_plans(config, epoch, num_examples, num_layers) for epoch in epochs]


@functools.lru_cache(maxsize=1024)
def backward_cost(config: RunConfig) -> float:
    """Return the run's backward operations as a share of full training's, 0 to 1.

    Of the epochs that its seed drew, not of those that it would draw on average.
    """
    costs = epoch_costs(config)
    return sum(costs) / len(costs)


def epoch_costs(config: RunConfig) -> list[float]:
    """Return each epoch's backward operations as a share of full training's."""
    flops, epochs = flops_of(config), plans_of(config)
    different = {plan.layers for plans in epochs for plan in plans}
    shares = {layers: backward_share(flops, layers) for layers in different}
    return [sum(shares[plan.layers] for plan in own) / len(own) for own in epochs]


@functools.lru_cache(maxsize=1024)
def forward_cost(config: RunConfig) -> float:
    """Return the run's forward operations as a share of full training's, 0 to 1.

    Frozen layers' activations on fixed images are computed in their first frozen epoch;
    they are taken to fit into what may be cached.
    """
    computed = forward_operations(config)
    return sum(computed) / (len(computed) * forward_flops(flops_of(config)))


def forward_operations(config: RunConfig) -> list[int]:
    """Return each epoch's forward operations for one image, as in `forward_cost`."""
    flops, views = flops_of(config), num_views(config)
    # An epoch's lowest trainable layer: those below are frozen in it.
    cuts = [min(min(plan.layers) for plan in plans) for plans in plans_of(config)]
    computed = []
    for epoch in range(config.training.num_epochs):
        # What the same images met since they were last used; new ones met nothing.
        since = cuts[epoch - views : epoch + 1] if 0 < views <= epoch else [0]
        cached = since[0] if since[0] == min(since) else 0
        computed.append(forward_flops(flops[cached:]))
    return computed


def num_views(config: RunConfig) -> int:
    """Return how many fixed sets of training images there are; 0: always new ones."""
    data = config.data
    return data.num_views if isinstance(data, CroppedImages) else 1


def operations(
    config: RunConfig, measures: Sequence[type[Measure]] = (), *, eval_every: int = 1
) -> float:
    """Return the operations of a whole run: its steps, evaluations and measures."""
    flops, columns = flops_of(config), config.columns()
    forward, backward = forward_flops(flops), backward_flops(flops, range(len(flops)))
    epochs = config.training.num_epochs
    trained = epochs * (
        forward_cost(config) * forward + backward_cost(config) * backward
    )
    watching = sum(measure.epoch_passes for measure in measures)
    watched = epochs * watching * (forward + backward)
    passes = epochs // eval_every + 1
    passes += sum(m.test_passes + len(flops) * m.layer_passes for m in measures)
    tested = passes * source_of(columns["dataset"]).num_test * forward
    return columns["train_size"] * (trained + watched) + tested


def work(config: RunConfig) -> float:
    """Return a run's effort in additive units, for progress rather than for time."""
    images = config.training.num_epochs * config.columns()["train_size"]
    # Of full training's operations; backward is two thirds of a step.
    share = (forward_cost(config) + 2 * backward_cost(config)) / 3
    return images * (share * multiply_adds(config) + OVERHEAD)
