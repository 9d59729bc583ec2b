"""An explorer of a step on many devices: how long it computes and how long it sends."""

import itertools
from typing import Any

import pandas as pd

from lazyrich_helpers.notebook.widgets import Explorer, choice, slider

DIGITS = 4
"""Significant ones of a number."""
AXES = ("network", "bandwidth", "rho")
"""Columns that a curve over devices is chosen by, in this order."""


def devices_slider(
    table: pd.DataFrame,
    *,
    devices: int = 256,
    rho: float = 0.1,
    bandwidth: float = 25e9,
) -> Explorer:
    """Return sliders over devices, ρ and bandwidth, and buttons for the network.

    Args:
        table: From `papers.sharded.model.model_table`: `computes` and `sends` in
            seconds and `speedup`, by network, bandwidth, ρ and devices. It has ρ = 1.
        devices: Shown first.
        rho: Shown first.
        bandwidth: Shown first, in bytes a second.
    """
    axes = {name: list(table[name].unique()) for name in AXES}
    nums = [int(num) for num in table.devices.unique()]
    cells = {}
    for places in itertools.product(*(range(len(axes[name])) for name in AXES)):
        rows = table
        for name, place in zip(AXES, places, strict=True):
            rows = rows.loc[rows[name] == axes[name][place]]
        cells[",".join(map(str, places))] = _cell(rows)
    speeds = [f"{one / 1e9:g} GB/s" for one in axes["bandwidth"]]
    controls = [
        slider("devices", "devices", [f"{num:,}" for num in nums]),
        slider("rho", "ρ", [f"{one:g}" for one in axes["rho"]]),
        slider("bandwidth", "bandwidth", speeds),
        choice("network", "network", axes["network"]),
    ]
    start = {
        "devices": nums.index(devices),
        "rho": axes["rho"].index(rho),
        "bandwidth": axes["bandwidth"].index(bandwidth),
        "network": 1,
    }
    data = {"devices": nums, "cells": cells, "full": axes["rho"].index(1.0)}
    return Explorer("devices", controls, data, start)


def _cell(rows: pd.DataFrame) -> dict[str, Any]:
    """Return milliseconds and speed-ups by devices."""
    values = {"computes": 1000 * rows.computes, "sends": 1000 * rows.sends}
    values |= {"speedup": rows.speedup}
    cell: dict[str, Any] = {
        name: [float(f"{value:.{DIGITS}g}") for value in column]
        for name, column in values.items()
    }
    return cell | {"layout": rows.layout.iloc[0]}
