"""What a grid is of: a notebook, and the points at which it is executed."""

import contextlib
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lazyrich_helpers.config import require
from lazyrich_helpers.places import ROOT

BOOK = ROOT / "book"
HIDDEN = {".ipynb_checkpoints", "_build"}
Point = dict[str, Any]
"""A notebook's parameters, as papermill takes them."""


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
    known = chapters()
    for path in known:
        number, _, name = path.stem.partition("_")
        if text in (path.stem, path.name) or (number[0].isdecimal() and text == name):
            return path
        if text.isdecimal() and number.isdecimal() and int(text) == int(number):
            return path
    path = Path(text)
    names = ", ".join(each.stem for each in known)
    remedy = f"one of {names}, or the path of a notebook"
    require(path.suffix == ".ipynb" and path.is_file(), "chapter", remedy, text)
    return path.resolve()


def parse_grid(notebook: Path, words: Sequence[str]) -> list[Point]:
    """Return every combination of values; the last name varies fastest.

    `LAZYRICH_BUDGET`, which would outrank a budget in the grid, is the budget where
    the grid has none.

    Args:
        notebook: Has a cell of parameters.
        words: `name=value,value` each, the values as YAML has them. What takes a list
            gets one of a single value; `[10, 100]` is a value that is a list.

    Raises:
        ValueError: If papermill is missing, the notebook cannot be read, a name is
            unknown or comes twice, or values are missing.
    """
    known = _parameters(notebook)
    axes: dict[str, list[Any]] = {}
    for word in words:
        name, _, text = word.partition("=")
        values = _values(text)
        require(bool(values), "grid", "names with values, as in widths=10,100", word)
        require(name in known, "a name", f"one of {', '.join(known)}", name)
        require(name not in axes, "a name", "there once", name)
        kind, default = known[name]["inferred_type_name"], known[name]["default"]
        whole = not (kind.startswith("list") or default.startswith("["))
        axes[name] = [v if whole or isinstance(v, list) else [v] for v in values]
    if "budget" in known and "budget" not in axes and "LAZYRICH_BUDGET" in os.environ:
        axes["budget"] = [os.environ["LAZYRICH_BUDGET"]]
    combinations = itertools.product(*axes.values())
    return [dict(zip(axes, values, strict=True)) for values in combinations]


def _parameters(notebook: Path) -> dict[str, Any]:
    """Return what papermill tells of the notebook's parameters, in their order."""
    try:
        import papermill
    except ImportError as error:
        raise ValueError(f"a grid needs the package papermill ({error}).") from error
    try:
        return papermill.inspect_notebook(str(notebook))
    except Exception as error:  # of nbformat, which raises many kinds
        raise ValueError(
            f"notebook must be a file that Jupyter can open; got {str(notebook)!r} "
            f"({type(error).__name__})."
        ) from error


def _values(text: str) -> list[Any]:
    """Return the values in `text`, with commas between; nothing where it has none."""
    import yaml

    values: list[Any] = []
    with contextlib.suppress(yaml.YAMLError):
        values = yaml.safe_load(f"[{text}]")
    for k, value in enumerate(values):
        if isinstance(value, str):
            with contextlib.suppress(ValueError):  # 1e-05 is a word to YAML
                values[k] = float(value)
    return values


def name_of(point: Point) -> str:
    """Return what tells a point from its neighbours, fit for a file and a link."""
    values = [f"{name}={quote(in_words(point[name]), '')}" for name in sorted(point)]
    return ",".join(values) or "as it is"


def in_words(value: Any) -> str:
    """Return a value as it is shown; of a list, what it holds."""
    return ",".join(map(in_words, value)) if isinstance(value, list) else str(value)
