"""What a batch costs before it runs: a row for each run, and totals.

Nothing of the runs is trained and no data is read. Seconds on this machine come from
its `Rates`; seconds on named GPUs are their roofline, a bound from below, with a stated
time for each kernel's start. `planning.estimate_seconds` instead tries ten steps of
each setting: that is nearer the truth, and decides what still fits a time budget; but
for a hundred settings it takes minutes, where this takes seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lazyrich_helpers.backlog import missing
from lazyrich_helpers.calibration import Rates, rates
from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.costs import Cost, train_cost, watch_cost
from lazyrich_helpers.gpus import GPUS, Gpu
from lazyrich_helpers.measures import Measure
from lazyrich_helpers.memory import peak_bytes, room
from lazyrich_helpers.planning import grouped
from lazyrich_helpers.progress import duration, label
from lazyrich_helpers.recipes import Recipe
from lazyrich_helpers.records import Store

GIGA = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one run costs; where it is trained with others, its share."""

    run_id: str
    label: str
    precision: str
    cost: Cost
    memory: float
    """Bytes at its fullest here, with the runs it is trained with."""
    seconds: float
    """Expected on this machine."""
    on_gpu: dict[str, float]
    """GPU → seconds, a bound from below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What the runs that are to do cost."""

    rows: tuple[Row, ...]
    """First those that others start from, then in the recipe's order."""
    machine: str
    """This machine, in words."""
    room: float
    """Bytes of memory on this machine's device."""

    @property
    def cost(self) -> Cost:
        """Of all runs."""
        return sum((row.cost for row in self.rows), Cost())

    @property
    def seconds(self) -> float:
        """Of all runs on this machine, one after the other."""
        return sum(row.seconds for row in self.rows)

    def on_gpu(self, name: str) -> float:
        """Return the seconds of all runs on the GPU of that name, at least."""
        return sum(row.on_gpu[name] for row in self.rows)

    @property
    def warnings(self) -> list[str]:
        """A sentence for each run whose memory does not fit this machine's device."""
        return [
            f"{row.run_id} {row.label} takes about {row.memory / GIGA:.1f} GB and "
            f"{self.room / GIGA:.1f} GB are there; choose smaller widths, or a device "
            "with more memory."
            for row in self.rows
            if row.memory > self.room
        ]


def forecast(recipe: Recipe, store: Store, device: str) -> Forecast:
    """Return what the runs cost that `store` lacks of `recipe`.

    A run of which only a measure is missing counts as one to train.
    """
    todo = missing(recipe, store)
    precisions = {config.training.precision for config in todo}
    here = {p: rates(device, p, store.weights.parent) for p in sorted(precisions)}
    every = recipe.eval_every
    rows = forecast_rows(todo, recipe.measures, every, here, device)
    names = sorted({rate.machine for rate in here.values()})
    return Forecast(rows=tuple(rows), machine="; ".join(names), room=room(device))


def forecast_rows(
    configs: Sequence[RunConfig],
    measures: Sequence[type[Measure]],
    eval_every: int,
    here: dict[str, Rates],
    device: str,
) -> list[Row]:
    """Return a row for each run, in their order.

    Args:
        configs: Runs.
        measures: Taken of each.
        eval_every: Epochs between two looks at the test images.
        here: Precision → rates of this machine.
        device: Of this machine.
    """
    ours = _group_sizes(configs, device)
    gpus = _group_sizes(configs, "cuda")
    rows = []
    for config in configs:
        trained = train_cost(config)
        watched = watch_cost(config, measures, eval_every=eval_every)
        num, num_gpu = ours[config], gpus[config]
        precision = config.training.precision
        # Of runs trained as one, each has its share of the kernels.
        shared = trained.as_one(num).times(1 / num) + watched
        shared_gpu = trained.as_one(num_gpu).times(1 / num_gpu) + watched
        rows.append(
            Row(
                run_id=config.run_id,
                label=label(config),
                precision=precision,
                cost=trained + watched,
                memory=peak_bytes(config, measures, num=num),
                seconds=here[precision].seconds(shared),
                on_gpu={gpu.name: gpu.seconds(shared_gpu, precision) for gpu in GPUS},
            )
        )
    return rows


def _group_sizes(configs: Sequence[RunConfig], device: str) -> dict[RunConfig, int]:
    """Return how many runs each one is trained with on `device`, itself included."""
    groups = grouped(configs, device)
    return {config: len(group) for group in groups for config in group}


def forecast_lines(found: Forecast, gpus: Sequence[Gpu] = GPUS) -> list[str]:
    """Return a forecast as lines for a terminal: one for each run, then totals."""
    lines = [
        f"  {row.run_id} {row.label}: {in_operations(row.cost.operations)}, "
        f"{row.memory / GIGA:.2g} GB, about {duration(row.seconds)}"
        for row in found.rows
    ]
    if not found.rows:
        return ["  nothing to do."]
    total = in_operations(found.cost.operations)
    here = f"about {duration(found.seconds)} on {found.machine}"
    lines += [
        f"All: {total}; {here}, as busy as when measured, to a factor of two or so.",
        "At least, by the peaks of their data sheets: "
        + ", ".join(f"{gpu.name} {duration(found.on_gpu(gpu.name))}" for gpu in gpus)
        + ".",
    ]
    return lines + [f"Warning: {sentence}" for sentence in found.warnings]


def in_operations(number: float) -> str:
    """Return a number of operations for people: 12 G, 3.4 T, 5.6 P."""
    for name, unit in (("P", 1e15), ("T", 1e12)):
        if number >= unit:
            return f"{number / unit:.3g} {name} operations"
    return f"{number / 1e9:.3g} G operations"
