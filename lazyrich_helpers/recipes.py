"""One named function per exhibit of the paper: its runs and what they measure.

A recipe is the same code at three budgets: `smoke` (seconds), `laptop` (a chapter in
20 s) and `paper` (the paper's own scale).
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lazyrich_helpers.activity import Activity
from lazyrich_helpers.config import RunConfig, Training, require
from lazyrich_helpers.convnets import VGG5, ConvNet, ResNet18
from lazyrich_helpers.criticality import Criticality
from lazyrich_helpers.data import images
from lazyrich_helpers.initialization import XavierNormal
from lazyrich_helpers.measures import Accuracy, Measure
from lazyrich_helpers.models import ModelPart, ReluNet
from lazyrich_helpers.movement import Movement
from lazyrich_helpers.objectives import CrossEntropy
from lazyrich_helpers.optimizers import SGD, Adam, OptimizerPart
from lazyrich_helpers.records import Record, Store
from lazyrich_helpers.reinit import Reinit
from lazyrich_helpers.schedules import Full
from lazyrich_helpers.skew import GradientSkew

BUDGETS = ("smoke", "laptop", "paper")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An exhibit's runs, in the order they are best trained, and its measurements."""

    name: str
    budget: str
    configs: tuple[RunConfig, ...]
    measures: tuple[type[Measure], ...]
    eval_every: int = 5
    """Epochs between test evaluations; it changes no network."""


RecipeFunction = Callable[..., Recipe]
RECIPES: dict[str, RecipeFunction] = {}


def recipe(name: str) -> Callable[[RecipeFunction], RecipeFunction]:
    """Register the decorated function as the recipe `name`."""

    def register(function: RecipeFunction) -> RecipeFunction:
        RECIPES[name] = function
        return function

    return register


def make_recipe(name: str, budget: str, **choices: object) -> Recipe:
    """Return the recipe `name` at `budget`; choices that are None take its defaults.

    Raises:
        ValueError: If the name, the budget or a choice is not one there is.
    """
    require(name in RECIPES, "recipe", f"one of {', '.join(RECIPES)}", name)
    require(budget in BUDGETS, "budget", f"one of {', '.join(BUDGETS)}", budget)
    given = {key: value for key, value in choices.items() if value is not None}
    return RECIPES[name](budget, **given)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What a recipe varies, and how long it trains: every choice a caller has."""

    dataset: str
    widths: Sequence[int]
    seeds: Sequence[int]
    lrs: Sequence[float]
    """Learning rates."""
    num_epochs: int
    precision: str = "highest"

    def __post_init__(self) -> None:
        for name in ("widths", "seeds", "lrs"):
            values = getattr(self, name)
            is_list = isinstance(values, list | tuple)
            plain = is_list and not any(isinstance(v, list | dict) for v in values)
            distinct = plain and len(values) == len(set(values)) > 0
            require(distinct, name, "a list of different values, at least one", values)

    def choose(self, choices: dict[str, Any]) -> "Scale":
        """Return this scale with some fields chosen otherwise."""
        names = [field.name for field in dataclasses.fields(self)]
        for name in choices:
            require(name in names, "a choice", f"one of {', '.join(names)}", name)
        return dataclasses.replace(self, **choices)


TRAIN_SIZES = {"digits": 1000, "cifar10": 50_000}
"""Training images of each data set; the paper's 10,000 where not listed."""


def relu_net_configs(depth: int, scale: Scale) -> tuple[RunConfig, ...]:
    """Return a ReLU-Net per width, learning rate and seed, in that order.

    Source: Li & Banerjee (2021), Section 3; their learning rate is 0.1.
    """
    return network_configs(lambda width: ReluNet(width=width, depth=depth), scale)


def adam(lr: float) -> OptimizerPart:
    """Return Adam at `lr`, as the paper trains on MNIST."""
    return Adam(lr=lr)


def network_configs(
    model: Callable[[int], ModelPart],
    scale: Scale,
    *,
    optimizer: Callable[[float], OptimizerPart] = adam,
    image_size: int | None = None,
) -> tuple[RunConfig, ...]:
    """Return a network per width, learning rate and seed, in that order.

    Args:
        model: Width → network.
        scale: What varies.
        optimizer: Learning rate → optimizer.
        image_size: Pixels per side; None keeps the data's own.
    """
    require(isinstance(scale.dataset, str), "dataset", "a name", scale.dataset)
    train_size = TRAIN_SIZES.get(scale.dataset, 10_000)
    data = images(scale.dataset, train_size=train_size, image_size=image_size)
    return tuple(
        RunConfig(
            data=data,
            model=model(width),
            init=XavierNormal(),
            objective=CrossEntropy(),
            optimizer=optimizer(lr),
            updates=Full(),
            training=Training(
                num_epochs=scale.num_epochs,
                seed=seed,
                precision=scale.precision,
            ),
        )
        for width, lr, seed in itertools.product(scale.widths, scale.lrs, scale.seeds)
    )


FIGURE_2 = {
    "smoke": Scale(
        dataset="digits", widths=(8, 64), seeds=(0, 1), lrs=(0.1,), num_epochs=5
    ),
    "laptop": Scale(
        dataset="digits",
        widths=(10, 100, 1000),
        seeds=(0, 1, 2),
        lrs=(0.1,),
        num_epochs=20,
    ),
    "paper": Scale(
        dataset="mnist",
        widths=(10, 100, 1000, 10_000, 100_000),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.1, 0.01, 0.001),
        num_epochs=100,
        precision="medium",
    ),
}


@recipe("figure-2")
def figure_2(budget: str, **choices: Any) -> Recipe:
    """Re-initialization of ReLU-Nets with one hidden layer (d = 1)."""
    scale = FIGURE_2[budget].choose(choices)
    return Recipe(
        name="figure-2",
        budget=budget,
        configs=relu_net_configs(1, scale),
        measures=(Accuracy, Movement, Reinit),
    )


FIGURE_3 = {
    "smoke": Scale(
        dataset="digits", widths=(8, 32), seeds=(0,), lrs=(0.01,), num_epochs=5
    ),
    "laptop": Scale(
        dataset="digits",
        widths=(10, 100, 500),
        seeds=(0, 1),
        lrs=(0.01,),
        num_epochs=20,
    ),
    "paper": Scale(
        dataset="mnist",
        widths=(10, 100, 1000, 5000),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.1, 0.01, 0.001),
        num_epochs=100,
        precision="medium",
    ),
}


@recipe("figure-3")
def figure_3(budget: str, **choices: Any) -> Recipe:
    """Re-initialization of ReLU-Nets with four hidden layers (d = 4)."""
    scale = FIGURE_3[budget].choose(choices)
    return Recipe(
        name="figure-3",
        budget=budget,
        configs=relu_net_configs(4, scale),
        measures=(Accuracy, Movement, Reinit),
    )


FIGURE_5 = {
    "smoke": Scale(
        dataset="digits", widths=(8, 32), seeds=(0,), lrs=(0.001,), num_epochs=5
    ),
    "laptop": Scale(
        dataset="digits",
        widths=(10, 100, 500),
        seeds=(0,),
        lrs=(0.01,),
        num_epochs=20,
    ),
    "paper": Scale(
        dataset="mnist",
        widths=(10, 20, 50, 100, 200, 500, 1000),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.001,),
        num_epochs=100,
        precision="medium",
    ),
}
ACTIVITY = (Accuracy, Movement, Reinit, Activity, Criticality)


@recipe("figure-5")
def figure_5(budget: str, **choices: Any) -> Recipe:
    """Where active parameters are in ReLU-Nets with four hidden layers (d = 4).

    The learning rate is the one best on held-out images at this depth.
    """
    scale = FIGURE_5[budget].choose(choices)
    return Recipe(
        name="figure-5",
        budget=budget,
        configs=relu_net_configs(4, scale),
        measures=ACTIVITY,
    )


FIGURE_6 = {
    "smoke": dataclasses.replace(FIGURE_5["smoke"], widths=(4, 8)),
    "laptop": Scale(
        dataset="digits", widths=(4, 20), seeds=(0,), lrs=(0.01,), num_epochs=10
    ),
    "paper": dataclasses.replace(
        FIGURE_5["paper"],
        widths=(5, 10, 20, 50),
        precision="highest",  # bf16 products only slow small kernels down on a CPU
    ),
}


def _conv_net_recipe(name: str, depth: int, budget: str, choices: Any) -> Recipe:
    scale = FIGURE_6[budget].choose(choices)
    return Recipe(
        name=name,
        budget=budget,
        configs=network_configs(lambda w: ConvNet(width=w, depth=depth), scale),
        measures=(Accuracy, Movement, Activity, Criticality),
    )


@recipe("figure-6")
def figure_6(budget: str, **choices: Any) -> Recipe:
    """Where active parameters are in Conv-Nets with two convolutions (d = 2)."""
    return _conv_net_recipe("figure-6", 2, budget, choices)


@recipe("figure-17")
def figure_17(budget: str, **choices: Any) -> Recipe:
    """Where active parameters are in Conv-Nets with four convolutions (d = 4)."""
    return _conv_net_recipe("figure-17", 4, budget, choices)


FIGURE_1 = {
    "smoke": Scale(
        dataset="digits", widths=(4,), seeds=(0,), lrs=(0.001,), num_epochs=1
    ),
    "laptop": Scale(
        dataset="digits", widths=(8,), seeds=(0,), lrs=(0.001,), num_epochs=5
    ),
    "paper": Scale(
        dataset="mnist",
        widths=(64,),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.001,),
        num_epochs=5,
        precision="medium",
    ),
}


@recipe("figure-1-vgg5")
def figure_1_vgg5(budget: str, **choices: Any) -> Recipe:
    """The sorted gradient of VGG-5 with batch norm, in the first epochs.

    Digits are enlarged to the 28 pixels that the network is made for.
    """
    scale = FIGURE_1[budget].choose(choices)
    return Recipe(
        name="figure-1-vgg5",
        budget=budget,
        configs=network_configs(
            lambda width: VGG5(width=width, batch_norm=True),
            scale,
            image_size=28 if scale.dataset == "digits" else None,
        ),
        measures=(Accuracy, GradientSkew),
    )


@recipe("figure-1-resnet18")
def figure_1_resnet18(budget: str, **choices: Any) -> Recipe:
    """The sorted gradient of ResNet-18, in the first epochs; the paper's is CIFAR-10.

    SGD as the paper has it for CIFAR-10: learning rate 0.01, Nesterov momentum. Digits
    are enlarged to 16 pixels: at 8 the last maps are one pixel each, and most weights
    of a 3×3 kernel would meet only padding.
    """
    scale = dataclasses.replace(FIGURE_1[budget], lrs=(0.01,))
    if budget == "paper":
        scale = dataclasses.replace(scale, dataset="cifar10")
    scale = scale.choose(choices)
    return Recipe(
        name="figure-1-resnet18",
        budget=budget,
        configs=network_configs(
            lambda width: ResNet18(width=width),
            scale,
            optimizer=lambda lr: SGD(lr=lr),
            image_size=16 if scale.dataset == "digits" else None,
        ),
        measures=(Accuracy, GradientSkew),
    )


LEARNING_RATES = {
    "smoke": Scale(
        dataset="digits", widths=(16,), seeds=(0,), lrs=(0.1, 0.001), num_epochs=5
    ),
    "laptop": Scale(
        dataset="digits",
        widths=(10, 100),
        seeds=(0,),
        lrs=(0.1, 0.01, 0.001, 0.0001),
        num_epochs=20,
    ),
    "paper": Scale(
        dataset="mnist",
        widths=(10, 100, 1000),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.1, 0.01, 0.001, 0.0001),
        num_epochs=100,
        precision="medium",
    ),
}


@recipe("learning-rates")
def learning_rates(budget: str, **choices: Any) -> Recipe:
    """Adam's learning rate by width and depth (d = 1 and 4); the paper's is 0.1."""
    scale = LEARNING_RATES[budget].choose(choices)
    return Recipe(
        name="learning-rates",
        budget=budget,
        configs=(*relu_net_configs(1, scale), *relu_net_configs(4, scale)),
        measures=(Accuracy,),
    )


@dataclass(frozen=True)
class Results:
    """What a store holds of a recipe."""

    recipe: Recipe
    records: tuple[Record, ...]
    """Runs that came to a result and were measured, in the recipe's order."""
    missing: tuple[RunConfig, ...]
    """Runs that are not there, that failed, or that lack one of the measurements."""

    @property
    def num_stale(self) -> int:
        """How many records hold numbers of older code: of training or of a measure."""
        return sum(
            record.stale or _is_outdated(record, self.recipe.measures)
            for record in self.records
        )


def collect(recipe: Recipe, store: Store) -> Results:
    """Read what `store` holds of `recipe`, without training anything."""
    records, missing = [], []
    for config in recipe.configs:
        record = store.read(config.run_id)
        if record is not None and _shows(record, recipe.measures):
            records.append(record)
        else:
            missing.append(config)
    return Results(recipe, tuple(records), tuple(missing))


def _shows(record: Record, measures: Sequence[type[Measure]]) -> bool:
    """Return whether a record has something to show of each of the measures."""
    measured = all(measure.name in record.measures for measure in measures)
    return record.status == "diverged" or (record.status == "ok" and measured)


def _is_outdated(record: Record, measures: Sequence[type[Measure]]) -> bool:
    """Return whether one of the measures is there at another version."""
    return any(
        measure.name in record.measures
        and not record.has(measure.name, measure.version)
        for measure in measures
    )


def is_complete(
    record: Record | None, measures: Sequence[type[Measure]], store: Store
) -> bool:
    """Return whether there is nothing left to do for a run, kept in `store`."""
    if record is None or not record.done or record.stale:
        return False
    return record.status == "diverged" or not lacking(record, measures, store)


def lacking(
    record: Record, measures: Sequence[type[Measure]], store: Store
) -> list[type[Measure]]:
    """Return the measures that are not there at their version, with their arrays."""
    return [
        measure
        for measure in measures
        if not record.has(measure.name, measure.version)
        or (measure.has_arrays and not store.has_arrays(record.run_id, measure.name))
    ]
