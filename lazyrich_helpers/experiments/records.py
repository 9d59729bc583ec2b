"""One record per trained network: written at once or not at all.

A record is keyed by its training config alone; measurements of the same network share
it. Records are one JSON file each, `<run_id>.json`, with the measurements' arrays
beside it in `<run_id>.npz`; weights lie in a store that git ignores.
"""

import contextlib
import dataclasses
import io
import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from lazyrich_helpers.data import datasets
from lazyrich_helpers.experiments.bounds import require_possible
from lazyrich_helpers.experiments.locks import Claim, claim
from lazyrich_helpers.experiments.tensor_files import read_tensors, write_tensors
from lazyrich_helpers.experiments.whole_files import write_whole
from lazyrich_helpers.models import initialization
from lazyrich_helpers.places import ROOT, chosen
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
    """Commit, digests, versions, device, threads, start: see `origin.describe`."""
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
        lines = (
            f' "{key}": {json.dumps(_finite(value), allow_nan=False)}'
            for key, value in zip(KEYS, values, strict=True)
        )
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> "Record":
        """Read `to_json`'s text.

        Raises:
            ValueError: If it is not a record, its id is not its config's, or a number
                in it cannot be.
        """
        values = json.loads(text)
        if not isinstance(values, dict) or set(values) != set(KEYS):
            raise ValueError(f"a record has the keys {', '.join(KEYS)}")
        for key in KEYS[3:]:
            if not isinstance(values[key], dict):
                raise ValueError(f"{key} must be an object, got {values[key]!r}")
        if not isinstance(values["status"], str):
            raise ValueError(f"status must be text, got {values['status']!r}")
        for name, measured in values["measures"].items():
            if not isinstance(measured, dict):
                raise ValueError(f"measure {name} must be an object, got {measured!r}")
        config = RunConfig.from_dict(values["config"])
        if values["run_id"] != config.run_id:
            raise ValueError(
                f"run_id {values['run_id']!r} is not its config's, {config.run_id!r}"
            )
        require_possible(values)
        return cls(config, values["status"], *(values[key] for key in KEYS[3:]))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return value


class Store:
    """A folder of records, shared by any number of processes, and its weights."""

    def __init__(self, folder: Path, weights: Path) -> None:
        self.folder = folder
        self.weights = weights
        self.checkpoints = weights.with_name("checkpoints")

    def read(self, run_id: str) -> Record | None:
        """Return the record, or None where there is none.

        Raises:
            RecordError: If its file is not a record.
        """
        path = self.folder / f"{run_id}.json"
        try:
            record = Record.from_json(path.read_text(encoding="utf-8"))
            if record.run_id != run_id:
                raise ValueError(f"it is of run {record.run_id!r}")
            return record
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RecordError(
                f"{path} could not be read ({error}); see whether its disk is there, "
                "then run again."
            ) from error
        except (ValueError, TypeError) as error:
            raise RecordError(
                f"{path} is not a readable record ({error}); delete it or restore it "
                "from version control, then run again."
            ) from error

    def write(self, record: Record) -> None:
        """Put the record there, whole; keep what was measured on the same network.

        Its arrays come first: until the record is there, they are another network's.
        """
        with self.lock(f"{record.run_id}.write"):
            with contextlib.suppress(RecordError):  # an unreadable one is replaced
                there = self.read(record.run_id)
                if (
                    there is not None
                    and not there.stale
                    and _same_network(there, record)
                ):
                    measures = there.measures | record.measures
                    record = dataclasses.replace(record, measures=measures)
                    arrays = self._merged_arrays(record)
                    record = dataclasses.replace(record, arrays=arrays)
            self._write_arrays(record)
            write_whole(
                self.folder / f"{record.run_id}.json", record.to_json().encode()
            )

    def _merged_arrays(self, record: Record) -> dict[str, np.ndarray]:
        there = self.read_arrays(record.run_id)
        renewed = {name.split("/")[0] for name in record.arrays}
        kept = {n: there[n] for n in there if n.split("/")[0] not in renewed}
        return kept | record.arrays

    def _write_arrays(self, record: Record) -> None:
        path = self.folder / f"{record.run_id}.npz"
        if not record.arrays:
            path.unlink(missing_ok=True)
            return
        # Sorted: equal arrays, equal bytes.
        arrays: dict[str, Any] = dict(sorted(record.arrays.items()))
        arrays["weights"] = np.array(record.origin["weights"])
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        write_whole(path, content.getvalue())

    def read_arrays(self, run_id: str) -> dict[str, np.ndarray]:
        """Return the record's arrays by name, `measure/name`; empty where it has none.

        Arrays of another network, left by an earlier training, are not its.

        Raises:
            RecordError: If the record or its file of arrays cannot be read.
        """
        record = self.read(run_id)
        path = self.folder / f"{run_id}.npz"
        try:
            file = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
            arrays = {name: file[name] for name in file.files}
        except FileNotFoundError:
            return {}
        except Exception as error:  # numpy and zipfile raise many kinds
            raise RecordError(
                f"{path} is not a readable file of arrays ({type(error).__name__}); "
                "restore it from version control, or run again to measure them anew."
            ) from error
        weights = arrays.pop("weights", None)
        own = record is not None and weights == record.origin.get("weights")
        return arrays if own else {}

    def has_arrays(self, run_id: str, measure: str) -> bool:
        """Return whether arrays of the measurement are there and can be read."""
        try:
            arrays = self.read_arrays(run_id)
        except RecordError:
            return False
        return any(name.startswith(f"{measure}/") for name in arrays)

    def require_writable(self) -> None:
        """Find out, before any work, whether records can be put here.

        Raises:
            ValueError: If they cannot.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder) as file:
                file.write(b"a record is longer")
        except OSError as error:
            raise ValueError(
                f"records must be a folder with space that you may write to; got "
                f"{str(self.folder)!r} ({error.strerror})."
            ) from error

    def ids(self) -> list[str]:
        """Return the ids of all records here, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def lock(
        self,
        name: str,
        *,
        seconds: float = math.inf,
        give_up: Callable[[], bool] = lambda: False,
    ) -> contextlib.AbstractContextManager[Claim | None]:
        """Hold a lock that dies with this process; as `locks.claim`."""
        path = self.folder / ".locks" / name
        return claim(path, seconds=seconds, give_up=give_up)

    def write_weights(self, run_id: str, initial: Tensor, final: Tensor) -> None:
        """Keep the parameters before and after training, for later measurements."""
        state = {"initial": initial.cpu(), "final": final.cpu()}
        write_tensors(self.weights / f"{run_id}.pt", state)

    def read_weights(self, run_id: str) -> tuple[Tensor, Tensor] | None:
        """Return parameters before and after training, or None where not kept.

        Raises:
            RecordError: If the file cannot be read.
        """
        path = self.weights / f"{run_id}.pt"
        try:
            state = read_tensors(path)
            return state["initial"], state["final"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(
                f"{path} is not a readable weights file ({error}); delete it, then run "
                "again."
            ) from error


def _same_network(there: Record, record: Record) -> bool:
    weights = there.origin.get("weights")
    same = weights is not None and weights == record.origin.get("weights")
    return same and not there.stale


def recorded_store() -> Store:
    """Return the committed records, `book/records` unless `LAZYRICH_RECORDS` is set."""
    folder = chosen("LAZYRICH_RECORDS", ROOT / "book" / "records")
    return Store(folder, _scratch() / "weights")


def computed_store() -> Store:
    """Return the reader's own records, `.lazyrich` unless `LAZYRICH_STORE` is set."""
    return Store(_scratch() / "records", _scratch() / "weights")


def _scratch() -> Path:
    return chosen("LAZYRICH_STORE", ROOT / ".lazyrich")
