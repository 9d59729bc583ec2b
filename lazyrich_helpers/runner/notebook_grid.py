"""A notebook at every point of a grid: a process for each, reports, an index page."""

import dataclasses
import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.recipes import BUDGETS
from lazyrich_helpers.experiments.records import computed_store
from lazyrich_helpers.runner.chapter_file import digest, parameters_of, title
from lazyrich_helpers.runner.grid_page import Row, index_page
from lazyrich_helpers.runner.grid_points import MOST, Point, in_order, name_of
from lazyrich_helpers.runner.grid_reports import (
    Report,
    files_of,
    keep,
    read_notebook,
    read_report,
    sentence,
    why_failed,
)
from lazyrich_helpers.runner.papermill_process import (
    PapermillProcess,
    environment,
    stop,
)
from lazyrich_helpers.runner.progress import duration

LOOK_EVERY = 0.1
"""Seconds between two looks at what is running."""

Say = Callable[[str], None]


@dataclass
class GridSummary:
    """How a grid ended. Counts of points, and what went wrong."""

    index: Path
    """The page that lists them."""
    num_done: int = 0
    num_there: int = 0
    """Done before."""
    failed: dict[str, str] = field(default_factory=dict)
    """Point → why."""

    def __str__(self) -> str:
        parts = [f"{self.num_done} done now", f"{self.num_there} done before"]
        if self.failed:
            parts.append(f"{len(self.failed)} FAILED")
        lines = [f"{', '.join(parts)}. Open {self.index}"]
        lines += [f"{point}: {why}" for point, why in self.failed.items()]
        return "\n  ".join(lines)


def reports_folder(notebook: Path) -> Path:
    """Return where a notebook's grids are kept unless told otherwise."""
    return computed_store().folder.parent / "reports" / notebook.stem


def run_grid(
    notebook: Path,
    points: Sequence[Point],
    folder: Path,
    *,
    workers: int = 1,
    budget: str | None = None,
    say: Say = print,
) -> GridSummary:
    """Execute `notebook` at each point, and keep what comes of it in `folder`.

    A point whose notebook is there is not run again, unless it failed or the text or
    code of `notebook` has changed since. A point that fails does not stop the others.
    `index.html` lists all points of the folder, and is renewed as they start and end.

    Args:
        notebook: As `chapter.find_chapter` returns it.
        points: As `grid_points.parse_grid` returns them.
        folder: Where notebooks and pages are put; made where missing.
        workers: Processes at a time. They share the threads, unless `OMP_NUM_THREADS`
            says how many each may use.
        budget: For all points. None takes `LAZYRICH_BUDGET`, or else the notebook's
            own.
        say: Is told how it goes, a line for each point.

    Raises:
        ValueError: If an argument is wrong, or two points are one.
        OSError: If `folder` cannot be written.
        KeyboardInterrupt: From outside. What is finished is kept, what runs is stopped.
    """
    require(type(workers) is int and workers >= 1, "workers", "at least 1", workers)
    named = _named(notebook, points, budget)
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".running-", dir=folder) as drafts:
        grid = _Grid(notebook, named, folder, Path(drafts), say)
        grid.run(min(workers, max(1, len(grid.waiting))))
    return grid.summary


def _named(
    notebook: Path, points: Sequence[Point], budget: str | None
) -> dict[str, Point]:
    """Return the points by name, each with its budget, in the notebook's order."""
    parameters = parameters_of(notebook)
    require(0 < len(points) <= MOST, "points", f"1 to {MOST}", len(points))
    if budget is not None:
        once = "budget" in parameters and not any("budget" in p for p in points)
        require(once, "budget", "a parameter of the notebook, and given once", budget)
    elif "budget" in parameters:
        budget = os.environ.get("LAZYRICH_BUDGET") or None
    if budget is not None:
        require(budget in BUDGETS, "budget", f"one of {', '.join(BUDGETS)}", budget)
        points = [{"budget": budget} | point for point in points]
    ordered = [in_order(point, parameters) for point in points]
    named = {name_of(point): point for point in ordered}
    require(len(named) == len(points), "points", "different ones", list(named))
    return named


class _Grid:
    """A grid under way."""

    def __init__(
        self,
        notebook: Path,
        points: dict[str, Point],
        folder: Path,
        drafts: Path,
        say: Say,
    ) -> None:
        self.points, self.folder, self.drafts, self.say = points, folder, drafts, say
        self.name, self.title = notebook.name, title(notebook)
        # A copy: all points run one version, whatever is edited meanwhile.
        self.notebook = Path(shutil.copy(notebook, drafts / "source.ipynb"))
        self.source = digest(self.notebook)
        found = {path.stem: read_report(path) for path in folder.glob("*.ipynb")}
        self.reports = {name: report for name, report in found.items() if report}
        self.waiting = deque(name for name in points if not self._is_done(name))
        self.running: dict[str, PapermillProcess] = {}
        there = len(points) - len(self.waiting)
        self.summary = GridSummary(folder / "index.html", num_there=there)

    def _is_done(self, name: str) -> bool:
        report = self.reports.get(name)
        return (
            report is not None
            and not report.failed
            and report.source == self.source
            and report.parameters == self.points[name]
        )

    def run(self, workers: int) -> None:
        """Execute what is waiting, `workers` at a time."""
        for name in self.waiting:
            self.reports.pop(name, None)  # of an earlier run
        self.say(f"{len(self.points)} points, {self.summary.num_there} done before.")
        self.workers, self.spent = workers, 0.0
        try:
            while self.waiting or self.running:
                while self.waiting and len(self.running) < workers:
                    self._start(self.waiting.popleft())
                self._write_page()
                self._end(self._first_to_end())
        finally:
            stop(list(self.running.values()))
            self.running.clear()
            self._write_page()

    def _start(self, name: str) -> None:
        draft, variables = self.drafts / f"{name}.ipynb", environment(self.workers)
        self.running[name] = PapermillProcess(
            self.notebook, draft, self.points[name], variables
        )

    def _first_to_end(self) -> str:
        """Wait until a process has ended, and return its point."""
        while True:
            for name, process in self.running.items():
                if process.status is not None:
                    return name
            time.sleep(LOOK_EVERY)

    def _end(self, name: str) -> None:
        """Keep what a process left, and say how it ended."""
        process = self.running[name]
        assert process.status is not None, "it has ended"
        content = read_notebook(process.draft)
        report = Report(
            parameters=self.points[name],
            source=self.source,
            seconds=round(process.seconds, 1),
            failed=why_failed(content, process.status, process.errors()),
        )
        try:
            keep(process.draft, report, self.folder / f"{name}.ipynb")
        except Exception as error:  # of the disk or of nbconvert: it is one point's
            why = f"its notebook could not be kept: {type(error).__name__}: {error}"
            report = dataclasses.replace(report, failed=report.failed or sentence(why))
        self.running.pop(name).close()
        self.reports[name] = report
        if report.failed:
            self.summary.failed[name] = report.failed
        else:
            self.summary.num_done += 1
        self._say_ended(name, report)

    def _say_ended(self, name: str, report: Report) -> None:
        num_left = len(self.waiting) + len(self.running)
        num, seconds = len(self.points), report.seconds
        self.spent += seconds
        per_point = self.spent / (self.summary.num_done + len(self.summary.failed))
        left = duration(per_point * num_left / self.workers)
        self.say(
            f"[{num - num_left}/{num}, about {left} left] "
            f"{name}, {duration(seconds)}: {report.result}"
        )

    def _write_page(self) -> None:
        others = sorted(self.reports.keys() - self.points.keys())
        rows = [self._row(name) for name in [*self.points, *others]]
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        page = index_page(self.title, self.name, rows, now)
        partial = self.drafts / "index.html"
        try:
            partial.write_text(page, "utf-8")
            partial.replace(self.summary.index)
        except OSError as error:  # the points may still fit
            self.say(sentence(f"{self.summary.index} could not be written: {error}"))

    def _row(self, name: str) -> Row:
        report = self.reports.get(name)
        if report is None:
            result = "running" if name in self.running else "not run yet"
            return Row(name=name, parameters=self.points[name], result=result)
        earlier = report.source != self.source
        return Row(
            name=name,
            parameters=report.parameters,
            result=report.result + earlier * " (an earlier version of the notebook)",
            seconds=report.seconds,
            files=[f for f in files_of(name) if (self.folder / f).exists()],
        )
