"""What a store holds of a recipe, as lines for a terminal."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.states import COMPLETE, STATES, RunState
from lazyrich_helpers.runner.progress import duration
from lazyrich_helpers.training.run_config import label_without_seed


def counted(words: Iterable[str], order: Sequence[str] = STATES) -> str:
    """Return how many there are of each word: `3 recorded, 1 missing`."""
    counts = Counter(words)
    return ", ".join(f"{counts[word]} {word}" for word in order if counts[word])


def table(runs: Iterable[RunState]) -> Iterator[str]:
    """Yield a line for each setting: runs, test accuracy and seconds, over its seeds.

    Accuracies are of those that ended, with one standard deviation where several did.
    """
    settings: dict[str, list[RunState]] = {}
    for run in runs:
        settings.setdefault(label_without_seed(run.config), []).append(run)
    width = max(map(len, settings), default=0)
    for setting, seeds in settings.items():
        num_done = sum(run.word in COMPLETE for run in seeds)
        others = counted(run.word for run in seeds if run.word != "recorded")
        records = [r.record for r in seeds if r.record and r.word == "recorded"]
        parts = [f"{num_done}/{len(seeds)}", others, _result(records)]
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
