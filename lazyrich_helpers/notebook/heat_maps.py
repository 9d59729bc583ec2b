"""Recorded heat maps of where a network's active parameters are: layers × α."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from lazyrich_helpers.analysis.tables.tidy import one_setting
from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.recipes import Results
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.activity import PERCENTS, Activity
from lazyrich_helpers.notebook.pictures import shaded
from lazyrich_helpers.notebook.widgets import Explorer, choice, slider
from lazyrich_helpers.runner.batch import store_for

SHADES = "cividis"
"""Dark where never active, light where always: the same in any kind of vision."""
RAREST = 0.003
"""Share of epochs up to which a weight is darkest; the scale is logarithmic."""
MOST_ROWS, MOST_COLUMNS = 24, 28
"""Points of a layer's heat map; more weights are averaged."""
MAP_ROOM = 560
"""Pixels for all layers side by side."""
THINNEST, NARROWEST, LOWEST = 8, 24, 80
"""Least pixels: of a layer's height and width, and of the highest layer's height."""


def layer_shapes(record: Record) -> list[tuple[int, int]]:
    """Return each layer's weight matrix (out, in), kernels flattened, bottom first.

    Raises:
        ValueError: If a layer has more than one, such as a residual block.
    """
    shapes = [layer["shapes"] for layer in record.costs["layers"]]
    one_each = all(len(own) == 1 for own in shapes)
    remedy = "a network with one weight matrix a layer, to be drawn as heat maps"
    require(one_each, "model", remedy, record.columns()["model"])
    return [(rows, columns) for ((rows, columns),) in shapes]


def rectangle_sizes(shapes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return width and height, in pixels, at which matrices (rows, columns) are drawn.

    To one scale, as far as they can then be seen; rows are stretched if all are low.
    """
    scale = MAP_ROOM / sum(columns for _, columns in shapes)
    stretched = max(scale, LOWEST / max(rows for rows, _ in shapes))
    return [
        (max(NARROWEST, round(columns * scale)), max(THINNEST, round(rows * stretched)))
        for rows, columns in shapes
    ]


def mean_maps(records: Sequence[Record], store: Store, alpha: int) -> list[np.ndarray]:
    """Return how often weights are active, 0 to 1, per layer: the mean over records.

    Args:
        records: Of one width; each with the measure `Activity` and its arrays.
        store: Where they are.
        alpha: In percent.

    Units have no order, so a mean over seeds keeps what belongs to an input pixel or to
    a layer, and blurs what belongs to a single unit.
    """
    found = []
    for record in records:
        arrays = store.read_arrays(record.run_id)
        num_layers = len(record.measures[Activity.name]["layers"])
        names = [f"{Activity.name}/alpha_{alpha}/layer_{i}" for i in range(num_layers)]
        if all(name in arrays for name in names):
            found.append([arrays[name] / 255 for name in names])
    return [np.mean(layer, axis=0) for layer in zip(*found, strict=True)]


def block_means(values: np.ndarray) -> np.ndarray:
    """Return means of a matrix over blocks, at most `MOST_ROWS` × `MOST_COLUMNS`."""
    for axis, most in enumerate((MOST_ROWS, MOST_COLUMNS)):
        size = values.shape[axis]
        starts = np.linspace(0, size, min(size, most), endpoint=False).astype(int)
        sums = np.add.reduceat(values, starts, axis=axis)
        counts = np.diff([*starts, size])
        values = sums / (counts[:, None] if axis == 0 else counts)
    return values


def heat_map_slider(
    results: Results, *, lr: float | None = None, start: int | None = None
) -> Explorer | HTML:
    """Return a slider over widths, with buttons for α, over a heat map per layer.

    Args:
        results: With the measure `Activity` and its arrays.
        lr: Chooses one of several learning rates: they are not averaged.
        start: The width that is shown first; None: the widest.

    Source: Li & Banerjee (2021), Figures 5 and 6.
    """
    chosen = [r for r in results.records if lr in (None, r.columns()["lr"])]
    one_setting(pd.DataFrame([record.columns() for record in chosen]), "width")
    store = store_for(results.recipe.budget)
    by_width: dict[int, list[Record]] = {}
    for record in chosen:
        if Activity.name in record.measures:
            by_width.setdefault(record.columns()["width"], []).append(record)
    widths = sorted(by_width)
    frames = {}
    for place, width in enumerate(widths):
        for row, alpha in enumerate(PERCENTS):
            maps = mean_maps(by_width[width], store, alpha)
            if not maps:
                return HTML("Not run yet.")
            frames[f"{row},{place}"] = _frame(maps, layer_shapes(by_width[width][0]))
    if not frames:
        return HTML("Not run yet.")
    controls = [
        slider("stop", "width w", [f"{width:,}" for width in widths]),
        choice("row", "α", [f"{alpha} %" for alpha in PERCENTS]),
    ]
    ramp = shaded(np.linspace(0, 1, 16)[None], SHADES)
    scale = {"image": ramp, "low": f"≤ {100 * RAREST:g} %", "high": "100 % of epochs"}
    first = widths.index(start) if start in widths else len(widths) - 1
    return Explorer(
        "frames", controls, {"frames": frames, "scale": scale}, {"stop": first}
    )


def _frame(
    maps: Sequence[np.ndarray], shapes: Sequence[tuple[int, int]]
) -> dict[str, Any]:
    sizes = rectangle_sizes(shapes)
    means = [f"{100 * layer.mean():.2g}" for layer in maps]
    images = []
    for i, values in enumerate(maps):
        rows, columns = shapes[i]
        width, height = sizes[i]
        decades = np.log10(np.maximum(block_means(values), RAREST) / RAREST)
        image = {
            "source": shaded(decades / -np.log10(RAREST), SHADES),
            "alt": f"Layer {i + 1}, {rows}×{columns}: {means[i]} % on average",
        }
        images.append(image | {"label": str(i + 1), "width": width, "height": height})
    words = f"Weights are active in {', '.join(means)} % of epochs on average"
    return {"images": images, "words": f"{words}, from layer 1 to the last."}
