"""The explorer of what units make of samples, down a deep network, by its start."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML

from lazyrich_helpers.analysis.figures.style import on_grounds, shade
from lazyrich_helpers.notebook.widgets import Explorer, choice, slider

NUM_UNITS = 5
"""Of a layer are drawn: what all of them hold stays below 60 kB."""


def variance_slider(
    histograms: pd.DataFrame,
    shares: pd.DataFrame,
    *,
    names: Mapping[str, str],
    theory: Sequence[float],
    limit: float,
    layer: int = 20,
) -> Explorer | HTML:
    """Return a slider over layers, with buttons for the start.

    Args:
        histograms: A row per start (`inits`), layer and unit; its columns `bin_0`, …
            count samples.
        shares: `share` of the sample variance in the total, 0 to 1, by start, layer
            and seed.
        names: Start → its name on a page; what is shown, in this order.
        theory: The share of layers 1, 2, … in a wide network with He's start.
        limit: Where the bins end.
        layer: That is shown first, where it is there.
    """
    if histograms.empty or shares.empty:
        return HTML("Not computed yet.")
    layers = sorted(int(value) for value in histograms.layer.unique())
    bins = [name for name in histograms if str(name).startswith("bin_")]
    starts = []
    for place, (start, name) in enumerate(names.items()):
        shown = (histograms.inits == start) & (histograms.unit < NUM_UNITS)
        rows = histograms[shown]
        means = shares[shares.inits == start].groupby("layer").share.mean()
        units = [np.asarray(rows[rows.layer == each][bins]).tolist() for each in layers]
        starts.append(
            {
                "name": name,
                "color": on_grounds(shade(place, len(names))),
                "share": [round(100 * means[value], 2) for value in layers],
                "counts": units,
            }
        )
    controls = [
        slider("stop", "layer", map(str, layers)),
        choice("start", "start", names.values()),
    ]
    data = {
        "layers": layers,
        "starts": starts,
        "theory": [round(100 * theory[value - 1], 2) for value in layers],
        "limit": limit,
        "colors": [on_grounds(shade(i, NUM_UNITS)) for i in range(NUM_UNITS)],
    }
    first = layers.index(layer) if layer in layers else len(layers) - 1
    return Explorer("variance", controls, data, {"stop": first})
