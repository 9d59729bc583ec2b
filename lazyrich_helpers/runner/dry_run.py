"""What a batch takes here, said before it runs: ten steps of a few of its networks.

The steps are real ones; other networks are scaled by their operations. Nothing is kept.
"""

import dataclasses
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from lazyrich_helpers.data.datasets import Split
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.measures.costs import OVERHEAD, multiply_adds, operations
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.runner.attempts import suitable_threads
from lazyrich_helpers.runner.backlog import grouped, missing
from lazyrich_helpers.runner.memory import free, peak_bytes
from lazyrich_helpers.runner.progress import duration
from lazyrich_helpers.training.ensemble import train_ensemble
from lazyrich_helpers.training.loop import new_network, train
from lazyrich_helpers.training.run_config import RunConfig, label

MOST_TRIALS = 5
NUM_STEPS = 10
LR = 1e-4
"""So small that no trial diverges."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one run takes; where it is trained with others, its share."""

    config: RunConfig
    operations: float
    memory: float
    """Bytes at its fullest, with the runs it is trained with."""
    seconds: float
    """About; infinite where memory does not hold it."""

    def __str__(self) -> str:
        fits = math.isfinite(self.seconds)
        time = f"about {duration(self.seconds)} here" if fits else "does not fit"
        what = f"{self.config.run_id} {label(self.config)}"
        amount = f"{self.operations:.2g} operations, {self.memory / 1e9:.2g} GB"
        return f"  {what}: {amount}, {time}"


def dry_run(
    recipe: Recipe, store: Store, device: str, say: Callable[[str], None]
) -> list[Row]:
    """Return a row for each run that `store` lacks of `recipe`, in its order.

    A run of which only a measure is missing counts as one to train. Steps are tried on
    `device`; `say` is told of each trial as it begins.
    """
    todo, there = missing(recipe, store), free(device)
    num = {c: len(group) for group in grouped(todo, device) for c in group}
    memory = {c: peak_bytes(c, num=num[c]) for c in todo}
    fit = {_setting(c): num[c] for c in todo if memory[c] <= there}
    tried: dict[RunConfig, float] = {}
    for setting in _few(fit):
        say(f"Ten steps of {setting.model}.")
        tried[setting] = seconds_per_image(setting, fit[setting], device)
    rows = []
    for config in todo:
        amount = operations(config, recipe.measures, eval_every=recipe.eval_every)
        seconds = math.inf
        if memory[config] <= there:
            own = _effort(config)
            like = min(
                tried, key=lambda each, own=own: abs(math.log(_effort(each) / own))
            )
            # An image's way forward and back is 6 operations for each multiplication.
            num_images = amount / (6 * multiply_adds(config))
            seconds = num_images * tried[like] * _effort(config) / _effort(like)
        rows.append(Row(config, amount, memory[config], seconds))
    return rows


def _setting(config: RunConfig) -> RunConfig:
    """Return the training whose steps are tried; runs of like steps share it."""
    return dataclasses.replace(
        config,
        init=XavierNormal(),
        optimizer=dataclasses.replace(config.optimizer, lr=LR),  # type: ignore[type-var]
        updates=Full(),
        training=dataclasses.replace(config.training, num_epochs=1, seed=0),
    )


def seconds_per_image(config: RunConfig, num: int, device: str) -> float:
    """Return what an image takes in a step; a run's share, of `num` trained as one."""
    data = config.data.load(device)
    with suitable_threads(config):
        for num_steps in (1, NUM_STEPS):  # the first warms up
            size = num_steps * config.training.batch_size
            part = Split(data.train.images[:size], data.train.labels[:size])
            some = dataclasses.replace(data, train=part, test=part, views=())
            networks = [new_network(config, some) for _ in range(num)]
            if num > 1:
                ((epoch, *_),) = train_ensemble(networks, some, [config] * num)
            else:
                (epoch,) = train(networks[0], some, config)
    assert epoch is not None
    return epoch.seconds / len(part)


def _few(settings: Collection[RunConfig]) -> list[RunConfig]:
    """Return at most `MOST_TRIALS` of the settings, from the least work to the most."""
    in_order = sorted(settings, key=_effort)
    if len(in_order) <= MOST_TRIALS:
        return in_order
    last = len(in_order) - 1
    return [in_order[k * last // (MOST_TRIALS - 1)] for k in range(MOST_TRIALS)]


def _effort(config: RunConfig) -> float:
    """Return what an image takes in a step, in units of multiplications."""
    return multiply_adds(config) + OVERHEAD


def lines(rows: Sequence[Row], device: str) -> list[str]:
    """Return rows as lines for a terminal: one for each run, then a total."""
    if not rows:
        return ["  nothing to do."]
    fit = [row for row in rows if math.isfinite(row.seconds)]
    amount = f"{sum(row.operations for row in rows):.2g} operations"
    seconds = duration(sum(row.seconds for row in fit))
    total = f"All: {amount}; about {seconds} here ({device}), one by one"
    total += ", while it is as busy as now"
    if len(fit) < len(rows):
        there = f"{free(device) / 1e9:.2g} GB are free here; choose smaller widths"
        total += f", without the {len(rows) - len(fit)} that do not fit: {there}"
    return [*map(str, rows), f"{total}."]
