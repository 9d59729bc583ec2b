"""A grid of notebooks: what is run, what is kept, and what a reader is told."""

import json
import os
import time
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lazyrich_helpers.runner import grid_reports, notebook_grid, papermill_process
from lazyrich_helpers.runner.chapter_file import digest, parameters_of
from lazyrich_helpers.runner.grid_page import Row, index_page
from lazyrich_helpers.runner.grid_points import parse_grid
from lazyrich_helpers.runner.grid_reports import read_report, why_failed
from lazyrich_helpers.runner.notebook_grid import reports_folder, run_grid
from lazyrich_helpers.runner.papermill_process import PapermillProcess, environment

PARAMETERS = """\
budget: str = "laptop"  # smoke, laptop or paper
widths: list[int] = None  # units
lrs: list[float] = None  # learning rates
how: str = "well"  # it ends
"""
WORK = """\
import os, signal, time
from pathlib import Path
class ChapterError(ValueError): ...  # as of `notebook`, which takes long to import
Path(pids).mkdir(exist_ok=True)
(Path(pids) / str(os.getpid())).touch()
if how == "badly":
    raise RuntimeError("no\\nluck")
if how == "wrongly":
    raise ChapterError("how must be well; got 'wrongly'.")
if how == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if how == "slowly":
    time.sleep(60)
"""
SHOW = "print([budget, widths, lrs, os.environ['OMP_NUM_THREADS']])"


@pytest.fixture
def notebook(tmp_path) -> Path:
    """A notebook of a few cells, that ends as its parameter `how` says."""
    cells = [
        new_markdown_cell("# A <small> notebook"),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell(f"pids = {str(tmp_path / 'pids')!r}\n{WORK}"),
        new_code_cell(SHOW),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = new_notebook(
        cells=cells,
        metadata={"kernelspec": kernel, "language_info": {"name": "python"}},
    )
    path = tmp_path / "small.ipynb"
    nbformat.write(content, path)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "reports"


def points_of(notebook, *words):
    return parse_grid(words, parameters_of(notebook))


class Fake(PapermillProcess):
    """Papermill, as far as a grid sees it: it has ended when it is started."""

    status = 0
    started: list[tuple[dict, dict]]
    """Parameters and environment, of each."""

    def __init__(self, notebook, draft, parameters, variables):
        Fake.started.append((parameters, variables))
        content = nbformat.read(notebook, as_version=4)
        nbformat.write(content, draft)
        self.draft, self.notebook, self.seconds = draft, notebook, 2.0
        self.status = 1 if parameters.get("how") == "badly" else 0

    seconds = 2.0

    def errors(self):
        return "Traceback\n  of papermill\nRuntimeError: no luck\n"

    def close(self):
        pass

    def interrupt(self):
        pass


@pytest.fixture
def fake(monkeypatch):
    """Replace papermill; the list of what was started."""
    Fake.started = []
    monkeypatch.setattr(notebook_grid, "PapermillProcess", Fake)
    monkeypatch.setattr(grid_reports, "to_html", lambda text: "<p>")
    return Fake.started


def rows_of(index: Path) -> list[list[str]]:
    """Return the text of each cell of the page's table."""

    class Table(HTMLParser):
        def __init__(self):
            super().__init__()
            self.rows = []

        def handle_starttag(self, tag, attrs):
            if tag == "tr":
                self.rows.append([])
            if tag in ("td", "th"):
                self.rows[-1].append("")

        def handle_data(self, data):
            if self.rows and self.rows[-1]:
                self.rows[-1][-1] += data

    table = Table()
    table.feed(index.read_text())
    return [[cell.strip() for cell in row] for row in table.rows]


def test_points_that_are_there_are_not_run_again(notebook, folder, fake):
    points = points_of(notebook, "widths=1..3")
    assert run_grid(notebook, points[:2], folder).num_done == 2
    lines: list[str] = []
    summary = run_grid(notebook, points, folder, say=lines.append)
    assert (summary.num_done, summary.num_there, summary.failed) == (1, 2, {})
    assert [parameters for parameters, _ in fake] == points
    assert lines[0] == "3 points, 2 done before."
    assert lines[1:] == ["[3/3, about 0 s left] widths=3, 2 s: done"]


@pytest.mark.parametrize("harm", ["failed", "cut off", "not ours", "source", "other"])
def test_a_point_that_is_not_whole_or_not_of_this_source_is_run(
    notebook, folder, fake, harm
):
    points = points_of(notebook, "widths=1")
    run_grid(notebook, points, folder)
    path = folder / "widths=1.ipynb"
    report = read_report(path)
    content = json.loads(path.read_text())
    if harm == "failed":
        content["metadata"][grid_reports.KEY]["failed"] = "no luck."
    if harm == "not ours":
        del content["metadata"][grid_reports.KEY]
    if harm == "other":
        content["metadata"][grid_reports.KEY]["parameters"] = {"widths": [2]}
    text = json.dumps(content)
    path.write_text(text[:-9] if harm == "cut off" else text)
    if harm == "source":
        notebook.write_text(notebook.read_text().replace("print", "repr"))
    summary = run_grid(notebook, points, folder)
    assert (summary.num_done, summary.num_there, len(fake)) == (1, 0, 2)
    again = read_report(path)
    assert again.source == digest(notebook) and not again.failed
    assert (again.source == report.source) == (harm != "source")


def test_a_failing_point_stops_no_other_and_is_told(notebook, folder, fake):
    points = points_of(notebook, "widths=1,2", "how=badly,well")
    lines: list[str] = []
    summary = run_grid(notebook, points, folder, say=lines.append)
    assert summary.num_done == 2
    assert summary.failed == {
        "widths=1,how=badly": "RuntimeError: no luck.",
        "widths=2,how=badly": "RuntimeError: no luck.",
    }
    assert str(summary).splitlines() == [
        f"2 done now, 0 done before, 2 FAILED. Open {folder / 'index.html'}",
        "  widths=1,how=badly: RuntimeError: no luck.",
        "  widths=2,how=badly: RuntimeError: no luck.",
    ]
    first = "[1/4, about 6 s left] widths=1,how=badly, 2 s: failed: "
    assert lines[1] == f"{first}RuntimeError: no luck."
    _, *rows = rows_of(summary.index)
    results = ["failed: RuntimeError: no luck.", "done"] * 2
    assert [row[2] for row in rows] == results


def test_the_page_is_renewed_and_keeps_the_points_of_other_grids(
    notebook, folder, fake, monkeypatch
):
    seen = []
    run_grid(notebook, points_of(notebook, "how=badly"), folder)
    notebook.write_text(notebook.read_text().replace("print", "repr"))
    wait = notebook_grid._Grid._first_to_end

    def look(grid):
        seen.append([row[-3] for row in rows_of(folder / "index.html")[1:]])
        return wait(grid)

    monkeypatch.setattr(notebook_grid._Grid, "_first_to_end", look)
    points = points_of(notebook, "widths=1..3")
    summary = run_grid(notebook, points, folder, workers=2)
    earlier = "failed: RuntimeError: no luck. (an earlier version of the notebook)"
    assert seen == [
        ["running", "running", "not run yet", earlier],
        ["done", "running", "running", earlier],
        ["done", "done", "running", earlier],
    ]
    head, *rows = rows_of(summary.index)
    assert head == ["widths", "how", "result", "time", "read"]
    assert rows[0] == ["1", "", "done", "2 s", "page, notebook"]
    assert rows[3] == ["", "badly", earlier, "2 s", "page, notebook"]


def test_workers_share_the_threads_unless_told(notebook, folder, fake, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    points = points_of(notebook, "widths=1..4")
    lines: list[str] = []
    run_grid(notebook, points[:2], folder, workers=5, say=lines.append)  # of two points
    assert lines[1].startswith("[1/2, about 1 s left] ")
    run_grid(notebook, points, folder, workers=1)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    run_grid(notebook, points, folder / "other", workers=4)
    assert environment(99)["OMP_NUM_THREADS"] == "3"
    found = [variables["OMP_NUM_THREADS"] for _, variables in fake]
    assert found == ["4", "4", "8", "8", "3", "3", "3", "3"]


def test_what_is_said_of_the_budget_is_what_is_run(notebook, folder, fake, monkeypatch):
    points = points_of(notebook, "widths=1")
    run_grid(notebook, points, folder)
    run_grid(notebook, points, folder, budget="paper")
    monkeypatch.setenv("LAZYRICH_BUDGET", "smoke")
    run_grid(notebook, points, folder)
    run_grid(notebook, points_of(notebook, "budget=laptop", "widths=1"), folder)
    assert [parameters.get("budget") for parameters, _ in fake] == [
        None, "paper", "smoke", "laptop",
    ]  # fmt: skip
    assert not any("LAZYRICH_BUDGET" in variables for _, variables in fake)
    assert (folder / "budget=smoke,widths=1.ipynb").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"workers": 0}, "workers must be at least 1; got 0."),
        ({"workers": 1.5}, "workers must be at least 1; got 1.5."),
        ({"budget": "huge"}, "budget must be one of smoke, laptop, paper; got 'huge'."),
        ({"points": []}, "points must be 1 to 10000; got 0."),
        ({"points": [{"widths": [1]}] * 2}, "points must be different ones; got "),
        ({"points": [{"budget": "smoke"}], "budget": "paper"}, "budget must be "),
    ],
)
def test_a_slip_is_a_sentence_and_leaves_nothing(notebook, folder, fake, options, told):
    options = {"points": [{"widths": [1]}]} | options
    with pytest.raises(ValueError) as stopped:
        run_grid(notebook, folder=folder, **options)
    assert str(stopped.value).startswith(told)
    assert not folder.exists() and not fake


def test_a_notebook_that_cannot_be_kept_fails_its_point_alone(
    notebook, folder, fake, monkeypatch
):
    points = points_of(notebook, "widths=1,2")

    def full(text):
        if "[2]" not in text:
            raise OSError(28, "No space left on device")
        return "<p>"

    def to_html(text):
        parameters = json.loads(text)["metadata"][grid_reports.KEY]["parameters"]
        return full(str(parameters))

    monkeypatch.setattr(grid_reports, "to_html", to_html)
    summary = run_grid(notebook, points, folder)
    (why,) = summary.failed.values()
    assert why.startswith("the disk is full (its notebook could not be kept: OSError")
    assert why.endswith("make room there, then run the grid again.")
    assert not (folder / "widths=1.ipynb").exists()
    assert summary.num_done == 1 and (folder / "widths=2.ipynb").exists()


def test_a_notebook_without_its_page_is_not_taken_for_done(notebook, folder, fake):
    (folder / "widths=1.html").mkdir(parents=True)
    points = points_of(notebook, "widths=1")
    (why,) = run_grid(notebook, points, folder).failed.values()
    assert why.startswith("its notebook could not be kept: IsADirectoryError: ")
    assert read_report(folder / "widths=1.ipynb") is None


def test_reports_lie_with_the_readers_own_runs(notebook, tmp_path):
    assert reports_folder(notebook) == tmp_path / "store" / "reports" / "small"


CELL = {"outputs": [], "metadata": {"papermill": {"start_time": "now"}}}
NOT_BEGUN = {"outputs": [], "metadata": {"papermill": {"start_time": None}}}
RAISED = {"traceback": [], "ename": "OSError", "evalue": "[Errno 28] No space left"}


@pytest.mark.parametrize(
    ("cells", "status", "errors", "told"),
    [
        ([CELL], 0, "", ""),
        (None, 0, "", "papermill left no notebook that can be read."),
        ([CELL, CELL, NOT_BEGUN], 138, "Dead", "its kernel was killed in cell [2], "),
        (None, 138, "Dead", "its kernel was killed in cell [0], "),
        ([CELL], -9, "", "papermill was ended by signal 9: run the grid again."),
        (None, 1, "", "papermill ended with status 1."),
        (None, 1, "a\nKeyError: 'b'\n", "KeyError: 'b'."),
        (None, 1, "OSError: No space left on device", "the disk is full (OSError: No "),
        (None, 1, "No space left on device\nbye", "the disk is full (bye): make room "),
        (
            [{"outputs": [RAISED | {"evalue": "No space left on device"}]}],
            1,
            "",
            "the disk is full (OSError: No space left on device): make room there, ",
        ),
        ([{"outputs": [RAISED | {"evalue": "a\n \x1b[31mb"}]}], 1, "", "OSError: a b."),
        (
            [{"outputs": [RAISED | {"ename": "ChapterError", "evalue": "a."}]}],
            1,
            "",
            "a.",
        ),
    ],
)
def test_why_a_notebook_failed_is_a_sentence(cells, status, errors, told):
    why = why_failed(cells and {"cells": cells}, status, errors)
    assert why.startswith(told) and bool(why) == bool(told)
    assert "\n" not in why and (not why or why.endswith("."))


def test_a_page_shows_what_it_is_given_and_no_markup_of_it():
    row = Row(
        name="how=<b>",
        parameters={"how": "<b>"},
        result="done: <b>",
        files=["how=<b>.html"],
    )
    page = index_page("<T>", "<n>.ipynb", [row], "12:00")
    assert "<b>" not in page and "<T>" not in page and "<n>" not in page
    assert 'href="./how%3D%3Cb%3E.html"' in page
    assert 'aria-label="page of how=&lt;b&gt;"' in page
    assert "1 points: 1 done, 0 failed." in page


def test_a_page_says_once_what_all_points_share(tmp_path):
    rows = [
        Row(name=str(seed), parameters={"widths": [5], "seeds": [seed]}, result="done")
        for seed in (1, 2)
    ]
    index = tmp_path / "index.html"
    index.write_text(index_page("T", "n.ipynb", rows, "12:00"))
    assert "All have widths 5." in index.read_text()
    assert rows_of(index) == [
        ["seeds", "result", "time", "read"],
        ["1", "done", "", ""],
        ["2", "done", "", ""],
    ]


def test_a_grid_through_papermill(notebook, folder, tmp_path):
    """One ends well, one raises, one refuses, one kernel dies; then again."""
    ways = "how=well,badly,wrongly,killed"
    points = points_of(notebook, "lrs=1e-05", ways)
    lines: list[str] = []
    summary = run_grid(
        notebook, points, folder, workers=2, budget="smoke", say=lines.append
    )
    name = "budget=smoke,lrs=1e-05,how="
    assert summary.num_done == 1 and len(lines) == 5
    assert summary.failed == {
        f"{name}badly": "RuntimeError: no luck.",
        f"{name}wrongly": "how must be well; got 'wrongly'.",
        f"{name}killed": f"its kernel was killed in cell [3], {grid_reports.KILLED}.",
    }
    done = nbformat.read(folder / f"{name}well.ipynb", as_version=4)
    threads = environment(2)["OMP_NUM_THREADS"]
    assert done.cells[-1].outputs[0].text == f"['smoke', None, [1e-05], '{threads}']\n"
    assert "RuntimeError" in (folder / f"{name}badly.ipynb").read_text()
    page = (folder / f"{name}well.html").read_text()
    assert "1e-05" in page and "</html>" in page
    files = {f"{name}{how}" for how in ways.partition("=")[2].split(",")}
    written = {path.stem for path in folder.iterdir()}
    assert written == files | {"index"}, "nothing is left of what was running"
    before = (folder / f"{name}well.ipynb").stat().st_mtime_ns
    again = run_grid(notebook, points[:1], folder, budget="smoke")
    assert (again.num_done, again.num_there) == (0, 1)
    assert (folder / f"{name}well.ipynb").stat().st_mtime_ns == before


def test_an_interrupt_stops_the_processes_and_keeps_what_is_finished(
    notebook, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(papermill_process, "PATIENCE", 5.0)
    (well,) = points_of(notebook, "how=well")
    (slowly,) = points_of(notebook, "how=slowly")
    pids = tmp_path / "pids"

    def interrupted(seconds):
        time.sleep(seconds)
        if len(list(pids.glob("*"))) == 2:  # the second kernel is in its long cell
            raise KeyboardInterrupt

    clock = SimpleNamespace(sleep=interrupted, strftime=time.strftime)
    monkeypatch.setattr(notebook_grid, "time", clock)
    with pytest.raises(KeyboardInterrupt):
        run_grid(notebook, [well, slowly], folder)
    assert read_report(folder / "how=well.ipynb").result == "done"
    assert not (folder / "how=slowly.ipynb").exists()
    assert [row[1] for row in rows_of(folder / "index.html")[1:]] == [
        "done", "not run yet",
    ]  # fmt: skip
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid.name}").exists() for pid in pids.iterdir()):
        assert time.monotonic() < deadline, "a kernel outlived its grid"
        time.sleep(0.1)
