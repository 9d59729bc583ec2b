"""What a store holds of a recipe, as lines for a terminal."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lazyrich_helpers.experiments.recipes import Recipe, is_complete
from lazyrich_helpers.experiments.records import Record, Store
from lazyrich_helpers.runner.progress import duration
from lazyrich_helpers.training.run_config import RunConfig, label, label_without_seed


@dataclass(frozen=True)
class Standing:
    """How far one run of a recipe is."""

    config: RunConfig
    word: str
    """`done`, `stale`, `partial` (a measurement lacks), `failed`, `unreadable` or
    `missing`."""
    record: Record | None = None
    why: str = ""
    """What went wrong, in a sentence."""

    def __str__(self) -> str:
        why = f": {self.why}" if self.why else ""
        return f"{self.config.run_id} {label(self.config)}{why}"


def standings(recipe: Recipe, store: Store) -> list[Standing]:
    """Return how far each run of `recipe` is; a record that is unreadable says so."""
    return [_standing(config, recipe, store) for config in recipe.configs]


def _standing(config: RunConfig, recipe: Recipe, store: Store) -> Standing:
    try:
        record = store.read(config.run_id)
    except ValueError as error:
        return Standing(config, "unreadable", why=str(error))
    if record is None:
        return Standing(config, "missing")
    if not record.done:
        return Standing(config, "failed", record, record.status.partition(": ")[2])
    if record.stale:
        return Standing(config, "stale", record)
    complete = is_complete(record, recipe.measures, store)
    return Standing(config, "done" if complete else "partial", record)


def in_a_line(found: list[Standing]) -> str:
    """Return how many runs there are of each kind."""
    counts = Counter(standing.word for standing in found)
    recorded = counts["done"] + counts["stale"] + counts["partial"]
    parts = [f"{len(found)} runs, {recorded} recorded, {counts['stale']} of them stale"]
    words = ("partial", "failed", "unreadable")
    parts += [f"{counts[word]} {word}" for word in words if counts[word]]
    return ", ".join(parts)


def table(found: list[Standing]) -> Iterator[str]:
    """Yield a line for each setting: runs, test accuracy and seconds, over its seeds.

    Accuracies are of those that ended, with one standard deviation where several did.
    """
    settings: dict[str, list[Standing]] = {}
    for standing in found:
        settings.setdefault(label_without_seed(standing.config), []).append(standing)
    width = max(map(len, settings), default=0)
    for setting, runs in settings.items():
        done = [r.record for r in runs if r.word == "done" and r.record is not None]
        words = Counter(run.word for run in runs if run.word != "done")
        diverged = sum(record.status == "diverged" for record in done)
        parts = [f"{len(done)}/{len(runs)}"]
        parts += [f"{count} {word}" for word, count in words.items()]
        parts += [f"{diverged} diverged"] if diverged else []
        parts += [_result([record for record in done if record.status == "ok"])]
        yield f"  {setting:{width}}  {', '.join(filter(None, parts))}"


def _result(records: list[Record]) -> str:
    last = [(r.curves.get("num_correct", [None])[-1], r) for r in records]
    percents = [
        100 * correct / record.origin["num_test"]
        for correct, record in last
        if correct is not None and record.origin.get("num_test")
    ]
    if not percents:
        return ""
    spread = f" ± {np.std(percents, ddof=1):.2f}" if len(percents) > 1 else ""
    seconds = float(np.mean([record.times.get("total") or 0.0 for record in records]))
    return f"{np.mean(percents):.2f}{spread} %, {duration(seconds)} each"
