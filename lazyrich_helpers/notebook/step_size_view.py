"""The step-size explorer: loss curves at a step size, and how often they rise."""

from collections.abc import Mapping

import pandas as pd
from IPython.display import HTML

from lazyrich_helpers.analysis.figures.style import on_grounds, shade
from lazyrich_helpers.notebook.widgets import Explorer, choice, slider


def step_size_slider(
    curves: pd.DataFrame,
    table: pd.DataFrame,
    regimes: Mapping[int, Mapping[float, str]],
    *,
    start: float = 0.1,
) -> Explorer | HTML:
    """Return a slider over step sizes, with buttons for the batch size.

    Args:
        curves: With `batch_sizes`, lr, seed, epoch and loss.
        table: A row per batch size, lr and seed: rises, plateau, test_accuracy.
        regimes: Batch size → step size → the word for it.
        start: The step size that is shown first, or the one next to it.
    """
    if curves.empty:
        return HTML("Not computed yet.")
    batches = sorted(int(size) for size in curves.batch_sizes.unique())
    lrs = sorted(float(lr) for lr in curves.lr.unique())
    cells = {
        f"{i},{j}": _cell(
            _at(curves, batch, lr),
            _at(table, batch, lr),
            f"η = {lr:.3g}, batches of {batch:,}",
            regimes[batch][lr],
        )
        for i, batch in enumerate(batches)
        for j, lr in enumerate(lrs)
    }
    controls = [
        slider("stop", "step size η", [f"{lr:.3g}" for lr in lrs]),
        choice("batch", "batch size", [f"{batch:,}" for batch in batches]),
    ]
    seeds = sorted(curves.seed.unique())
    data = {
        "cells": cells,
        "lrs": lrs,
        "colors": [on_grounds(shade(i, len(seeds))) for i in range(len(seeds))],
    }
    first = min(range(len(lrs)), key=lambda i: abs(lrs[i] - start))
    place = {"stop": first, "batch": len(batches) // 2}
    return Explorer("step_sizes", controls, data, place)


def _at(rows: pd.DataFrame, batch: int, lr: float) -> pd.DataFrame:
    return pd.DataFrame(rows[(rows.batch_sizes == batch) & (rows.lr == lr)])


def _cell(
    curves: pd.DataFrame, table: pd.DataFrame, name: str, regime: str
) -> dict[str, object]:
    """Return the losses of each seed by epoch, the share of rises, and words."""
    wide = curves.pivot_table("loss", "epoch", "seed", dropna=False)
    losses = [
        [None if pd.isna(loss) else float(f"{loss:.3g}") for loss in wide[seed]]
        for seed in wide
    ]
    rises, plateau = table.rises.mean(), table.plateau.mean()
    kind = {
        "fails": "networks fail",
        "between": "between the two regimes",
    }.get(regime, f"the {regime}-step regime")
    words = (
        f"{name}: the training loss rises in {100 * rises:.0f} % of the epochs, "
        f"{kind}; it ends at {plateau:.2g}, the test accuracy at "
        f"{100 * table.test_accuracy.mean():.1f} % (n = {len(table)})."
    )
    return {"losses": losses, "rises": round(float(rises), 4), "words": words}
