"""Files that are there whole or not at all, whenever their writer is stopped.

What is in them is read without executing anything.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

PASSING = (OSError, MemoryError, torch.OutOfMemoryError)
"""Errors that say nothing of a file's content."""


@contextlib.contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that is put at `path` in the end, in place of what was there.

    Raises:
        OSError: If it cannot be written, with its name; what was there is there still.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # the name must never point at half a file
        os.chmod(partial, 0o644)
        Path(partial).replace(path)
    except BaseException as error:
        Path(partial).unlink(missing_ok=True)
        if isinstance(error, OSError):  # a full disk does not say which one it is
            error.filename = str(path)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path`, as `whole` does."""
    with whole(path) as file:
        file.write(content)


def write_tensors(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers and text, as `whole` does."""
    try:
        with whole(path) as file:
            torch.save(state, file)
    except RuntimeError as error:  # torch's word for a full disk
        raise OSError(f"{path} could not be written ({error})") from error


def read_tensors(path: Path, device: str = "cpu") -> dict[str, Any]:
    """Return what `write_tensors` wrote.

    Raises:
        OSError: If there is no such file, or the disk fails.
        MemoryError, torch.OutOfMemoryError: If the device has no room for it.
        ValueError: If the file is not what was written.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except PASSING:
        raise
    except Exception as error:  # torch.load raises many kinds
        raise ValueError(type(error).__name__) from error
    if not isinstance(state, dict):
        raise ValueError(f"it holds a {type(state).__name__}")
    return state


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], network: str) -> None:
    """Write arrays by name, and what stands for their network; no file where none."""
    if not arrays:
        path.unlink(missing_ok=True)
        return
    # Sorted: equal arrays, equal bytes.
    named: dict[str, Any] = dict(sorted(arrays.items()))
    with whole(path) as file:
        np.savez_compressed(file, **named, weights=np.array(network))


def read_arrays(path: Path, network: str | None) -> dict[str, np.ndarray]:
    """Return the arrays of a network; empty where there are none or another's.

    Raises:
        ValueError: If the file cannot be read.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = dict(file.items())
    except FileNotFoundError:
        return {}
    except Exception as error:  # numpy and zipfile raise many kinds
        raise ValueError(
            f"{path} is not a readable file of arrays ({type(error).__name__}); "
            "restore it from version control, or run again to measure them anew."
        ) from error
    return arrays if arrays.pop("weights", None) == network else {}
