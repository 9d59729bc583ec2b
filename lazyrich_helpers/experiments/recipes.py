"""What a recipe is: the runs of an exhibit, their scale, and what a store holds of it.

The recipes themselves are in `exhibits`.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lazyrich_helpers.config import require
from lazyrich_helpers.data.datasets import DataPart, Images, images
from lazyrich_helpers.experiments.record import Record, RecordError
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.experiments.scale import Scale
from lazyrich_helpers.experiments.states import SHOWN, RunState, state
from lazyrich_helpers.lws.plans import UpdateSchedule
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.initialization import InitPart, XavierNormal
from lazyrich_helpers.models.network import ModelPart, ReluNet
from lazyrich_helpers.training.objectives import CrossEntropy, Objective
from lazyrich_helpers.training.optimizers import Adam, OptimizerPart
from lazyrich_helpers.training.run_config import RunConfig, Training

Configs = tuple[RunConfig, ...]
BUDGETS = ("smoke", "laptop", "paper")
XAVIER = XavierNormal()
CROSS_ENTROPY = CrossEntropy()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An exhibit's runs, in the order they are best trained, and its measurements."""

    name: str
    budget: str
    configs: Configs
    measures: tuple[type[Measure], ...]
    eval_every: int = 5
    """Epochs between test evaluations; it changes no network."""


RecipeFunction = Callable[..., Recipe]


def exhibit(
    scales: Mapping[str, Scale], *measures: type[Measure]
) -> Callable[[Callable[..., Configs]], RecipeFunction]:
    """Make a recipe of a function from a scale to the runs of an exhibit.

    The recipe has the function's name, with hyphens, and these measures. It is asked
    for with a budget, one of `scales`, and with what a caller chooses otherwise.
    """

    def recipe_of(runs: Callable[..., Configs]) -> RecipeFunction:
        @functools.wraps(runs)
        def make(budget: str, **choices: Any) -> Recipe:
            require(budget in scales, "budget", f"one of {', '.join(scales)}", budget)
            configs = runs(scales[budget].choose(choices))
            name = runs.__name__.replace("_", "-")
            return Recipe(name=name, budget=budget, configs=configs, measures=measures)

        return make

    return recipe_of


TRAIN_SIZES = {"digits": 1000, "cifar10": 50_000}
"""Training images of each data set; the paper's 10,000 where not listed."""


def relu_net_configs(depth: int, scale: Scale, **parts: Any) -> Configs:
    """Return a ReLU-Net per width, learning rate and seed, in that order.

    Source: Li & Banerjee (2021), Section 3; their learning rate is 0.1.
    """
    return network_configs(functools.partial(ReluNet, depth=depth), scale, **parts)


def images_of(scale: Scale, digits_size: int | None = None) -> Images:
    """Return the images of `scale`, digits enlarged to so many pixels a side."""
    require(isinstance(scale.dataset, str), "dataset", "a name", scale.dataset)
    train_size = scale.train_size
    if train_size is None:
        train_size = TRAIN_SIZES.get(scale.dataset, 10_000)
    size = digits_size if scale.dataset == "digits" else None
    return images(scale.dataset, train_size=train_size, image_size=size)


def network_configs(
    model: Callable[..., ModelPart],
    scale: Scale,
    *,
    data: DataPart | None = None,
    optimizer: Callable[..., OptimizerPart] = Adam,
    updates: Sequence[UpdateSchedule] = (Full(),),
    init: InitPart = XAVIER,
    objective: Objective = CROSS_ENTROPY,
) -> Configs:
    """Return a network per width, learning rate, schedule and seed, in that order.

    `model` is called with `width`, `optimizer` with `lr`; the paper trains by Adam on
    MNIST. Without `data` it is `images_of(scale)`.
    """
    data = images_of(scale) if data is None else data
    settings = itertools.product(scale.widths, scale.lrs, updates, scale.seeds)
    return tuple(
        RunConfig(
            data=data,
            model=model(width=width),
            init=init,
            objective=objective,
            optimizer=optimizer(lr=lr),
            updates=schedule,
            training=Training(
                num_epochs=scale.num_epochs,
                seed=seed,
                precision=scale.precision,
            ),
        )
        for width, lr, schedule, seed in settings
    )


@dataclass(frozen=True)
class Results:
    """What a store holds of a recipe."""

    recipe: Recipe
    records: tuple[Record, ...]
    """Runs that came to a result and were measured, in the recipe's order."""
    missing: Configs
    """Runs that are not there, that failed, or that lack one of the measurements."""
    num_stale: int
    """How many records hold numbers of older code: of training or of a measure."""


def states(recipe: Recipe, store: Store) -> list[RunState]:
    """Return how far each run of `recipe` is, without training anything."""
    return [state(config, recipe.measures, store) for config in recipe.configs]


def collect(recipe: Recipe, store: Store) -> Results:
    """Read what `store` holds of `recipe`, without training anything.

    Raises:
        RecordError: If a record cannot be read.
    """
    records, missing, num_stale = [], [], 0
    for run in states(recipe, store):
        if run.record is not None and run.word in SHOWN:
            records.append(run.record)
            num_stale += run.word == "stale"
        elif run.record is None and run.word == "failed":
            raise RecordError(run.why)
        else:
            missing.append(run.config)
    return Results(recipe, tuple(records), tuple(missing), num_stale)
