"""Explorer of a two-layer net's units in the plane, over training time and scale."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.figures.style import BLUE, ORANGE, on_grounds
from lazyrich_helpers.notebook.widgets import Explorer, slider

START_TAU = 0.1
DIGITS = 3
"""Significant ones of what is drawn."""


def unit_paths(
    table: pd.DataFrame, teacher: Iterable[tuple[float, float, float]]
) -> Explorer:
    """Return sliders over the scale τ of the start and over time.

    Args:
        table: A row for each scale (`taus`), time (`step`) and `unit`: its `x` and `y`,
            the `sign` of its readout weight, `train_loss` and `test_loss`.
        teacher: Direction (x, y) and sign of each of the teacher's units.
    """
    taus, steps = sorted(table.taus.unique()), sorted(table.step.unique())
    controls = [
        slider("tau", "scale of the start, τ", [f"{tau:g}" for tau in taus]),
        slider("time", "steps", [f"{int(step):,}" for step in steps]),
    ]
    data = {
        "steps": [int(step) for step in steps],
        "scales": [_scale(table.loc[table.taus == tau]) for tau in taus],
        "teacher": [[*map(_short, unit)] for unit in teacher],
        "colors": [on_grounds(ORANGE), on_grounds(BLUE)],
    }
    first = min(range(len(taus)), key=lambda i: abs(taus[i] - START_TAU))
    return Explorer("paths", controls, data, {"tau": first, "time": len(steps) - 1})


def _scale(rows: pd.DataFrame) -> dict[str, Any]:
    """Return one scale's paths, unit by unit, and its losses over time."""
    units = [
        {
            "x": [_short(value) for value in unit.x],
            "y": [_short(value) for value in unit.y],
            "up": bool(unit.sign.iloc[-1] > 0),
        }
        for _, unit in rows.sort_values("step").groupby("unit")
    ]
    losses = rows.drop_duplicates("step").sort_values("step")
    return {
        "units": units,
        "reach": _round_up(rows[["x", "y"]].abs().to_numpy().max()),
        "train": [_short(value) for value in losses.train_loss],
        "test": [_short(value) for value in losses.test_loss],
    }


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _round_up(value: float) -> float:
    """Return the next number of one digit, such as 0.3 for 0.27."""
    unit = 10.0 ** math.floor(math.log10(value))
    return _short(math.ceil(value / unit) * unit)
