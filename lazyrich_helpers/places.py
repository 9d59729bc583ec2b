"""Where things lie: folders that the reader chooses, by variables or on a command line.

Standard library only: the book's build reads it as well.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
"""Every module, and the files that it ships with."""
IS_CHECKOUT = (PACKAGE.parent / "_config.yml").is_file()
ROOT = PACKAGE.parent if IS_CHECKOUT else Path.cwd()
"""The checkout; where the package was installed without one, the working folder."""


def chosen(variable: str, default: Path) -> Path:
    """Return the path that an environment variable names; `default` if it is empty."""
    named = os.environ.get(variable)
    return expanded(variable, named) if named else default


def expanded(name: str, text: str) -> Path:
    """Return the path `text`, the value of `name`, with `~` for a home folder.

    Raises:
        ValueError: If there is no such home folder.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"{name} must be a path whose ~ stands for a home folder that is there; "
            f"got {text!r}."
        ) from error


@contextlib.contextmanager
def left_as_found(folder: Path) -> Iterator[None]:
    """Take away `folder`, and those above it, that were made inside and left empty."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    finally:
        for path in new:  # from the inside out
            with contextlib.suppress(OSError):  # it holds something, or is not there
                path.rmdir()
