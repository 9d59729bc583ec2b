"""A chapter as a file: which one is meant."""

from pathlib import Path

from lazyrich_helpers.config import require
from lazyrich_helpers.places import ROOT

BOOK = ROOT / "book"
HIDDEN = {".ipynb_checkpoints", "_build"}


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
    require(path.suffix == ".ipynb" and path.is_file(), "chapter", remedy, text)
    return path.resolve()
