"""Telling a person how far a batch of runs is: a bar, plain lines, a last table."""

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.states import COMPLETE, STATES, RunState
from lazyrich_helpers.measures.costs import work
from lazyrich_helpers.training.run_config import RunConfig, label, label_without_seed

LINE_EVERY = 30.0
"""Seconds between two plain lines about the same run."""
BAR = "{percentage:3.0f}%|{bar}| {elapsed} < {remaining} {desc}"
"""What a progress bar shows."""
T = TypeVar("T")


def duration(seconds: float) -> str:
    """Return a duration for people: 8 s, 3 min, 2.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class Progress:
    """Counts how much of a batch is done, and shows nothing of it."""

    def begin(self, configs: Sequence[RunConfig]) -> None:
        """Start the batch of these runs."""
        self.num_runs, self.num_done = len(configs), 0
        self.total, self.done = float(sum(map(work, configs))), 0.0
        self._epochs: dict[str, int] = {}

    def advance(self, config: RunConfig, epoch: int) -> None:
        """Say that a run came to the end of an epoch."""
        each, run_id = work(config) / config.training.num_epochs, config.run_id
        if run_id not in self._epochs:  # what it came with is no part of the batch
            self._epochs[run_id] = epoch - 1
            self.total -= each * (epoch - 1)
        self.done += each * (epoch - self._epochs[run_id])
        self._epochs[run_id] = epoch
        self.show(f"{label(config)}: epoch {epoch}")

    def skip(self, config: RunConfig) -> None:
        """Say that what is left of a run need not be done."""
        num_epochs = config.training.num_epochs
        left = num_epochs - self._epochs.get(config.run_id, 0)
        self._epochs[config.run_id] = num_epochs
        self.total -= left * work(config) / num_epochs

    def finish(self, record: Record) -> None:
        """Say how a run ended."""
        self.num_done += 1
        self.skip(record.config)
        result = record.status
        correct = [n for n in record.curves.get("num_correct", []) if n is not None]
        if record.status == "ok" and correct:
            result = f"{correct[-1] / record.origin['num_test']:.1%} test accuracy"
        seconds = duration(record.times.get("total", 0.0))
        self.show(f"{label(record.config)}: {result}, {seconds}", is_end=True)

    def show(self, text: str, *, is_end: bool = False) -> None:
        """Show how far the batch is; `text` is of a run, and of its end if `is_end`."""

    def end(self) -> None:
        """Leave nothing half printed."""


class Lines(Progress):
    """One plain line per run, and one every half minute, for logs."""

    def begin(self, configs: Sequence[RunConfig]) -> None:
        super().begin(configs)
        self._start = self._last = time.monotonic()

    def show(self, text: str, *, is_end: bool = False) -> None:
        now = time.monotonic()
        if not is_end and now - self._last <= LINE_EVERY:
            return
        self._last, left = now, 0.0
        if self.done > 0:
            left = (now - self._start) * max(0.0, self.total / self.done - 1)
        text = f"[{self.num_done}/{self.num_runs}] {text}; about {duration(left)} left"
        with contextlib.suppress(OSError):  # nobody listens: no reason to stop
            print(text, flush=True)


class Bar(Progress):
    """A progress bar with the time left, for notebooks and terminals."""

    def begin(self, configs: Sequence[RunConfig]) -> None:
        super().begin(configs)
        self._bar = _tqdm(total=self.total)

    def show(self, text: str, *, is_end: bool = False) -> None:
        self._bar.set_description_str(text, refresh=False)
        self._bar.total = self.total
        self._bar.update(self.done - self._bar.n)

    def end(self) -> None:
        self._bar.close()


def watched(items: Sequence[T]) -> Iterable[T]:
    """Return `items`; while they are gone through a bar shows the time left."""
    return _tqdm(items)


def _tqdm(items: Iterable[Any] | None = None, **options: Any) -> Any:
    from tqdm import tqdm

    # Text on stderr, not a widget: a built page must not keep it.
    return tqdm(items, bar_format=BAR, leave=False, file=sys.stderr, **options)


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
