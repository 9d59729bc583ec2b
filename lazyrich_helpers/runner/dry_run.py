"""What a batch takes here, said before it runs: ten steps of each kind of network.

The steps are real ones, of made-up images (`trial`). A run's seconds follow from its
number of steps, from what its schedule updates, and from its measures. Where there are
many kinds of network, `MOST_TRIALS` are tried and stand for the others, by their
operations. Nothing is kept.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.costs import OVERHEAD, multiply_adds, operations
from lazyrich_helpers.runner.backlog import missing
from lazyrich_helpers.runner.grouping import grouped
from lazyrich_helpers.runner.memory import free, peak_bytes
from lazyrich_helpers.runner.progress import duration
from lazyrich_helpers.runner.trial import Trial, run_seconds, trial_setting, tried
from lazyrich_helpers.training.run_config import RunConfig, label

MOST_TRIALS = 12
GIGA = 1e9

Kind = tuple[RunConfig, int]
"""Whose steps take alike: `trial_setting`, and how many are trained as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one run takes; where it is trained with others, its share."""

    config: RunConfig
    operations: float
    memory: float
    """Bytes at its fullest, with the runs it is trained with."""
    seconds: float
    """About; infinite where memory does not hold it."""


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
    nums = {c: len(group) for group in grouped(todo, device) for c in group}
    rows, kinds = [], {}
    for config in todo:
        need = peak_bytes(config, recipe.measures, num=nums[config])
        work = operations(config, recipe.measures, eval_every=recipe.eval_every)
        row = Row(config=config, operations=work, memory=need, seconds=math.inf)
        rows.append(row)
        if need <= there:
            kinds[config] = trial_setting(config), nums[config]
    trials = _trials(kinds, device, say)
    return [
        replace(row, seconds=_seconds(row.config, recipe, kinds[row.config], trials))
        if row.config in kinds
        else row
        for row in rows
    ]


def _trials(
    kinds: Mapping[RunConfig, Kind], device: str, say: Callable[[str], None]
) -> dict[Kind, Trial]:
    """Return what steps of each kind take; of `MOST_TRIALS` where there are more."""
    # The longest run of a kind says whether choosing its threads pays.
    in_order = sorted(kinds, key=lambda config: config.training.num_epochs)
    longest = {kinds[config]: config for config in in_order}
    chosen, found = few(longest), {}
    for number, kind in enumerate(chosen, 1):
        setting, num = kind
        say(f"Ten steps of {setting.model} ({number} of {len(chosen)}).")
        found[kind] = tried(longest[kind], device, num)
    return found


def _seconds(
    config: RunConfig, recipe: Recipe, kind: Kind, trials: Mapping[Kind, Trial]
) -> float:
    like = nearest(kind, list(trials))
    trial = trials[like].times(_effort(config) / _effort(like[0]))
    return run_seconds(config, recipe.measures, trial, eval_every=recipe.eval_every)


def few(kinds: Collection[Kind], most: int = MOST_TRIALS) -> list[Kind]:
    """Return at most `most` of the kinds, from the least work to the most."""
    in_order = sorted(kinds, key=lambda kind: _effort(kind[0]))
    if len(in_order) <= most:
        return in_order
    return [in_order[k * (len(in_order) - 1) // (most - 1)] for k in range(most)]


def nearest(kind: Kind, among: Sequence[Kind]) -> Kind:
    """Return which of the kinds stands for this one: a like one, near in work."""

    def distance(other: Kind) -> tuple[int, float]:
        (ours, num), (theirs, their_num) = kind, other
        unlike = [
            type(ours.model) is not type(theirs.model),
            ours.training.precision != theirs.training.precision,
            num != their_num,
        ]
        return sum(unlike), abs(math.log(_effort(ours) / _effort(theirs)))

    return min(among, key=distance)


def _effort(config: RunConfig) -> float:
    """Return what a step takes, in units of multiplications."""
    return config.training.batch_size * (multiply_adds(config) + OVERHEAD)


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
        there = f"{free(device) / GIGA:.2g} GB are free here; choose smaller widths"
        total += f", without the {len(rows) - len(fit)} that do not fit: {there}"
    return [*map(_line, rows), f"{total}."]


def _line(row: Row) -> str:
    time = "does not fit"
    if math.isfinite(row.seconds):
        time = f"about {duration(row.seconds)} here"
    return (
        f"  {row.config.run_id} {label(row.config)}: {in_operations(row.operations)}, "
        f"{row.memory / GIGA:.2g} GB, {time}"
    )


def in_operations(number: float) -> str:
    """Return a number of operations for people: 12 G, 3.4 T, 5.6 P."""
    for name, unit in (("P", 1e15), ("T", 1e12)):
        if number >= unit:
            return f"{number / unit:.3g} {name} operations"
    return f"{number / 1e9:.3g} G operations"
