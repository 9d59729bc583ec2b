"""What runs have been, in a line: data, scale, and how many."""

from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.tables.statistics import num_seeds

NAMES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
"""Data set → its name on a page."""


def scope_of(*tables: pd.DataFrame) -> str:
    """Return what runs have been: `MNIST · 10,000 images · d = 1 · w = 10–5,000`."""
    rows = pd.DataFrame(pd.concat([table for table in tables if not table.empty]))
    shown = {
        "dataset": "{}",
        "train_size": "{} images",
        "depth": "d = {}",
        "width": "w = {}",
        "lr": "lr {}",
    }
    parts = [
        text.format(_range(sorted(rows[name].dropna().unique())))
        for name, text in shown.items()
        if name in rows
    ]
    if "seed" in rows:
        by = [name for name in ("dataset", "width") if name in rows]
        parts.append(num_seeds(rows, by))
    return " · ".join(parts)


def _range(found: list[Any]) -> str:
    """Return the one value, two numbers, both ends of more, or all names."""
    if found and isinstance(found[0], str):
        return " and ".join(NAMES.get(str(name), str(name)) for name in found)
    ends = dict.fromkeys(f"{end:,g}" for end in (*found[:1], *found[-1:]))
    return (", " if len(found) == 2 else "–").join(ends)
