"""How far a run is, in one word: the same for a listing, a batch, Slurm and a page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lazyrich_helpers.experiments.record import Record, RecordError
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.training.run_config import RunConfig, label

STATES = ("recorded", "stale", "diverged", "failed", "partial", "missing", "running")
"""`recorded`: trained and measured; `stale`: so, but by older code; `diverged`: its
loss stopped being finite, which is a result; `failed`: with an error, or its record
cannot be read; `partial`: a measure lacks; `missing`: there is no record; `running`:
one of the last three, and a process has it in hand now."""
COMPLETE = ("recorded", "diverged")
"""States of runs that leave nothing to do."""
SHOWN = (*COMPLETE, "stale")
"""States of runs that have all that tables and figures show."""


@dataclass(frozen=True)
class RunState:
    """How far one run of a recipe is."""

    config: RunConfig
    word: str
    """One of `STATES`."""
    record: Record | None = None
    why: str = ""
    """What failed, in a sentence."""

    def __str__(self) -> str:
        why = f": {self.why}" if self.why else ""
        return f"{self.config.run_id} {label(self.config)}{why}"


def state(
    config: RunConfig, measures: Iterable[type[Measure]], store: Store
) -> RunState:
    """Return how far a run is towards being trained and having these measures."""
    try:
        record = store.read(config.run_id)
    except RecordError as error:
        return RunState(config, "failed", why=str(error))
    word = "missing" if record is None else _word(record, list(measures), store)
    if word in ("missing", "failed", "partial") and store.is_claimed(config.run_id):
        word = "running"
    why = record.status.partition(": ")[2] if record and word == "failed" else ""
    return RunState(config, word, record, why)


def _word(record: Record, measures: Sequence[type[Measure]], store: Store) -> str:
    if not record.done:
        return "failed"
    diverged = record.status == "diverged"
    if not diverged and any(m.name not in record.measures for m in measures):
        return "partial"
    if record.stale:
        return "stale"
    if diverged:  # there is nothing to measure
        return "diverged"
    if any(not record.has(m.name, m.version) for m in measures):
        return "stale"
    return "partial" if lacking(record, measures, store) else "recorded"


def lacking(
    record: Record, measures: Iterable[type[Measure]], store: Store
) -> list[type[Measure]]:
    """Return the measures that are not there at their version, with their arrays."""
    return [
        measure
        for measure in measures
        if not record.has(measure.name, measure.version)
        or (measure.has_arrays and not store.has_arrays(record.run_id, measure.name))
    ]
