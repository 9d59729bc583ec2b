"""Times of steps as tables, beside the operations that bound them."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import pandas as pd

from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.measures.flops import backward_flops, backward_share, step_share
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


def relative(times: pd.DataFrame, phase: str, to: str = "full") -> pd.DataFrame:
    """Return each plan's seconds over those of the plan `to`, paired step by step.

    Columns: `plan`, `median`, `low`, `high` (the quartiles) of the steps' ratios.

    Args:
        times: From `times_table`.
        phase: One of `PHASES`, or `total` for all together.
        to: A plan of `times`.
    """
    quartiles = step_ratios(times, phase, to).quantile([0.5, 0.25, 0.75]).T
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

    Args:
        times: From `times_table`; one of the plans is `full`.
        parts: Its `anatomy`.
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


def within_bound(table: pd.DataFrame) -> pd.Series:
    """Return, for each row of `anatomy`, whether time follows the operations.

    That is: to a tenth of the bound, or to 0.03 of full training's backward pass.
    """
    return (table.ratio <= 1.1 * table.bound) | (table.ratio <= table.bound + 0.03)


def of_schedule(record: Record, values: Mapping[frozenset[int], float]) -> float | None:
    """Return the mean over a run's epochs of what each plan costs.

    Args:
        record: Of the run.
        values: Layers that are trained → cost.

    Returns:
        None where a plan's cost is not known, or plans change within an epoch.
    """
    if record.config.updates.per_step:
        return None
    plans = {frozenset(p["layers"]): p["num"] for p in record.costs["plans"]}
    if any(layers not in values for layers in plans):
        return None
    total = sum(num * values[layers] for layers, num in plans.items())
    return total / sum(plans.values())


def clock_ratios(
    records: Iterable[Record], timed: Sequence[Record], phase: str
) -> dict[str, float]:
    """Return each run's time over full training's, from recorded steps.

    The epochs are those the run drew, and nothing is kept between them; the network
    that was timed may be wider.

    Args:
        records: Runs.
        timed: One record with `StepTimes`, or none.
        phase: One of `PHASES`, or `total` for whole steps.

    Returns:
        Run → ratio; runs with a plan that was not timed are left out.
    """
    if not timed:
        return {}
    times, plans = recorded_times(timed[0])
    ratios = relative(times, phase).set_index("plan")["median"].to_dict()
    values = {layers: ratios[plan] for plan, layers in plans.items()}
    found = {record.run_id: of_schedule(record, values) for record in records}
    return {run: value for run, value in found.items() if value is not None}


def with_clock(
    table: pd.DataFrame, records: Iterable[Record], timed: Sequence[Record]
) -> pd.DataFrame:
    """Return an `lws_tables.lws_table` with what its steps took, by the clock.

    Further columns, all over full training's: `clock_backward` and `clock_total`, from
    `clock_ratios`, NaN where steps were not timed; `total`, the operations of whole
    steps, as `backward` has those of the backward pass.

    Args:
        table: Of `records`, not empty.
        records: Runs.
        timed: As in `clock_ratios`.
    """
    records = list(records)
    found = {
        f"clock_{phase}": clock_ratios(records, timed, phase)
        for phase in ("backward", "total")
    }
    found["total"] = {
        record.run_id: step_share(recorded_flops(record), record.costs["backward"])
        for record in records
    }
    return table.assign(**{name: table.run_id.map(own) for name, own in found.items()})


def recorded_flops(record: Record) -> list[list[int]]:
    """Return each layer's operations, as `models.flops.layer_flops` counted them."""
    return [layer["flops"] for layer in record.costs["layers"]]
