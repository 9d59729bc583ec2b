"""An explorer over a plane of two knobs: one reading in colours, all at a place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lazyrich_helpers.notebook.widgets import Explorer, choice, slider

DIGITS = 3
"""Significant ones of a value."""


@dataclass(frozen=True)
class Reading:
    """A column of the table, and how a reader is told of it."""

    column: str
    name: str
    unit: str = ""
    log: float = 0.0
    """Least value of a logarithmic scale of colours; 0: a linear one."""


READINGS = (
    Reading("accuracy", "test accuracy", " %"),
    Reading("movement", "movement", " σ₀", log=0.001),
    Reading("kernel", "kernel change", log=0.001),
    Reading("flipped", "ReLUs flipped"),
    Reading("lost", "lost by resetting 1 %", " points"),
)
"""Of the planes that are recorded."""


def plane_slider(
    planes: Mapping[str, pd.DataFrame], *, start: tuple[float, float]
) -> Explorer:
    """Return buttons for the plane and the reading, and a slider for each knob.

    Args:
        planes: Name → table with `gammas`, `eta`, `seed` and `READINGS`; all of the
            same γ and η. Shown are means over the seeds that did not diverge.
        start: γ and η that are shown first, or what is nearest to them.
    """
    first = next(iter(planes.values()))
    gammas, etas = (sorted(first[name].unique()) for name in ("gammas", "eta"))
    place = {"gamma": _nearest(gammas, start[0]), "eta": _nearest(etas, start[1])}
    controls = [
        slider("gamma", "feature-learning strength γ", map(_short, gammas)),
        slider("eta", "learning rate η", map(_short, etas)),
        choice("reading", "Colours", [reading.name for reading in READINGS]),
        choice("plane", "Optimizer", list(planes)),
    ]
    told = [{"name": r.name, "unit": r.unit, "log": r.log} for r in READINGS]
    drawn = [
        {
            "gammas": gammas,
            "etas": etas,
            "values": [_values(table, r.column, gammas, etas) for r in READINGS],
        }
        for table in planes.values()
    ]
    return Explorer("plane", controls, {"planes": drawn, "readings": told}, place)


def _values(
    table: pd.DataFrame, column: str, gammas: Sequence[float], etas: Sequence[float]
) -> list[list[Any]]:
    """Return means, a list over η for each γ; None where all have diverged."""
    grid = table.pivot_table(index="gammas", columns="eta", values=column)
    grid = grid.reindex(index=gammas, columns=etas)
    return [
        [None if np.isnan(v) else float(f"{v:.{DIGITS}g}") for v in row]
        for row in grid.to_numpy()
    ]


def _nearest(values: Sequence[float], wanted: float) -> int:
    return int(np.argmin(np.abs(np.log(values) - np.log(wanted))))


def _short(value: float) -> str:
    return f"{value:.2g}"
