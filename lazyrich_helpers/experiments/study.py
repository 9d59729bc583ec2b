"""A study: many small experiments, measured as one and kept as one table.

A recipe's networks cost minutes and have a record each. A study's cost milliseconds,
and there are hundreds: its settings, its rows and their origin are one file. It is
computed point by point (one scale, one step size, ...), and each is kept as it ends.
"""

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.files import write_whole
from lazyrich_helpers.experiments.locks import claim
from lazyrich_helpers.experiments.origin import made_by
from lazyrich_helpers.experiments.records import computed_store, recorded_store
from lazyrich_helpers.training.arithmetic import one_thread

DIGITS = 7
"""Significant ones that are kept of a number."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is measured over a grid, at three budgets.

    Its points are independent: each must draw from the settings' seeds alone.
    """

    name: str
    """With hyphens, such as `lazy-scale`."""
    says: str
    """What is measured, in one line."""
    point: Callable[[Any, Any, str], pd.DataFrame]
    """Settings, one value of the grid, a device → rows, of every seed."""
    over: str
    """The settings' field that holds the grid's values; it is a column of the table."""
    budgets: Mapping[str, Any]
    """`smoke`, `laptop`, `paper` → settings, a frozen dataclass of plain fields."""
    arithmetic: str | Callable[[Any], str] = "fp32"
    """Of the numbers that are kept: `fp32` or `fp64`; or, where that differs, a value
    of the grid → its own."""
    version: int = 1
    """Raised by hand when the same settings would give other numbers."""
    varied: bool = False
    """Whether a reader chose some of its settings, which the command line cannot."""

    def settings(self, budget: str) -> Any:
        """Return the settings of a budget.

        Raises:
            ValueError: If there is no such budget.
        """
        require(budget in self.budgets, "budget", f"one of {[*self.budgets]}", budget)
        return self.budgets[budget]

    def values(self, settings: Any) -> list[Any]:
        """Return the values of the grid."""
        return list(getattr(settings, self.over))

    def arithmetic_of(self, value: Any) -> str:
        """Return which arithmetic a point is computed in."""
        return (
            self.arithmetic
            if isinstance(self.arithmetic, str)
            else self.arithmetic(value)
        )

    def file(self, settings: Any, folder: Path) -> Path:
        """Return where it lies: its name tells study, version and settings apart."""
        plain = [self.version, dataclasses.asdict(settings)]
        digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
        return folder / f"{self.name}-{digest.hexdigest()[:12]}.json"


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """What is kept of a study."""

    study: Study
    budget: str
    settings: Any
    table: pd.DataFrame
    """Every row, in the order of the grid; `study.over` comes first."""
    origins: list[dict[str, Any]]
    """Of the points, each once."""
    seconds: float
    """All points together took, one after the other."""
    missing: list[Any]
    """Values of the grid that are not there."""


def studies_folder(budget: str) -> Path:
    """Return where studies lie: `paper` in the book, the reader's own aside."""
    store = recorded_store() if budget == "paper" else computed_store()
    return store.folder / "studies"


def read_study(study: Study, budget: str = "paper") -> StudyResult:
    """Return what is kept of a study; compute nothing.

    Raises:
        ValueError: If its file cannot be read.
    """
    settings = study.settings(budget)
    points = _read(study.file(settings, studies_folder(budget)))
    values = study.values(settings)
    found = [points[key] for value in values if (key := _key(value)) in points]
    return StudyResult(
        study=study,
        budget=budget,
        settings=settings,
        table=_joined(study.over, found),
        origins=_distinct(point["origin"] for point in found),
        seconds=sum(point["seconds"] for point in found),
        missing=[value for value in values if _key(value) not in points],
    )


def complete_study(
    study: Study,
    budget: str,
    *,
    device: str = "cpu",
    watch: Callable[[list[Any]], Iterable[Any]] = iter,
    stop: Callable[[], bool] = lambda: False,
) -> StudyResult:
    """Compute what is missing of a study, keep each point as it ends, and return all.

    Another process that is at the same study is waited for, and loses no point if both
    should be at it.

    Args:
        study: What is measured.
        budget: One of its budgets.
        device: Where.
        watch: Shows how far it is as it goes through the missing points.
        stop: Asked before each point and while it waits; True ends it there.
    """
    settings = study.settings(budget)
    file = study.file(settings, studies_folder(budget))
    with claim(file.parent / ".locks" / file.stem, give_up=stop) as held:
        if held is None:
            return read_study(study, budget)
        points = _read(file)
        lacking = [v for v in study.values(settings) if _key(v) not in points]
        for value in watch(lacking) if lacking else ():
            if stop():
                break
            start = time.perf_counter()
            with one_thread():
                origin = made_by(torch.device(device))
                rows = study.point(settings, value, device)
            point = {
                study.over: value,
                "seconds": round(time.perf_counter() - start, 3),
                "origin": origin | {"arithmetic": study.arithmetic_of(value)},
                "columns": list(rows.columns),
                "rows": [[*map(_plain, row)] for row in rows.itertuples(index=False)],
            }
            # A process that took this one for dead may have written there since.
            points = _read(file) | {_key(value): point}
            _write(file, study, settings, points)
    return read_study(study, budget)


def _key(value: Any) -> str:
    return json.dumps(value)


def _plain(entry: Any) -> Any:
    """Return a number as JSON has it, with `DIGITS`; None for what is not finite."""
    entry = entry.item() if hasattr(entry, "item") else entry
    if isinstance(entry, float):
        return float(f"{entry:.{DIGITS}g}") if math.isfinite(entry) else None
    return entry


def _read(file: Path) -> dict[str, dict[str, Any]]:
    """Return the points of a file by their value; none where there is no file."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return {_key(point[kept["over"]]): point for point in kept["points"]}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file} is not a readable study ({type(error).__name__}: {error}); delete "
            "it or restore it from version control, then run again."
        ) from error


def _write(
    file: Path, study: Study, settings: Any, points: dict[str, dict[str, Any]]
) -> None:
    """Put the points there, in the order of the grid, a line each."""
    order = [_key(value) for value in study.values(settings)]
    head = {
        "study": study.name,
        "version": study.version,
        "over": study.over,
        "settings": dataclasses.asdict(settings),
    }
    lines = [f'"{name}": {json.dumps(value)}' for name, value in head.items()]
    kept = [json.dumps(points[key], allow_nan=False) for key in order if key in points]
    lines.append('"points": [\n' + ",\n".join(kept) + "\n]")
    write_whole(file, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _joined(over: str, points: list[dict[str, Any]]) -> pd.DataFrame:
    frames = []
    for point in points:
        rows = [[math.nan if v is None else v for v in row] for row in point["rows"]]
        frames.append(pd.DataFrame(rows, columns=point["columns"]))
        frames[-1].insert(0, over, [point[over]] * len(rows))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _distinct(origins: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each origin once, whenever it began."""
    found = {json.dumps(one | {"start": None}, sort_keys=True): one for one in origins}
    return list(found.values())
