"""A grid of notebooks: what is run, what is kept, and what a reader is told."""

import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lazyrich_helpers.runner import notebook_grid
from lazyrich_helpers.runner.grid_points import (
    chapters,
    find_chapter,
    name_of,
    parse_grid,
)
from lazyrich_helpers.runner.notebook_grid import run_grid
from tests import tiny
from tests.refresh_outputs import training_chapters

PARAMETERS = """\
budget: str = "laptop"  # smoke, laptop or paper
widths: list[int] = None  # units
lrs = [0.1]
how: str = "well"  # it ends
"""
WORK = """\
import os, signal, time
from pathlib import Path
class ChapterError(ValueError): ...  # as of `notebook`, which takes long to import
Path(pids).mkdir(exist_ok=True)
(Path(pids) / str(os.getpid())).touch()
if how == "badly":
    raise RuntimeError("no luck")
if how == "wrongly":
    raise ChapterError("how must be well; got 'wrongly'.")
if how == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if how == "slowly":
    time.sleep(60)
"""
SHOW = "print([budget, widths, lrs, os.environ.get('OMP_NUM_THREADS')])"


@pytest.fixture
def notebook(tmp_path) -> Path:
    """A notebook of a few cells, that ends as its parameter `how` says."""
    cells = [
        new_markdown_cell("# A <small> notebook"),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell(f"pids = {str(tmp_path / 'pids')!r}\n{WORK}"),
        new_code_cell(SHOW, metadata={"tags": ["hide-input"]}),
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


@pytest.fixture
def executed(monkeypatch) -> list[dict]:
    """Execute nothing, in this process; return the points that would have been."""
    points = []

    def execute(notebook, place, point):
        points.append(point)
        content = nbformat.read(notebook, as_version=4)
        failed = point.get("how") == "badly"
        content.metadata.papermill = {
            "parameters": point,
            "exception": failed or None,
        }
        nbformat.write(content, f"{place}.ipynb")
        if not failed:
            Path(f"{place}.html").write_text("<p>")
        return "RuntimeError: no luck" if failed else ""

    def pool(workers, *_):
        return ThreadPoolExecutor(1)

    monkeypatch.setattr(notebook_grid, "_execute", execute)
    monkeypatch.setattr(notebook_grid, "ProcessPoolExecutor", pool)
    return points


def rows_of(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the index, blanks left out."""
    page = BeautifulSoup((folder / "index.html").read_text(), "html.parser")
    names = [cell.text for cell in page.thead.find_all("th")]
    rows = [[cell.text for cell in row("td")] for row in page.tbody.find_all("tr")]
    pairs = (zip(names, cells, strict=True) for cells in rows)
    return [{name: text for name, text in row if text} for row in pairs]


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("widths=10", [[10]]),
        ("widths=10,100", [[10], [100]]),
        ("widths=[10, 100],5,null", [[10, 100], [5], [None]]),
        ("lrs=0.1,1e-05,3", [[0.1], [1e-05], [3]]),
        ("how=well,badly", ["well", "badly"]),
        ("how=true,2", [True, 2]),
    ],
)
def test_values_are_yaml_and_a_list_gets_lists(notebook, word, values):
    (name,) = {name for point in parse_grid(notebook, [word]) for name in point}
    assert [point[name] for point in parse_grid(notebook, [word])] == values


def test_every_combination_is_there_once_the_last_varies_fastest(notebook):
    points = parse_grid(notebook, ["how=a,b", "widths=1,2"])
    found = [(point["how"], point["widths"]) for point in points]
    assert found == [("a", [1]), ("a", [2]), ("b", [1]), ("b", [2])]
    turned = parse_grid(notebook, ["widths=1,2", "how=a,b"])
    assert name_of(points[0]) == name_of(turned[0]) == "how=a,widths=1"
    assert parse_grid(notebook, []) == [{}]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["widths"], "got 'widths'"),
        (["=3"], "got ''"),
        (["colours=1"], "one of budget, widths, lrs, how; got 'colours'"),
        (["widths=1", "widths=2"], "there once; got 'widths'"),
        (["widths="], "got 'widths='"),
        (["widths=1,,2"], "got 'widths=1,,2'"),
        (["widths=[1"], "got 'widths=\\[1'"),
    ],
)
def test_a_slip_is_one_sentence(notebook, words, told):
    with pytest.raises(ValueError, match=rf"must be .*{told}\.$"):
        parse_grid(notebook, words)


@pytest.mark.parametrize("path", training_chapters(), ids=lambda path: path.stem)
def test_every_chapter_is_found_and_can_be_a_grid(path, monkeypatch):
    number, _, name = path.stem.partition("_")
    monkeypatch.chdir(path.parent)
    short = (number, str(int(number))) if number.isdecimal() else ()
    short = (*short, name) if number[0].isdecimal() else ()
    for text in (*short, path.stem, path.name, str(path)):
        assert find_chapter(text) == path, text
    (point,) = parse_grid(path, ["budget=smoke", "device=cpu"])
    assert (point["budget"], point["device"]) == ("smoke", "cpu")


@pytest.mark.parametrize("text", ["99", "", "0", "_setup", "book", "no.ipynb", "*"])
def test_what_is_no_chapter_is_a_sentence_with_all_there_are(text):
    with pytest.raises(ValueError) as stopped:
        find_chapter(text)
    told = str(stopped.value)
    assert told.endswith(f"got {text!r}.") and "\n" not in told
    assert all(path.stem in told for path in chapters())


@pytest.mark.parametrize("content", ["", '{"cells": 3}'])
def test_a_file_that_is_no_notebook_is_a_sentence(tmp_path, content):
    path = tmp_path / "broken.ipynb"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"a file that Jupyter can open; .*broken"):
        parse_grid(path, [])


def test_a_name_is_fit_for_a_file_and_tells_values_apart():
    names = [name_of({"how": value}) for value in ("a/b", "a%2Fb", "é", "a b", "a=b")]
    assert len(set(names)) == 5
    assert not any(set(name) & set("/\\: \n") for name in names)


def test_the_budget_of_the_surroundings_is_a_parameter(notebook, monkeypatch):
    monkeypatch.setenv("LAZYRICH_BUDGET", "smoke")
    assert parse_grid(notebook, []) == [{"budget": "smoke"}]
    assert parse_grid(notebook, ["budget=paper"]) == [{"budget": "paper"}]


@pytest.mark.parametrize("harm", ["page", "cut off", "source"])
def test_a_point_that_is_not_whole_or_not_of_this_source_is_run(
    notebook, folder, executed, harm
):
    points = parse_grid(notebook, ["widths=1"])
    run_grid(notebook, points, folder)
    if harm == "page":
        (folder / "widths=1.html").unlink()
    if harm == "cut off":
        path = folder / "widths=1.ipynb"
        path.write_text(path.read_text()[:-9])
    if harm == "source":
        notebook.write_text(notebook.read_text().replace("print", "repr"))
    run_grid(notebook, points, folder)
    assert len(executed) == 2


def test_a_failing_point_stops_no_other_and_what_is_done_stays(
    notebook, folder, executed
):
    points = parse_grid(notebook, ["widths=1,2", "how=badly,<b>"])
    assert run_grid(notebook, points[1:2], folder) == {}
    lines: list[str] = []
    why = "RuntimeError: no luck"
    failed = {f"how=badly,widths={width}": why for width in (1, 2)}
    assert run_grid(notebook, points, folder, say=lines.append) == failed
    assert [point["widths"] for point in executed] == [[1], [1], [2], [2]]
    assert lines == [
        "4 points, 1 done before.",
        f"[1/3] how=badly,widths=1: failed: {why}",
        f"[2/3] how=badly,widths=2: failed: {why}",
        "[3/3] how=%3Cb%3E,widths=2: done",
        "1 done now, 2 FAILED.",
        f"Open {folder / 'index.html'}",
    ]
    rows = {(row["result"], row["widths"], row["how"]) for row in rows_of(folder)}
    ends = (("failed", "badly"), ("done", "<b>"))
    assert rows == {(end, width, how) for width in "12" for end, how in ends}
    page = (folder / "index.html").read_text()
    assert "./how%3D%253Cb%253E%2Cwidths%3D1.html" in page and "<b>" not in page
    assert "./how%3Dbadly%2Cwidths%3D1.ipynb" in page


def test_one_point_twice_leaves_nothing(notebook, folder, executed):
    with pytest.raises(ValueError, match="points must be different ones; got "):
        run_grid(notebook, parse_grid(notebook, ["widths=1,1"]), folder)
    assert not folder.exists() and not executed


def test_a_grid_through_papermill(notebook, folder, monkeypatch):
    """One ends well, one raises, one refuses, one kernel dies; then again."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("LAZYRICH_BUDGET", "paper")  # which the grid outranks
    words = ["budget=smoke", "lrs=1e-05", "how=well,badly,wrongly,killed"]
    points = parse_grid(notebook, words)
    failed = run_grid(notebook, points, folder, workers=2)
    name = "budget=smoke,how={},lrs=1e-05".format
    assert failed.pop(name("killed")).startswith("its kernel was killed, nearly")
    assert failed == {
        name("badly"): "RuntimeError: no luck",
        name("wrongly"): "how must be well; got 'wrongly'.",
    }
    done = nbformat.read(folder / f"{name('well')}.ipynb", as_version=4)
    threads = max(1, len(os.sched_getaffinity(0)) // 2)
    assert done.cells[-1].outputs[0].text == f"['smoke', None, [1e-05], '{threads}']\n"
    assert "RuntimeError" in (folder / f"{name('badly')}.ipynb").read_text()
    page = (folder / f"{name('well')}.html").read_text()
    assert "1e-05" in page and "</html>" in page and "OMP_NUM" not in page
    results = {row["how"]: row["result"] for row in rows_of(folder)}
    assert results.pop("killed") in ("failed", "not finished")
    assert results == {"well": "done", "badly": "failed", "wrongly": "failed"}
    before = (folder / f"{name('well')}.ipynb").stat().st_mtime_ns
    assert run_grid(notebook, points[:1], folder) == {}
    assert (folder / f"{name('well')}.ipynb").stat().st_mtime_ns == before


def test_an_interrupt_stops_what_runs_and_keeps_what_is_finished(
    notebook, folder, tmp_path
):
    points = parse_grid(notebook, ["how=well,slowly"])
    pids = tmp_path / "pids"

    def interrupt(line):
        if line.startswith("[1/2]"):
            while len(list(pids.glob("*"))) < 2:  # until the slow one is amid its cell
                time.sleep(0.1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_grid(notebook, points, folder, say=interrupt)
    assert not multiprocessing.active_children()
    results = {row["how"]: row["result"] for row in rows_of(folder)}
    assert results == {"well": "done", "slowly": "not finished"}
    kernels = [Path(f"/proc/{pid.name}") for pid in pids.iterdir()]
    tiny.wait_for(lambda: not any(kernel.exists() for kernel in kernels), seconds=20)


def test_a_system_that_does_not_say_which_cores_are_ours_says_how_many(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "dup2", lambda *files: None)
    notebook_grid._set_up(2)
    assert os.environ["OMP_NUM_THREADS"] == "4"
