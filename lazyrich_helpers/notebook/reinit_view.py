"""The γ/ε explorer: both re-initializations of recorded networks at any share."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from lazyrich_helpers.analysis.figures.style import layer_color, on_grounds, width_color
from lazyrich_helpers.analysis.tables.tidy import one_setting, reinit_table
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.measures.movement import BINS_PER_DECADE, DECADES, Movement
from lazyrich_helpers.notebook.widgets import (
    Control,
    Explorer,
    check,
    choice,
    slider,
)
from lazyrich_helpers.reinit.reinitialization import percent_label

SYMBOLS = {"γ": "active", "ε": "lazy"}
CHOICES = {"dataset": "data", "depth": "hidden layers", "lr": "learning rate"}
"""Columns that become buttons where records differ in them."""
START = 0.001


def reinit_slider(
    records: Iterable[Record], *, start: float = START
) -> Explorer | HTML:
    """Return sliders for γ and ε over every share that is recorded.

    Args:
        records: Alike but for width, seed and `CHOICES`; with the measure `Reinit` and,
            for the lower views, `Movement`.
        start: The share that is shown first, or the recorded one next to it.
    """
    records = list(records)
    table = reinit_table(records)
    if table.empty:
        return HTML("Not run yet.")
    stops = sorted(set(table.fraction))
    return Explorer("reinit", *explorer_parts(table, records, stops, start))


def explorer_parts(
    table: pd.DataFrame, records: Sequence[Record], stops: Sequence[float], start: float
) -> tuple[list[Control], dict[str, Any], dict[str, int]]:
    """Return controls, data and first positions of an explorer over `stops`."""
    found = {n: sorted(set(table[n].dropna()), reverse=n == "lr") for n in CHOICES}
    choices = {name: values for name, values in found.items() if len(values) > 1}
    settings = {}
    for places in itertools.product(*(range(len(v)) for v in choices.values())):
        rows = table
        for (name, values), place in zip(choices.items(), places, strict=True):
            rows = rows.loc[rows[name] == values[place]]
        if not rows.empty:
            settings[",".join(map(str, places))] = _setting(rows, records)
    widths = sorted(int(width) for width in set(table.width))
    labels = [f"{width:,}" for width in widths]
    colors = [on_grounds(width_color(width)) for width in widths]
    shares = [percent_label(stop) for stop in stops]
    controls = [
        slider("γ", "γ, reset", shares),
        slider("ε", "ε, kept", shares),
        check("together", "γ and ε together", ["γ", "ε"]),
        *(choice(n, CHOICES[n], map(label_of, choices[n])) for n in choices),
        choice("width", "width w, lower views", labels),
    ]
    data = {
        "stops": list(stops),
        "fractions": sorted(set(table.fraction)),
        "widths": [
            {"label": label, "color": color, "rank": rank % 6}
            for rank, (label, color) in enumerate(zip(labels, colors, strict=True))
        ],
        "choices": list(choices),
        "settings": settings,
    }
    first = min(range(len(stops)), key=lambda place: abs(stops[place] - start))
    state = {"γ": first, "ε": first, "together": 1, "width": len(widths) - 1}
    return controls, data, state


def label_of(value: Any) -> str:
    """Return a column's value as its button says it."""
    return value if isinstance(value, str) else f"{value:g}"


def _setting(table: pd.DataFrame, records: Sequence[Record]) -> dict[str, Any]:
    """Return what is known of the networks of one setting, by width."""
    one_setting(table, "width")
    run_ids = set(table.run_id)
    runs: dict[str, list[Any]] = {}
    for record in records:
        if record.run_id in run_ids and Movement.name in record.measures:
            layers = record.measures[Movement.name]["layers"]
            runs.setdefault(f"{record.columns()['width']:,}", []).append(layers)
    moves = {width: mean_movement(layers) for width, layers in runs.items()}
    depth = max(map(len, moves.values()), default=0)
    seeds = table.groupby("width").seed.nunique().tolist()
    return {
        **{symbol: _means(table, scenario) for symbol, scenario in SYMBOLS.items()},
        "moves": moves,
        "layerColors": [on_grounds(layer_color(i, depth)) for i in range(depth)],
        "note": evaluation_note(int(table.num_test.max()), seeds),
    }


def _means(table: pd.DataFrame, scenario: str) -> dict[str, list[float]]:
    """Return mean accuracies in percent, by width, at each fraction."""
    rows = table.loc[table.scenario == scenario]
    means = 100 * rows.pivot_table("accuracy", index="fraction", columns="width")
    return {f"{width:,}": column.round(2).tolist() for width, column in means.items()}


def mean_movement(runs: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the mean of `Movement`'s `layers` over runs of one width.

    A layer has `bins`: shares of its `size` weights, in bins of a quarter decade. The
    first begins at `low`, the decimal logarithm of a movement. The rest did not move.
    """
    found = []
    for layers in zip(*runs, strict=True):
        size = layers[0]["num_weights"]
        bins = np.mean([layer["histogram"] for layer in layers], axis=0) / size
        used = np.flatnonzero(bins)
        first, last = (used[0], used[-1]) if len(used) else (0, 0)
        low = DECADES[0] + first / BINS_PER_DECADE + math.log10(layers[0]["sigma_0"])
        shares = [float(f"{share:.3g}") for share in bins[first : last + 1]]
        found.append({"size": size, "low": round(low, 4), "bins": shares})
    return found


def evaluation_note(num_test: int, num_seeds: Sequence[int]) -> str:
    """Return on how many images and networks a number rests."""
    low, high = min(num_seeds), max(num_seeds)
    seeds = f"{low}" if low == high else f"{low} to {high}"
    return f"{num_test:,} test images, n = {seeds}"
