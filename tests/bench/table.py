"""A Markdown table, and the machine it was measured on."""

import os
import platform
from collections.abc import Sequence

import numpy as np
import torch

from lazyrich_helpers.experiments import origin


def machine() -> str:
    """Return the processor, its load, threads and versions, in a line."""
    name = origin.device_name(torch.device("cpu"))
    load = os.getloadavg()[0]
    return (
        f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, load "
        f"{load:.1f}; Python {platform.python_version()}, torch {torch.__version__}, "
        f"commit {origin.commit()}"
    )


def markdown(title: str, rows: Sequence[dict[str, object]]) -> str:
    """Return rows, all with the keys of the first, as a table below its title."""
    names = list(rows[0])
    lines = [f"### {title}", "", _line(names), _line(["---"] * len(names))]
    lines += [_line([row[name] for name in names]) for row in rows]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(said, cells)) + " |"


def said(cell: object) -> str:
    """Return a cell; of repetitions the median and the quartiles."""
    if not isinstance(cell, np.ndarray):
        return str(cell)
    first, median, third = np.quantile(cell, (0.25, 0.5, 0.75))
    return f"{median:.3g} ({first:.3g} to {third:.3g})"
