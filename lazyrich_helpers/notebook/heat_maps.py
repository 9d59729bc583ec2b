"""Recorded heat maps of where a network's active parameters are, as pictures."""

from collections.abc import Sequence

import ipywidgets
import numpy as np
import pandas as pd

from lazyrich_helpers.analysis.heat_map_image import heat_map_image
from lazyrich_helpers.analysis.tables import one_setting
from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.recipes import Results
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.activity import PERCENTS, Activity
from lazyrich_helpers.notebook.widgets import Frame, slider
from lazyrich_helpers.runner.batch import store_for

FRAME_HEIGHT = 1.75
"""Inches: room for the widest network, so that a page stands still as one slides."""


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


def heat_map_slider(
    results: Results, *, lr: float | None = None
) -> ipywidgets.VBox | ipywidgets.HTML:
    """Return a slider over widths, with buttons for α, over `heat_map_image`.

    `lr` chooses one of several learning rates: they are not averaged.
    """
    chosen = [r for r in results.records if lr in (None, r.columns()["lr"])]
    one_setting(pd.DataFrame([record.columns() for record in chosen]), "width")
    store = store_for(results.recipe.budget)
    by_width: dict[int, list[Record]] = {}
    for record in chosen:
        if Activity.name in record.measures:
            by_width.setdefault(record.columns()["width"], []).append(record)
    rows: dict[str, list[Frame]] = {f"{alpha} %": [] for alpha in PERCENTS}
    for width, records in sorted(by_width.items()):
        shapes = layer_shapes(records[0])
        for alpha in PERCENTS:
            maps = mean_maps(records, store, alpha)
            if maps:
                frame = _frame(maps, shapes, width, alpha)
                rows[f"{alpha} %"].append(frame)
    if not all(rows.values()):
        return ipywidgets.HTML("Not run yet.")
    widest = len(rows[f"{PERCENTS[0]} %"]) - 1
    return slider("width w", rows, choice="α", start=widest)


def _frame(
    maps: list[np.ndarray], shapes: list[tuple[int, int]], width: int, alpha: int
) -> Frame:
    means = ", ".join(f"{100 * layer.mean():.2g}" for layer in maps)
    alt = (
        f"Heat maps of width {width}, α = {alpha} %: weights are active in {means} % "
        "of epochs on average, bottom layer to top."
    )
    image = heat_map_image(maps, shapes, alpha, least_height=FRAME_HEIGHT)
    return Frame(f"{width:,}", alt, image)
