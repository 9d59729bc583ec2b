"""One record per trained network: its numbers, and where they came from.

A record is keyed by its training config alone; measurements of the same network share
it.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lazyrich_helpers.data import datasets
from lazyrich_helpers.experiments.bounds import require_possible, require_record
from lazyrich_helpers.measures import costs
from lazyrich_helpers.models import initialization
from lazyrich_helpers.training import loop
from lazyrich_helpers.training.run_config import RunConfig

NUMERICS = {
    "data": datasets.NUMERICS_VERSION,
    "init": initialization.NUMERICS_VERSION,
    "train": loop.NUMERICS_VERSION,
}
"""What a record's numbers rest on; a record with another version is stale."""
KEYS = ("run_id", "config", "status", "curves", "measures", "times", "origin")


class RecordError(ValueError):
    """A record file cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Record:
    """A trained network's numbers and where they came from."""

    config: RunConfig
    status: str
    """`ok`, `diverged` (the loss stopped being finite) or `failed: why`."""
    curves: dict[str, list[Any]] = field(default_factory=dict)
    """`epoch`, `train_loss` (nats) and `num_correct`, by epoch; None: not evaluated."""
    measures: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Measurement name → `version` and its numbers."""
    times: dict[str, float] = field(default_factory=dict)
    """Seconds: `train` (all steps), `total` (with evaluation and measures)."""
    origin: dict[str, Any] = field(default_factory=dict)
    """Commit, digests, versions, device, threads, start: see `origin.origin_of`."""
    arrays: dict[str, np.ndarray] = field(default_factory=dict, compare=False)
    """`measure/name` → array, on the way to a store; `Store.read_arrays` reads them."""

    @property
    def run_id(self) -> str:
        """The config's."""
        return self.config.run_id

    @property
    def done(self) -> bool:
        """Whether training came to a result; divergence is one."""
        return self.status in ("ok", "diverged")

    @property
    def costs(self) -> dict[str, Any]:
        """What the run costs by its config alone, from `run_costs`."""
        return self.measures[costs.NAME]

    @property
    def stale(self) -> bool:
        """Whether the numerics of data, init or training have changed since."""
        return self.origin.get("numerics") != NUMERICS

    def has(self, name: str, version: int) -> bool:
        """Return whether the measurement is there, at that version."""
        return self.measures.get(name, {}).get("version") == version

    def columns(self) -> dict[str, Any]:
        """Return the flat columns: the config's, and what the record says of itself.

        That is `run_id`, `status`, `stale` and `arithmetic`: how numbers were
        multiplied, as `arithmetic.products_of` names it.
        """
        own = {"run_id": self.run_id, "status": self.status, "stale": self.stale}
        own["arithmetic"] = self.origin.get("arithmetic", "not known")
        return own | self.config.columns()

    def to_json(self) -> str:
        """Return the record as JSON text, one line per key; NaN becomes null."""
        values = [self.run_id, self.config.to_dict(), self.status, self.curves]
        values += [self.measures, self.times, self.origin]
        texts = (json.dumps(value) for value in values)
        finite = (json.loads(text, parse_constant=lambda name: None) for text in texts)
        pairs = zip(KEYS, finite, strict=True)
        lines = (f' "{key}": {json.dumps(value)}' for key, value in pairs)
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> "Record":
        """Read `to_json`'s text.

        Raises:
            ValueError: If it is not a record, its id is not its config's, or a number
                in it cannot be.
        """
        values = json.loads(text)
        require_record(values, KEYS)
        config = RunConfig.from_dict(values["config"])
        if values["run_id"] != config.run_id:
            raise ValueError(
                f"run_id {values['run_id']!r} is not its config's, {config.run_id!r}"
            )
        require_possible(values)
        record = cls(config, values["status"], *(values[key] for key in KEYS[3:]))
        if record.done and not record.has(costs.NAME, costs.VERSION):
            # From before they were recorded so; they follow from the config alone.
            record.measures[costs.NAME] = costs.run_costs(config)
        return record
