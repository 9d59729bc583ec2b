"""Records in a folder: each written at once or not at all.

Records are one JSON file each, `<run_id>.json`, with the measurements' arrays beside it
in `<run_id>.npz`; weights lie in a store that git ignores.
"""

import contextlib
import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from lazyrich_helpers.experiments.files import (
    read_arrays,
    read_tensors,
    write_arrays,
    write_tensors,
    write_whole,
)
from lazyrich_helpers.experiments.locks import LEASE, Held, claim
from lazyrich_helpers.experiments.record import Record, RecordError
from lazyrich_helpers.places import ROOT, chosen


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
        run_id = record.run_id
        with self.lock(f"{run_id}.write"):
            with contextlib.suppress(RecordError):  # an unreadable one is replaced
                there = self.read(run_id)
                if there is not None and _same_network(there, record):
                    measures = there.measures | record.measures
                    record = dataclasses.replace(record, measures=measures)
                    arrays = _joined(self.read_arrays(run_id), record.arrays)
                    record = dataclasses.replace(record, arrays=arrays)
            network = record.origin.get("weights", "")
            write_arrays(self.folder / f"{run_id}.npz", record.arrays, network)
            write_whole(self.folder / f"{run_id}.json", record.to_json().encode())

    def read_arrays(self, run_id: str) -> dict[str, np.ndarray]:
        """Return the record's arrays by name, `measure/name`; empty where it has none.

        Arrays of another network, left by an earlier training, are not its.

        Raises:
            RecordError: If the record or its file of arrays cannot be read.
        """
        record = self.read(run_id)
        network = None if record is None else record.origin.get("weights")
        try:
            return read_arrays(self.folder / f"{run_id}.npz", network)
        except ValueError as error:
            raise RecordError(str(error)) from error

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
        self, name: str, **options: Any
    ) -> contextlib.AbstractContextManager[Held | None]:
        """Hold a lock that dies with this process; `options` as in `locks.claim`."""
        return claim(self.folder / ".locks" / name, **options)

    def is_claimed(self, name: str) -> bool:
        """Return whether a process holds the lock `name` now.

        Of another machine's it is told by how long ago it was touched.
        """
        try:
            touched = (self.folder / ".locks" / f"{name}.claim").stat().st_mtime
        except OSError:  # there is none, nor is one made
            return False
        if time.time() - touched > 2 * LEASE:
            return False
        with contextlib.suppress(OSError), self.lock(name, seconds=0.0) as got:
            return not got
        return False

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


def _joined(
    there: dict[str, np.ndarray], new: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return new arrays with those there of other measures."""
    renewed = {name.split("/")[0] for name in new}
    kept = {name: a for name, a in there.items() if name.split("/")[0] not in renewed}
    return kept | new


def recorded_store() -> Store:
    """Return the committed records, `book/records` unless `LAZYRICH_RECORDS` is set."""
    folder = chosen("LAZYRICH_RECORDS", ROOT / "book" / "records")
    return Store(folder, _scratch() / "weights")


def computed_store() -> Store:
    """Return the reader's own records, `.lazyrich` unless `LAZYRICH_STORE` is set."""
    return Store(_scratch() / "records", _scratch() / "weights")


def _scratch() -> Path:
    return chosen("LAZYRICH_STORE", ROOT / ".lazyrich")
