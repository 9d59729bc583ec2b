"""Times of steps as tables, beside the operations that bound them."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import pandas as pd

from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.measures.costs import (
    backward_flops,
    backward_share,
    forward_flops,
    step_share,
)
from lazyrich_helpers.measures.times import StepTimes
from lazyrich_helpers.measures.timing import PHASES


def times_table(seconds: Mapping[str, Mapping[str, Sequence[float]]]) -> pd.DataFrame:
    """Return `timing.step_seconds` as a table: `plan`, `step`, `phase`, `seconds`."""
    rows = [
        {"plan": plan, "step": step, "phase": phase, "seconds": each}
        for plan, phases in seconds.items()
        for phase, own in phases.items()
        for step, each in enumerate(own)
    ]
    return pd.DataFrame(rows)


def relative(times: pd.DataFrame, phase: str) -> pd.DataFrame:
    """Return each plan's seconds over those of the plan `full`, paired step by step.

    From a `times_table`, of one of `PHASES` or of all, `total`. Columns: `plan`,
    `median`, `low`, `high` (the quartiles) of the steps' ratios.
    """
    quartiles = step_ratios(times, phase).quantile([0.5, 0.25, 0.75]).T
    quartiles.columns = ["median", "low", "high"]
    return quartiles.rename_axis("plan").reset_index()


def step_ratios(times: pd.DataFrame, phase: str, to: str = "full") -> pd.DataFrame:
    """Return what `relative` sums up: a row per step, a column per plan."""
    chosen = times if phase == "total" else times.loc[times.phase == phase]
    seconds = chosen.pivot_table("seconds", "step", "plan", aggfunc="sum", sort=False)
    return seconds.div(seconds[to], axis="index")


def recorded_times(record: Record) -> tuple[pd.DataFrame, dict[str, frozenset[int]]]:
    """Return a record's `times_table`, and its plans: name → layers."""
    plans = record.measures[StepTimes.name]["plans"]
    layers = {plan: frozenset(own["layers"]) for plan, own in plans.items()}
    seconds = {plan: own["seconds"] for plan, own in plans.items()}
    return times_table(seconds), layers


def anatomy(
    times: pd.DataFrame,
    plans: Mapping[str, Collection[int]],
    flops: Sequence[Sequence[int]],
    batch_size: int,
) -> pd.DataFrame:
    """Return where a step's time goes, one row per plan, beside its bounds.

    Columns: `plan`; the median milliseconds of `data`, `forward`, `backward`,
    `optimizer` and `total`; `ratio`, `low` and `high`, the median and quartiles of the
    backward pass over full training's; `bound`, the same ratio of operations;
    `speed`, the backward pass's billions of operations a second;
    `total_ratio`, and `total_bound`, of all operations.

    Args:
        times: From `times_table`; one of the plans is `full`.
        plans: Name → layers that are trained.
        flops: Of the network that was timed, from `models.flops.layer_flops`.
        batch_size: Images of a step.
    """
    table = _milliseconds(times).groupby("plan", sort=False).median()
    backward = relative(times, "backward").set_index("plan")
    table[["ratio", "low", "high"]] = backward[["median", "low", "high"]]
    bounds = pd.Series(
        {p: backward_share(flops, layers) for p, layers in plans.items()}
    )
    table["bound"] = bounds
    work = {p: backward_flops(flops, layers) for p, layers in plans.items()}
    work = batch_size * pd.Series(work) / 1e9
    table["speed"] = work / (table.backward / 1000)
    table["total_ratio"] = relative(times, "total").set_index("plan")["median"]
    table["total_bound"] = bounds.map(lambda share: step_share(flops, share))
    return table.reset_index()


def recorded_anatomy(record: Record) -> pd.DataFrame:
    """Return the `anatomy` of a record's steps."""
    batch_size = record.config.training.batch_size
    return anatomy(*recorded_times(record), recorded_flops(record), batch_size)


def _milliseconds(times: pd.DataFrame) -> pd.DataFrame:
    """Return one row per plan and step; a column for each of `PHASES`, and `total`."""
    steps = times.pivot_table("seconds", ["plan", "step"], "phase", sort=False)
    steps["total"] = steps.sum(axis="columns")
    return 1000 * steps.reindex(columns=[*PHASES, "total"])


def phase_quartiles(times: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    """Return the milliseconds of each phase with their spread, one row per plan.

    Columns have two levels: each of `PHASES` and `total`; and of each `median`, and
    `low` and `high`, the quartiles of its steps. The backward pass and the total also
    have their `bound`: full training's median times the plan's share of operations.
    From a `times_table` with a plan `full`, and its `anatomy`.
    """
    steps = _milliseconds(times).groupby("plan", sort=False)
    of_steps = {"median": 0.5, "low": 0.25, "high": 0.75}
    found = {name: steps.quantile(share) for name, share in of_steps.items()}
    table = pd.concat(found, axis="columns").swaplevel(axis="columns")
    bounds = parts.set_index("plan")
    for phase, bound in (("backward", "bound"), ("total", "total_bound")):
        full = table.loc["full", (phase, "median")]
        table[phase, "bound"] = full * bounds[bound]
    return table.reindex(columns=[*PHASES, "total"], level=0)  # phase by phase


def of_schedule(record: Record, values: Mapping[frozenset[int], float]) -> float:
    """Return the mean over a run's epochs of what each plan costs, by its layers.

    NaN where a plan's cost is not known, or plans change within an epoch.
    """
    plans = {frozenset(p["layers"]): p["num"] for p in record.costs["plans"]}
    if record.config.updates.per_step or not plans.keys() <= values.keys():
        return math.nan
    total = sum(num * values[layers] for layers, num in plans.items())
    return total / sum(plans.values())


def with_clock(
    table: pd.DataFrame, records: Iterable[Record], timed: Sequence[Record]
) -> pd.DataFrame:
    """Return an `tables.lws.lws_table` with what its steps took, by the clock.

    Further columns, all over full training's: `clock_backward` and `clock_total`, the
    time of the epochs that a run drew, nothing cached between them, NaN where steps
    were not timed; `total`, the FLOPs of whole steps, as `backward` has those of the
    backward pass. The table is of `records`; `timed` has one record with `StepTimes`,
    or none, of a network that may be wider.
    """
    records = list(records)
    found = {
        "total": {
            record.run_id: step_share(recorded_flops(record), record.costs["backward"])
            for record in records
        }
    }
    for phase in ("backward", "total"):
        values = _plan_ratios(timed[0], phase) if timed else {}
        own = {record.run_id: of_schedule(record, values) for record in records}
        found[f"clock_{phase}"] = own
    return table.assign(**{name: table.run_id.map(own) for name, own in found.items()})


def _plan_ratios(record: Record, phase: str) -> dict[frozenset[int], float]:
    """Return what recorded steps of each set of layers took, over full training's."""
    times, plans = recorded_times(record)
    ratios = relative(times, phase).set_index("plan")["median"].to_dict()
    return {layers: ratios[plan] for plan, layers in plans.items()}


def expected_costs(
    flops: Sequence[Sequence[int]], k: int, rhos: Sequence[float]
) -> pd.DataFrame:
    r"""Return what top k all bottoms costs on average, in FLOPs over full training's.

    One row per ρ. With $B$ the share of the backward pass that the top $k$ layers need,
    columns are `backward`, $\rho + (1 - \rho) B$; `step`, with the forward passes; and
    `cached`, where frozen layers' activations are computed once and kept: again only
    where an epoch of the top follows one of all, in $\rho (1 - \rho)$ of the epochs.
    """
    rho = pd.Series(rhos, pd.Index(rhos, name="rho"), dtype=float)
    forward, full = forward_flops(flops), backward_flops(flops, range(len(flops)))
    top = backward_flops(flops, range(len(flops))[-k:])
    upper, lower = forward_flops(flops[-k:]), forward_flops(flops[:-k])
    backward = rho * full + (1 - rho) * top
    again = (1 - rho) * (upper + top) + rho * (1 - rho) * lower
    costs = {
        "backward": backward / full,
        "step": (forward + backward) / (forward + full),
        "cached": rho + again / (forward + full),
    }
    return pd.DataFrame(costs)


def recorded_flops(record: Record) -> list[list[int]]:
    """Return each layer's FLOPs, as `models.flops.layer_flops` counted them."""
    return [layer["flops"] for layer in record.costs["layers"]]
