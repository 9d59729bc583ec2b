"""Tensors in a file: written whole or not at all, read without executing anything."""

import os
from pathlib import Path
from typing import Any

import torch

PASSING = (OSError, MemoryError, torch.OutOfMemoryError)
"""Errors that say nothing of a file's content."""


def write_tensors(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers and text, whole or not at all; the folder is made.

    Raises:
        OSError: If they cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        torch.save(state, partial)
        partial.replace(path)
    except RuntimeError as error:  # torch's word for a full disk
        raise OSError(f"{path} could not be written ({error})") from error
    finally:
        partial.unlink(missing_ok=True)


def read_tensors(path: Path, device: str = "cpu") -> dict[str, Any]:
    """Return what `write_tensors` wrote; nothing in the file is ever executed.

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
