"""Telling a waiting person how far a batch of runs is: a bar, or plain lines."""

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from lazyrich_helpers.experiments.records import Record
from lazyrich_helpers.measures.costs import work
from lazyrich_helpers.training.run_config import RunConfig, label

LINE_EVERY = 30.0
"""Seconds between two plain lines about the same run."""
BAR = "{percentage:3.0f}%|{bar}| {elapsed} < {remaining} {desc}"
"""What a progress bar shows."""


class Progress(Protocol):
    """Watches a batch. `work` is any additive unit of effort."""

    def begin(self, num_runs: int, work: float) -> None:
        """Start the batch."""
        ...

    def advance(self, config: RunConfig, epoch: int, work: float) -> None:
        """Count an epoch of a run as done."""
        ...

    def skip(self, config: RunConfig, work: float) -> None:
        """Leave out work of a run that need not be done."""
        ...

    def finish(self, record: Record) -> None:
        """Say that a run ended; what was left of it is left out."""
        ...

    def end(self) -> None:
        """Leave nothing half printed."""
        ...


def duration(seconds: float) -> str:
    """Return a duration for people: 8 s, 3 min, 2.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class _Rest:
    """What is left of each run, in the end to be left out."""

    def __init__(self) -> None:
        self._heard: Counter[str] = Counter()

    def add(self, config: RunConfig, work: float) -> None:
        """Count work of a run as done or left out."""
        self._heard[config.run_id] += work  # type: ignore[assignment]

    def of(self, config: RunConfig) -> float:
        """Return what is left of a run that ended."""
        return max(0.0, work(config) - self._heard.pop(config.run_id, 0.0))


class Lines:
    """One plain line per run, and one every half minute, for logs."""

    def begin(self, num_runs: int, work: float) -> None:
        self.num_runs, self.total = num_runs, work
        self.num_done, self.done, self._rest = 0, 0.0, _Rest()
        self.start = self.last = time.monotonic()

    def advance(self, config: RunConfig, epoch: int, work: float) -> None:
        self.done += work
        self._rest.add(config, work)
        if time.monotonic() - self.last > LINE_EVERY:
            self._say(f"{label(config)}: epoch {epoch}")

    def skip(self, config: RunConfig, work: float) -> None:
        self.total -= work
        self._rest.add(config, work)

    def finish(self, record: Record) -> None:
        self.num_done += 1
        self.total -= self._rest.of(record.config)
        result = record.status
        correct = [n for n in record.curves.get("num_correct", []) if n is not None]
        if record.status == "ok" and correct:
            result = f"{correct[-1] / record.origin['num_test']:.1%} test accuracy"
        seconds = record.times.get("total", 0.0)
        self._say(f"{label(record.config)}: {result}, {duration(seconds)}")

    def _say(self, text: str) -> None:
        self.last = time.monotonic()
        elapsed = self.last - self.start
        todo = max(0.0, self.total - self.done)
        left = elapsed * todo / self.done if self.done else 0.0
        with contextlib.suppress(OSError):  # nobody listens: no reason to stop
            print(
                f"[{self.num_done}/{self.num_runs}] {text}; "
                f"about {duration(left)} left",
                flush=True,
            )

    def end(self) -> None:
        """Lines are whole already."""


class Bar:
    """A progress bar with the time left, for notebooks and terminals."""

    def begin(self, num_runs: int, work: float) -> None:
        from tqdm import tqdm

        # Text on stderr, not a widget: a built page must not keep it.
        self.bar = tqdm(total=work, bar_format=BAR, leave=False, file=sys.stderr)
        self._rest = _Rest()

    def advance(self, config: RunConfig, epoch: int, work: float) -> None:
        self._rest.add(config, work)
        self.bar.set_description_str(label(config), refresh=False)
        self.bar.update(work)

    def skip(self, config: RunConfig, work: float) -> None:
        self._rest.add(config, work)
        self.bar.total -= work

    def finish(self, record: Record) -> None:
        self.bar.total -= self._rest.of(record.config)

    def end(self) -> None:
        self.bar.close()


T = TypeVar("T")


def watched(items: Sequence[T]) -> Iterable[T]:
    """Return `items`; while they are gone through a bar shows the time left."""
    from tqdm import tqdm

    return tqdm(items, bar_format=BAR, leave=False, file=sys.stderr)
