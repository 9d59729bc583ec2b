"""A record's arrays in a file beside it, marked with the network they are of."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lazyrich_helpers.experiments.whole_files import write_whole


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], network: str) -> None:
    """Write arrays by name, and what stands for their network; no file where none."""
    if not arrays:
        path.unlink(missing_ok=True)
        return
    # Sorted: equal arrays, equal bytes.
    named: dict[str, Any] = dict(sorted(arrays.items()))
    content = io.BytesIO()
    np.savez_compressed(content, **named, weights=np.array(network))
    write_whole(path, content.getvalue())


def read_arrays(path: Path, network: str | None) -> dict[str, np.ndarray]:
    """Return the arrays of a network; empty where there are none or another's.

    Raises:
        ValueError: If the file cannot be read.
    """
    try:
        file = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        return {}
    except Exception as error:  # numpy and zipfile raise many kinds
        raise ValueError(
            f"{path} is not a readable file of arrays ({type(error).__name__}); "
            "restore it from version control, or run again to measure them anew."
        ) from error
    return arrays if arrays.pop("weights", None) == network else {}
