"""Files that are there whole or not at all, whenever their writer is stopped."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path`, in place of what was there; its folder is made.

    Raises:
        OSError: If it cannot be written, with its name; what was there is there still.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # the name must never point at half a file
        os.chmod(partial, 0o644)
        Path(partial).replace(path)
    except BaseException as error:
        Path(partial).unlink(missing_ok=True)
        if isinstance(error, OSError):  # a full disk does not say which one it is
            error.filename = str(path)
        raise


def require_writable(folder: Path) -> None:
    """Find out, before any work, whether files can be put there.

    Raises:
        ValueError: If they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"a record is longer")
    except OSError as error:
        raise ValueError(
            f"records must be a folder with space that you may write to; got "
            f"{str(folder)!r} ({error.strerror})."
        ) from error
