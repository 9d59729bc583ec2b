"""The explorer of linear regions: a plane through images, over training."""

import string
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex, to_rgb

from lazyrich_helpers.analysis.figures.style import on_grounds, shade
from lazyrich_helpers.notebook.pictures import paletted
from lazyrich_helpers.notebook.widgets import Explorer, choice, slider

TINTS = (0.75, 0.4, 0.0)
"""How far colours are mixed with white: inside a region, at a border, at several."""


def regions_slider(
    table: pd.DataFrame,
    places: Sequence[Sequence[float]],
    *,
    num_classes: int = 10,
    start: int = 2000,
) -> Explorer:
    """Return a slider over steps and buttons for methods.

    Args:
        table: Rows with `methods`, `step`, `train`, `test`, `regions` and `picture`: a
            letter for each pixel of a square, row by row, number
            `3 * class + border` of the alphabet.
        places: Column and row of each of the plane's images, from 0 to 1.
        num_classes: As many colours there are.
        start: The step that is shown first, or the one next to it.
    """
    methods = [*dict.fromkeys(table.methods)]
    steps = sorted(int(step) for step in table.step.unique())
    frames = {
        f"{methods.index(row['methods'])},{steps.index(row['step'])}": _frame(
            row, num_classes
        )
        for row in table.to_dict("records")
    }
    curves = [
        {name: (100 * own[name]).round(1).tolist() for name in ("train", "test")}
        for _, own in table.groupby("methods", sort=False)
    ]
    colors: list[Any] = [shade(k, num_classes) for k in range(num_classes)]
    data = {
        "frames": frames,
        "curves": curves,
        "steps": steps,
        "places": [[round(float(v), 4) for v in place] for place in places],
        "classes": [to_hex(color) for color in colors],
        "color": on_grounds(shade(1, 3)),
    }
    controls = [
        slider("stop", "steps", (f"{step:,}" for step in steps)),
        choice("row", "trained by", methods),
    ]
    first = min(range(len(steps)), key=lambda place: abs(steps[place] - start))
    return Explorer("regions", controls, data, {"stop": first, "row": len(methods) - 1})


def _tint(color: Any, share: float) -> np.ndarray:
    """Return a colour mixed with white."""
    return (1 - share) * np.array(to_rgb(color)) + share


def _frame(row: dict[str, Any], num_classes: int) -> dict[str, Any]:
    """Return one picture with the words for it."""
    codes = [string.ascii_letters.index(letter) for letter in row["picture"]]
    side = round(len(codes) ** 0.5)
    levels = np.array(codes, dtype=np.uint8).reshape(side, side)
    palette = [
        _tint(shade(label, num_classes), tint)
        for label in range(num_classes)
        for tint in TINTS
    ]
    words = (
        f"{row['methods']}, {row['step']:,} steps: training accuracy "
        f"{100 * row['train']:.1f} %, test accuracy {100 * row['test']:.1f} %, "
        f"{row['regions']:,} linear regions in the picture."
    )
    return {"source": paletted(levels, np.array(palette)), "words": words}
