"""What a store lacks of a recipe, and in which groups and order to train it."""

import math
from collections.abc import Sequence

from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.experiments.states import COMPLETE, state
from lazyrich_helpers.runner.checkpoints import begun
from lazyrich_helpers.runner.grouping import grouped
from lazyrich_helpers.training.run_config import RunConfig


def missing(recipe: Recipe, store: Store) -> list[RunConfig]:
    """Return the runs of `recipe` that `store` lacks, or holds only in part."""
    return [c for c in recipe.configs if not is_there(c, recipe, store)]


def is_there(config: RunConfig, recipe: Recipe, store: Store) -> bool:
    """Return whether there is nothing left to do for a run of `recipe`."""
    return state(config, recipe.measures, store).word in COMPLETE


def planned(
    configs: Sequence[RunConfig],
    recipe: Recipe,
    store: Store,
    device: str,
    *,
    workers: int = 1,
) -> list[list[RunConfig]]:
    """Return groups of runs to train as one; what has a record already is alone.

    Groups that were begun and interrupted come first, as they were. With several
    workers, no other group is more than a worker's share of the runs.
    """
    fresh = [config for config in configs if _is_fresh(config, store)]
    groups = begun(fresh, recipe, store)
    taken = {config for group in groups for config in group}
    rest = [config for config in fresh if config not in taken]
    groups += grouped(rest, device, most=max(1, math.ceil(len(rest) / workers)))
    return groups + [[config] for config in configs if config not in set(fresh)]


def _is_fresh(config: RunConfig, store: Store) -> bool:
    try:
        record = store.read(config.run_id)
    except ValueError:  # unreadable: reported when it is its turn
        return False
    return record is None or record.stale
