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

Kind = tuple[RunConfig, int]
"""A training whose steps stand for a run's, and how many are trained as one."""


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
        amount = in_operations(self.operations)
        return f"  {what}: {amount}, {self.memory / 1e9:.2g} GB, {time}"


def dry_run(
    recipe: Recipe, store: Store, device: str, say: Callable[[str], None]
) -> list[Row]:
    """Return a row for each run that `store` lacks of `recipe`, in its order.

    A run of which only a measure is missing counts as one to train.

    Args:
        recipe: What would be completed.
        store: Where.
        device: Where the steps are tried.
        say: Told of each trial as it begins.
    """
    todo, there = missing(recipe, store), free(device)
    num = {c: len(group) for group in grouped(todo, device) for c in group}
    memory = {c: peak_bytes(c, num=num[c]) for c in todo}
    kinds = {c: (_setting(c), num[c]) for c in todo if memory[c] <= there}
    chosen = few(set(kinds.values()))
    tried: dict[Kind, float] = {}
    for number, kind in enumerate(chosen, 1):
        say(f"Ten steps of {kind[0].model} ({number} of {len(chosen)}).")
        tried[kind] = seconds_per_image(*kind, device)
    rows = []
    for config in todo:
        amount = operations(config, recipe.measures, eval_every=recipe.eval_every)
        seconds = math.inf
        if config in kinds:
            like = nearest(kinds[config], chosen)
            # An image's way forward and back is 6 operations for each multiplication.
            num_images = amount / (6 * multiply_adds(config))
            seconds = num_images * tried[like] * _effort(config) / _effort(like[0])
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


def few(kinds: Collection[Kind], most: int = MOST_TRIALS) -> list[Kind]:
    """Return at most `most` of the kinds, from the least work to the most."""
    in_order = sorted(kinds, key=lambda kind: (_effort(kind[0]), kind[1]))
    if len(in_order) <= most:
        return in_order
    return [in_order[k * (len(in_order) - 1) // (most - 1)] for k in range(most)]


def nearest(kind: Kind, among: Sequence[Kind]) -> Kind:
    """Return which of the kinds stands for this one: a like one, near in work."""

    def distance(other: Kind) -> tuple[bool, bool, bool, float]:
        (ours, num), (theirs, their_num) = kind, other
        return (
            type(ours.model) is not type(theirs.model),
            ours.training.precision != theirs.training.precision,
            num != their_num,
            abs(math.log(_effort(ours) / _effort(theirs))),
        )

    return min(among, key=distance)


def _effort(config: RunConfig) -> float:
    """Return what an image takes in a step, in units of multiplications."""
    return multiply_adds(config) + OVERHEAD


def lines(rows: Sequence[Row], device: str) -> list[str]:
    """Return rows as lines for a terminal: one for each run, then a total."""
    if not rows:
        return ["  nothing to do."]
    fit = [row for row in rows if math.isfinite(row.seconds)]
    amount = in_operations(sum(row.operations for row in rows))
    seconds = duration(sum(row.seconds for row in fit))
    total = f"All: {amount}; about {seconds} here ({device}), one by one"
    total += ", while it is as busy as now"
    if len(fit) < len(rows):
        there = f"{free(device) / 1e9:.2g} GB are free here; choose smaller widths"
        total += f", without the {len(rows) - len(fit)} that do not fit: {there}"
    return [*map(str, rows), f"{total}."]


def in_operations(number: float) -> str:
    """Return a number of operations for people: 12 G, 3.4 T, 5.6 P."""
    for name, unit in (("P", 1e15), ("T", 1e12)):
        if number >= unit:
            return f"{number / unit:.3g} {name} operations"
    return f"{number / 1e9:.3g} G operations"
