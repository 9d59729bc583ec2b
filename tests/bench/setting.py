"""The settings that are measured, all on MNIST, and how small they are at `--quick`."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from lazyrich_helpers.data.datasets import Dataset, Split
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.training.run_config import RunConfig

PRECISIONS = ("highest", "medium", "bf16")
"""As in `Training`: fp32 by two codes, and bf16."""


@dataclass(frozen=True)
class Options:
    """What a call of the benchmarks chose."""

    quick: bool = False
    """Small networks, digits, few repetitions: shows that it runs, measures nothing."""
    epochs: int = 20
    """Of `kept`."""
    repetitions: int = 9


def recipe(
    options: Options,
    *,
    width: int,
    depth: int,
    precision: str = "highest",
    **choices: object,
) -> Recipe:
    """Return a recipe of one setting, at the paper's scale unless quick."""
    choices = {"seeds": [0], "lrs": [0.001]} | choices
    if options.quick:
        choices |= {"dataset": "digits", "num_epochs": 1}
    name = {1: "figure-2", 4: "figure-3"}[depth]
    made = make_recipe(name, "paper", widths=[width], **choices)
    configs = tuple(
        dataclasses.replace(
            each, training=dataclasses.replace(each.training, precision=precision)
        )
        for each in made.configs
    )
    return dataclasses.replace(made, configs=configs)


def config(options: Options, *, width: int, depth: int, **choices: Any) -> RunConfig:
    """Return the first run of `recipe`."""
    return recipe(options, width=width, depth=depth, **choices).configs[0]


def first_steps(data: Dataset, num_steps: int, batch_size: int) -> Dataset:
    """Return the data with no more training images than `num_steps` need."""
    num = num_steps * batch_size
    few = Split(data.train.images[:num], data.train.labels[:num])
    return dataclasses.replace(data, train=few)
