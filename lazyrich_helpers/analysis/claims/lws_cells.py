"""Cells of a `tables.lws.lws_table`: a schedule at one probability, by name.

A cell's name is that of `cell_name`, such as `top 1 all bottoms, ρ 0.1`.
"""

import itertools
import math
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Several
from lazyrich_helpers.analysis.claims.verdicts import widths_of
from lazyrich_helpers.analysis.tables.statistics import num_seeds


def cell_name(schedule: str, rho: float) -> str:
    """Return a schedule with its probability, as in `top 1 bottom 4, ρ 0.1`."""
    return schedule if math.isnan(rho) else f"{schedule}, ρ {rho:g}"


def cell_names(table: pd.DataFrame) -> list[str]:
    """Return the name of each row's cell."""
    return list(map(cell_name, table.schedule, table.rho))


def cells_for(templates: Iterable[str], asks: Mapping[str, Any]) -> list[str]:
    """Return the cells that a claim is about.

    Args:
        templates: Names with a `{field}` for what the claim asks for: `top {ks}` is a
            cell for each of its `ks`.
        asks: What it asks for, by name: a number, or several.
    """
    found = []
    for template in templates:
        fields = [name for _, name, _, _ in string.Formatter().parse(template) if name]
        names = dict.fromkeys(fields)  # each once: `top {k} bottom {k}`
        values = (asks[n] if isinstance(asks[n], tuple) else (asks[n],) for n in names)
        for chosen in itertools.product(*values):
            found.append(template.format(**dict(zip(names, chosen, strict=True))))
    return found


def of_cell(table: pd.DataFrame, cell: str, column: str) -> pd.Series:
    """Return a column by seed, of one cell; empty where it was not run."""
    rows = table.loc[[name == cell for name in cell_names(table)]]
    return pd.Series(rows[column].to_numpy(), rows.seed.to_numpy(), dtype=float)


def lost(table: pd.DataFrame, cell: str) -> pd.Series:
    """Return points of test accuracy lost against full training, by seed."""
    return 100 * of_cell(table, cell, "lost")


def in_part(cells: Sequence[str], among: Sequence[str]) -> str:
    """Return some cells in words: by ρ, where all schedules agree, or by name."""
    rhos = {cell: cell.partition(", ρ ")[2] for cell in among}
    chosen = {rhos[cell] for cell in cells}
    if all(rhos.values()) and {c for c in among if rhos[c] in chosen} == {*cells}:
        return f"at ρ = {Several(sorted(chosen))}"
    return f"for {Several(cells)}"


def listed(
    what: str, texts: Mapping[str, str], num_cells: int, table: pd.DataFrame
) -> str:
    """Return what was found of each cell, and how many were not run."""
    if not texts:
        return "Not run yet."
    found = "; ".join(f"{cell}: {text}" for cell, text in texts.items())
    if left := num_cells - len(texts):
        found += f"; {left} of {num_cells} schedules not run yet"
    return f"{what}: {found} ({settings_of(table, texts)})."


def settings_of(table: pd.DataFrame, cells: Iterable[str]) -> str:
    """Return the width, and how many seeds these cells have; each has one."""
    named = table.assign(cell=cell_names(table))
    seeds = num_seeds(named.loc[named.cell.isin([*cells])], "cell")
    return f"w = {widths_of(table)[-1]:,}, {seeds}"
