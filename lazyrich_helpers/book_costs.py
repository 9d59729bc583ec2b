"""What the whole book costs at the paper's scale, on GPUs that it has not seen."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes

from lazyrich_helpers.calibration import Rates
from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.costs import Cost, run_cost, train_cost, watch_cost
from lazyrich_helpers.gpus import Gpu
from lazyrich_helpers.planning import grouped
from lazyrich_helpers.recipes import Recipe

JOB = 3600.0
"""Seconds of a job in a queue."""


def costs_table(
    recipes: Sequence[Recipe], gpus: Sequence[Gpu], here: Rates
) -> pd.DataFrame:
    """Return one row per recipe, and one for all, in which each run counts once.

    Columns: `recipe`; `runs`; `operations` in units of 10^15; for each GPU its `least`
    hours, a bound from below; its `scaled` hours, as if it reached of its peaks what
    this machine does; and `jobs` of an hour each that the scaled hours fill.

    Args:
        recipes: At the budget in question.
        gpus: Which.
        here: This machine's.
    """
    everything: dict[str, dict[str, float]] = {}
    rows = []
    for recipe in recipes:
        found = _run_rows(recipe, gpus, here)
        rows.append({"recipe": recipe.name, **_summed(found.values(), gpus)})
        everything |= found
    rows.append({"recipe": "all, each run once", **_summed(everything.values(), gpus)})
    return pd.DataFrame(rows)


def _run_rows(
    recipe: Recipe, gpus: Sequence[Gpu], here: Rates
) -> dict[str, dict[str, float]]:
    """Return run → its operations, and its hours on each GPU."""
    found: dict[str, dict[str, float]] = {}
    for group in grouped(recipe.configs, "cuda"):
        for config in group:
            trained = train_cost(config)
            watched = watch_cost(config, recipe.measures, eval_every=recipe.eval_every)
            cost = trained.as_one(len(group)).times(1 / len(group)) + watched
            row = {"operations": (trained + watched).operations / 1e15}
            precision = config.training.precision
            for gpu in gpus:
                share = efficiency(cost, here)
                row[f"{gpu.name} least"] = gpu.seconds(cost, precision) / 3600
                scaled = gpu.seconds(cost, precision, efficiency=share)
                row[f"{gpu.name} scaled"] = scaled / 3600
            found[config.run_id] = row
    return found


def efficiency(cost: Cost, here: Rates) -> float:
    """Return the share of a roofline that this machine reaches in work of this kind.

    Products and convolutions reach different shares; their times add up.
    """
    shares = here.efficiency
    time = cost.linear / shares["linear"] + cost.conv / shares["conv"]
    return cost.operations / time if time else shares["linear"]


def _summed(
    found: Iterable[Mapping[str, float]], gpus: Sequence[Gpu]
) -> dict[str, float]:
    rows = list(found)
    total: dict[str, float] = {"runs": len(rows)}
    total["operations"] = sum(row["operations"] for row in rows)
    for gpu in gpus:
        for kind in ("least", "scaled"):
            total[f"{gpu.name} {kind}"] = sum(row[f"{gpu.name} {kind}"] for row in rows)
        seconds = [3600 * row[f"{gpu.name} scaled"] for row in rows]
        total[f"{gpu.name} jobs"] = num_jobs(seconds)
    return total


def num_jobs(seconds: Sequence[float], job: float = JOB) -> int:
    """Return how many jobs of `job` seconds hold the runs, taken in turn.

    A run goes into the job begun if it fits there, else into new ones of its own; one
    that is longer than a job goes on in the next, from where it was stopped.
    """
    jobs, left = 0, 0.0
    for each in seconds:
        if each > left:
            needed = -(-each // job)
            jobs, left = jobs + int(needed), needed * job
        left -= each
    return jobs


def growth_table(recipes: Mapping[str, Recipe], widths: Sequence[int]) -> pd.DataFrame:
    """Return one row per recipe and width: `network`, `width`, `operations` of a run.

    Args:
        recipes: Name of a network → a recipe, whose first run stands for all.
        widths: What its width is set to.
    """
    rows = []
    for name, recipe in recipes.items():
        for width in widths:
            config = _at_width(recipe.configs[0], width)
            cost = run_cost(config, recipe.measures, eval_every=recipe.eval_every)
            rows.append(
                {"network": name, "width": width, "operations": cost.operations}
            )
    return pd.DataFrame(rows)


def _at_width(config: RunConfig, width: int) -> RunConfig:
    model = dataclasses.replace(config.model, width=width)  # type: ignore[type-var]
    return dataclasses.replace(config, model=model)


def draw_growth(table: pd.DataFrame, ax: Axes) -> None:
    """Draw the operations of a run over width, a line per network, both axes log.

    Args:
        table: From `growth_table`.
        ax: Where to draw.
    """
    styles = ("o-", "s--", "^-.", "D:")
    for (name, part), style in zip(
        table.groupby("network", sort=False), styles, strict=False
    ):
        ax.plot(part.width, part.operations, style, markersize=4, label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("width")
    ax.set_ylabel("operations of a run")
    ax.legend(frameon=False)


def peaks_table(gpus: Sequence[Gpu]) -> pd.DataFrame:
    """Return one row per GPU: `fp32`, `TF32`, `bf16` and `bandwidth` in 10^12, memory.

    Where a GPU has no TF32 or bf16, what stands there is fp32's.
    """
    rows = [
        {
            "GPU": gpu.name,
            "fp32": gpu.single / 1e12,
            "TF32": gpu.tf32 / 1e12,
            "bf16": gpu.half / 1e12,
            "bandwidth": gpu.bandwidth / 1e12,
            "memory": gpu.memory / 1e9,
        }
        for gpu in gpus
    ]
    return pd.DataFrame(rows)
