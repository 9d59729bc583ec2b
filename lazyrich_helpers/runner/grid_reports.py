"""What a point of a grid leaves: its executed notebook, readable too as a page."""

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lazyrich_helpers.runner.grid_points import Point

KEY = "lazyrich_grid"
"""Where the metadata of a notebook keep how it ended."""
DEAD_KERNEL = 138
"""Exit status of papermill where the kernel was killed."""
FULL_DISK = "No space left on device"
KILLED = "nearly always for lack of memory: take fewer workers, or smaller widths"


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a point ended. It is kept in its notebook."""

    parameters: Point
    source: str
    """The version of the notebook that was run: its `chapter.digest`."""
    seconds: float
    failed: str = ""
    """Why, in a sentence; empty where every cell ran."""

    @property
    def result(self) -> str:
        """How it ended, in words."""
        return f"failed: {self.failed}" if self.failed else "done"


def files_of(name: str) -> tuple[str, str]:
    """Return the names of a point's files: the page and the notebook."""
    return f"{name}.html", f"{name}.ipynb"


def read_notebook(path: Path) -> dict[str, Any] | None:
    """Return a notebook's content; None where it is missing or cut off."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and "cells" in content else None


def read_report(path: Path) -> Report | None:
    """Return how the notebook at `path` ended; None where nothing whole is there."""
    kept = (read_notebook(path) or {}).get("metadata", {}).get(KEY)
    try:
        return Report(**kept)
    except TypeError:  # not one of ours, or of another version
        return None


def keep(draft: Path, report: Report, path: Path) -> None:
    """Move an executed notebook to `path`, with how it ended and a page beside it.

    Where there is no draft, nothing was executed and nothing is kept.

    Raises:
        OSError: If it could not be written; what was at `path` is still there.
    """
    content = read_notebook(draft)
    if content is None:
        return
    content["metadata"][KEY] = dataclasses.asdict(report)
    text = json.dumps(content, ensure_ascii=False, indent=1)
    pages = {path.with_suffix(".html"): to_html(text), path: f"{text}\n"}
    for place, written in pages.items():  # the notebook last: it says that all is there
        draft.write_text(written, "utf-8")
        draft.replace(place)


def to_html(notebook: str) -> str:
    """Return a notebook's text as a page, without the code that its tags hide."""
    import nbformat
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import TagRemovePreprocessor

    hidden = TagRemovePreprocessor(
        enabled=True, remove_input_tags={"remove-input", "hide-input"}
    )
    exporter = HTMLExporter()
    exporter.register_preprocessor(hidden, enabled=True)
    page, _ = exporter.from_notebook_node(nbformat.reads(notebook, as_version=4))
    return page


def why_failed(content: dict[str, Any] | None, status: int, errors: str) -> str:
    """Return why a notebook did not run to its end, in a sentence; empty if it did.

    Args:
        content: The executed notebook, as far as it came.
        status: Exit status of papermill.
        errors: What it wrote to stderr.
    """
    if status == 0:
        return "" if content else "papermill left no notebook that can be read."
    cells = [cell for cell in (content or {}).get("cells", []) if "outputs" in cell]
    raised = [o for cell in cells for o in cell["outputs"] if "traceback" in o]
    lines = errors.strip().splitlines()
    if raised:
        name, text = raised[0]["ename"], raised[0]["evalue"]
        why = text if name == "ChapterError" else f"{name}: {text}"
    elif status == DEAD_KERNEL:
        kept = [cell["metadata"].get("papermill", {}) for cell in cells]
        num_begun = sum(bool(each.get("start_time")) for each in kept)
        why = f"its kernel was killed in cell [{num_begun}], {KILLED}"
    elif status < 0:
        why = f"papermill was ended by signal {-status}: run the grid again"
    else:
        why = lines[-1] if lines else f"papermill ended with status {status}"
    return sentence(why, errors)


def sentence(why: str, errors: str = "") -> str:
    """Return `why` as one sentence, with the remedy if it was for a full disk."""
    why = " ".join(re.sub(r"\x1b\[[\d;]*m", "", why).split()).rstrip(".")
    if FULL_DISK in why + errors:
        why = f"the disk is full ({why}): make room there, then run the grid again"
    return f"{why}."
