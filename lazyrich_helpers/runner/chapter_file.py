"""A chapter as a file: where it is, which parameters it has, which version it is."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lazyrich_helpers.config import require
from lazyrich_helpers.places import ROOT

BOOK = ROOT / "book"
HIDDEN = {".ipynb_checkpoints", "_build"}


@dataclass(frozen=True)
class Parameter:
    """A line of a parameters cell: `widths: list[int] = None  # hidden units`."""

    name: str
    kind: str
    """As written, such as `list[int]`; `None` where the line has no type."""
    default: str
    """As written."""
    meaning: str

    @property
    def is_list(self) -> bool:
        """Whether it takes a list."""
        return self.kind.startswith("list") or self.default.startswith("[")

    @property
    def entry(self) -> str:
        """The kind of a value, or of each entry of a list; empty where unknown."""
        kind = re.sub(r"^list(\[(\w+)\])?$", r"\2", self.kind)
        return "" if kind == "None" else kind


def chapters() -> list[Path]:
    """Return the notebooks of the book, in order; none where there is no book."""
    found = BOOK.rglob("*.ipynb")
    return sorted(path for path in found if not HIDDEN & set(path.parts))


def find_chapter(text: str) -> Path:
    """Return the notebook that `text` names.

    Args:
        text: A number (`4`, `04`), a name (`active_parameters`, with or without its
            number) or the path of any notebook.

    Raises:
        ValueError: If there is no such notebook.
    """
    names = {path: path.stem.split("_", 1) for path in chapters()}
    for path, (number, *rest) in names.items():
        if text in (path.stem, path.name, *rest):
            return path
        if text.isdecimal() and number.isdecimal() and int(text) == int(number):
            return path
    path = Path(text)
    known = ", ".join(each.stem for each in names)
    remedy = f"one of {known}, or the path of a notebook"
    require(path.suffix == ".ipynb" and path.is_file(), "notebook", remedy, text)
    return path.resolve()


def parameters_of(notebook: Path) -> dict[str, Parameter]:
    """Return the parameters of a notebook by name, in its order.

    Raises:
        ValueError: If it is no notebook or has no parameters, or papermill is missing.
    """
    try:
        import papermill
    except ImportError:
        raise ValueError(
            "Running a chapter from here needs papermill, which is not installed: "
            "pip install -r requirements.txt."
        ) from None
    cells_of(notebook)  # papermill has no sentence for a file that is no notebook
    found = papermill.inspect_notebook(str(notebook))
    remedy = "a notebook with a cell tagged `parameters`"
    require(bool(found), "notebook", remedy, str(notebook))
    return {
        name: Parameter(name, each["inferred_type_name"], each["default"], each["help"])
        for name, each in found.items()
    }


def cells_of(notebook: Path) -> list[dict[str, Any]]:
    """Return the cells of a notebook.

    Raises:
        ValueError: If it cannot be read.
    """
    try:
        cells = json.loads(notebook.read_text("utf-8"))["cells"]
        return [cell | {"source": "".join(cell["source"])} for cell in cells]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"notebook must be a file that Jupyter can open; {notebook} cannot be "
            f"read: {type(error).__name__}: {error}."
        ) from None


def digest(notebook: Path) -> str:
    """Return 16 hex digits: the same for equal text and code, whatever the outputs."""
    sources = [(cell["cell_type"], cell["source"]) for cell in cells_of(notebook)]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()[:16]


def title(notebook: Path) -> str:
    """Return a notebook's first heading, or its name where it has none."""
    for cell in cells_of(notebook):
        heading = re.search(r"^# +(.+)$", cell["source"], re.MULTILINE)
        if cell["cell_type"] == "markdown" and heading:
            return heading[1]
    return notebook.stem
