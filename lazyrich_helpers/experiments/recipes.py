"""What a recipe is: the runs of an exhibit, their scale, and what a store holds of it.

The recipes themselves are in `exhibits`.
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from lazyrich_helpers.config import require
from lazyrich_helpers.data.datasets import DataPart, Images, images
from lazyrich_helpers.experiments.records import Record, Store
from lazyrich_helpers.lws.schedules import Full, UpdateSchedule
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.initialization import InitPart, XavierNormal
from lazyrich_helpers.models.network import ModelPart, ReluNet
from lazyrich_helpers.training.arithmetic import named
from lazyrich_helpers.training.objectives import CrossEntropy
from lazyrich_helpers.training.optimizers import Adam, OptimizerPart
from lazyrich_helpers.training.run_config import RunConfig, Training

BUDGETS = ("smoke", "laptop", "paper")
XAVIER = XavierNormal()


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


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What a recipe varies, and how long it trains: every choice a caller has."""

    dataset: str
    widths: Sequence[int]
    seeds: Sequence[int]
    lrs: Sequence[float]
    """Learning rates."""
    num_epochs: int
    train_size: int | None = None
    """Training images; None takes `TRAIN_SIZES`."""
    precision: str = "highest"
    """As in `Training`; a caller chooses one of `arithmetic.PRECISIONS`."""

    lists: ClassVar[tuple[str, ...]] = ("widths", "seeds", "lrs")
    """Fields that hold several values, each of them once."""

    def __post_init__(self) -> None:
        for name in self.lists:
            values = getattr(self, name)
            is_list = isinstance(values, list | tuple)
            plain = is_list and not any(isinstance(v, list | dict) for v in values)
            distinct = plain and len(values) == len(set(values)) > 0
            require(distinct, name, "a list of different values, at least one", values)

    def choose(self, choices: dict[str, Any]) -> Self:
        """Return this scale with some fields chosen otherwise."""
        names = [field.name for field in dataclasses.fields(self)]
        for name in choices:
            require(name in names, "a choice", f"one of {', '.join(names)}", name)
        if "precision" in choices:
            asked = named(choices["precision"], fp32=self.precision)
            choices = choices | {"precision": asked}
        return dataclasses.replace(self, **choices)


TRAIN_SIZES = {"digits": 1000, "cifar10": 50_000}
"""Training images of each data set; the paper's 10,000 where not listed."""


def relu_net_configs(
    depth: int, scale: Scale, init: InitPart = XAVIER
) -> tuple[RunConfig, ...]:
    """Return a ReLU-Net per width, learning rate and seed, in that order.

    Source: Li & Banerjee (2021), Section 3; their learning rate is 0.1.
    """

    def model(width: int) -> ModelPart:
        return ReluNet(width=width, depth=depth)

    return network_configs(model, scale, init=init)


def adam(lr: float) -> OptimizerPart:
    """Return Adam at `lr`, as the paper trains on MNIST."""
    return Adam(lr=lr)


def images_of(scale: Scale, image_size: int | None = None) -> Images:
    """Return the images of `scale`; `image_size` None keeps their own pixels."""
    require(isinstance(scale.dataset, str), "dataset", "a name", scale.dataset)
    train_size = scale.train_size
    if train_size is None:
        train_size = TRAIN_SIZES.get(scale.dataset, 10_000)
    return images(scale.dataset, train_size=train_size, image_size=image_size)


def network_configs(
    model: Callable[[int], ModelPart],
    scale: Scale,
    *,
    data: DataPart | None = None,
    optimizer: Callable[[float], OptimizerPart] = adam,
    updates: Sequence[UpdateSchedule] = (Full(),),
    init: InitPart = XAVIER,
) -> tuple[RunConfig, ...]:
    """Return a network per width, learning rate, schedule and seed, in that order.

    Args:
        model: Width → network.
        scale: What varies.
        data: None takes `images_of(scale)`.
        optimizer: Learning rate → optimizer.
        updates: Schedules.
        init: Where each starts.
    """
    data = images_of(scale) if data is None else data
    settings = itertools.product(scale.widths, scale.lrs, updates, scale.seeds)
    return tuple(
        RunConfig(
            data=data,
            model=model(width),
            init=init,
            objective=CrossEntropy(),
            optimizer=optimizer(lr),
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
