"""A notebook at every point of a grid: papermill executes, an index page lists."""

import html
import json
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from urllib.parse import quote

from lazyrich_helpers.config import reason, require
from lazyrich_helpers.runner.grid_points import Point, in_words, name_of

START_TIMEOUT = 300
"""Seconds that a kernel may take to start where others keep the machine busy."""
HIDDEN = {"remove-input", "hide-input"}
"""Tags of cells whose code a page does not show."""


def run_grid(
    notebook: Path,
    points: Sequence[Point],
    folder: Path,
    *,
    workers: int = 1,
    say: Callable[[str], None] = print,
) -> dict[str, str]:
    """Execute `notebook` at each point; return the points that failed, and why.

    A point that is done is not run again, unless the text or code of `notebook` has
    changed since. One that fails does not stop the others.

    Args:
        notebook: What to execute.
        points: As `parse_grid` returns them.
        folder: For a notebook and a page of each point, and `index.html`; it is made.
        workers: Processes at a time; they share the threads.
        say: Is told how it goes, a line for each point.

    Raises:
        ValueError: If an argument is wrong, or two points are one.
        OSError: If `folder` cannot be written.
        KeyboardInterrupt: From outside. What is finished is kept, what runs is stopped.
    """
    require(workers >= 1, "workers", "at least 1", workers)
    named = {name_of(point): point for point in points}
    require(len(named) == len(points), "points", "different ones", list(named))
    folder.mkdir(parents=True, exist_ok=True)
    todo = [name for name in named if not _is_done(folder / name, notebook)]
    say(f"{len(named)} points, {len(named) - len(todo)} done before.")
    failed: dict[str, str] = {}
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _set_up, (workers,))
    try:
        running = {
            pool.submit(_execute, notebook, folder / name, named[name]): name
            for name in todo
        }
        for num, future in enumerate(as_completed(running), 1):
            name = running[future]
            error = future.exception()
            why = reason(error) if isinstance(error, Exception) else future.result()
            say(f"[{num}/{len(todo)}] {name}: {f'failed: {why}' if why else 'done'}")
            failed |= {name: why} if why else {}
            _write_index(folder, notebook)
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()  # a kernel ends where its parent is gone
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        _write_index(folder, notebook)
    say(f"{len(todo) - len(failed)} done now, {len(failed)} FAILED.")
    say(f"Open {folder / 'index.html'}")
    return failed


def _files(place: Path) -> tuple[Path, Path]:
    """Return a point's notebook and its page, which is there once all cells ran."""
    return Path(f"{place}.ipynb"), Path(f"{place}.html")


def _is_done(place: Path, notebook: Path) -> bool:
    executed, page = _files(place)
    try:
        return page.exists() and _sources(executed) == _sources(notebook)
    except (OSError, ValueError):  # it was taken away, or cut off
        return False


def _sources(notebook: Path) -> list[str]:
    """Return a notebook's text and code, without what papermill put in."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    return [
        "".join(cell["source"])
        for cell in cells
        if "injected-parameters" not in cell["metadata"].get("tags", ())
    ]


def _set_up(workers: int) -> None:
    """Prepare a worker: its share of the threads, no budget but the point's own."""
    own = getattr(os, "sched_getaffinity", None)  # which macOS has not
    available = len(own(0)) if own else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, available // workers)))
    os.environ.pop("LAZYRICH_BUDGET", None)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # kernels talk; errors are returned


def _execute(notebook: Path, place: Path, point: Point) -> str:
    """Execute a notebook; return why it failed, in a sentence, or nothing."""
    import papermill
    from nbclient.exceptions import DeadKernelError
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import TagRemovePreprocessor
    from papermill.exceptions import PapermillExecutionError

    executed, page = _files(place)
    page.unlink(missing_ok=True)
    options = {"progress_bar": False, "start_timeout": START_TIMEOUT}
    try:
        done = papermill.execute_notebook(notebook, executed, point, **options)
    except PapermillExecutionError as error:
        known = error.ename == "ChapterError"  # is a sentence by itself
        return error.evalue if known else f"{error.ename}: {error.evalue}"
    except DeadKernelError:
        return (
            "its kernel was killed, nearly always for lack of memory: take fewer "
            "workers, or smaller widths."
        )
    exporter = HTMLExporter()
    tags = TagRemovePreprocessor(enabled=True, remove_input_tags=HIDDEN)
    exporter.register_preprocessor(tags, enabled=True)
    page.write_text(exporter.from_notebook_node(done)[0], "utf-8")
    return ""


def _write_index(folder: Path, notebook: Path) -> None:
    """List the notebooks of a folder on a page."""
    import pandas as pd

    table = pd.DataFrame([_row(path) for path in sorted(folder.glob("*.ipynb"))])
    name = html.escape(notebook.stem)
    title = f"<!doctype html><meta charset=utf-8><title>{name}</title>"
    rows = table.to_html(index=False, escape=False, border=0, na_rep="")
    (folder / "index.html").write_text(f"{title}\n{rows}\n", "utf-8")


def _row(path: Path) -> dict[str, str]:
    """Return a point's row: how it ended, with a link, and its parameters."""
    try:
        kept = json.loads(path.read_text("utf-8"))["metadata"]["papermill"]
    except (ValueError, KeyError):  # it is being written, or not papermill's
        kept = {"parameters": {}, "exception": None}
    page = path.with_suffix(".html")
    result = "failed" if kept["exception"] else "not finished"
    if page.exists():
        path, result = page, "done"
    link = f'<a href="./{quote(path.name)}">{result}</a>'
    parameters = kept["parameters"].items()
    return {"result": link} | {k: html.escape(in_words(v)) for k, v in parameters}
