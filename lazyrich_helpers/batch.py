"""A batch of runs: train what is missing, measure it, keep each record as it ends."""

import dataclasses
import math
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from lazyrich_helpers import origin
from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.initialization import flat_parameters
from lazyrich_helpers.measures import Measure
from lazyrich_helpers.planning import estimate_seconds, suitable_threads, work
from lazyrich_helpers.progress import Progress, label
from lazyrich_helpers.recipes import Recipe, is_complete
from lazyrich_helpers.records import Record, Store, computed_store, recorded_store
from lazyrich_helpers.reinit import bind_
from lazyrich_helpers.train import Run, Trained, new_network, train


@dataclass
class Summary:
    """How a batch ended. Counts of runs, and what went wrong."""

    num_trained: int = 0
    num_there: int = 0
    """Complete before it was their turn."""
    num_diverged: int = 0
    postponed: list[RunConfig] = field(default_factory=list)
    """Not started: they would not have fitted the time budget."""
    failed: dict[str, str] = field(default_factory=dict)
    """Run → why."""

    def __str__(self) -> str:
        parts = [f"{self.num_trained} done now", f"{self.num_there} done before"]
        if self.num_diverged:
            parts.append(f"{self.num_diverged} diverged")
        if self.postponed:
            parts.append(f"{len(self.postponed)} left for lack of time")
        if self.failed:
            parts.append(f"{len(self.failed)} FAILED")
        lines = [", ".join(parts) + "."]
        return "\n  ".join(
            lines + [f"{run}: {why}" for run, why in self.failed.items()]
        )


def complete(
    recipe: Recipe,
    store: Store,
    *,
    device: str,
    progress: Progress,
    seconds: float = math.inf,
) -> Summary:
    """Train and measure what `store` lacks of `recipe`; each run is kept as it ends.

    A run that fails is reported and the others go on. A run that is being trained by
    another process is left to it. No run is started that is not expected to end within
    `seconds` from now.
    """
    start = time.monotonic()
    summary = Summary()
    todo = missing(recipe, store)
    summary.num_there = len(recipe.configs) - len(todo)
    for part in {config.data for config in todo}:
        part.load(device)  # missing data stops the batch, before any work
    progress.begin(len(todo), sum(work(config) for config in todo))
    try:
        for config in _locked(todo, store):
            left = seconds - (time.monotonic() - start)
            if _is_there(config, recipe, store):  # another process was faster
                summary.num_there += 1
            else:
                _complete_one(config, recipe, store, device, progress, summary, left)
    finally:
        progress.end()
    return summary


def expected_seconds(config: RunConfig, recipe: Recipe, device: str) -> float:
    """Return how long a run of `recipe` takes on `device`, from a short trial."""
    return estimate_seconds(
        config, recipe.measures, device, eval_every=recipe.eval_every
    )


def missing(recipe: Recipe, store: Store) -> list[RunConfig]:
    """Return the runs of `recipe` that `store` lacks, or holds only in part."""
    return [c for c in recipe.configs if not _is_there(c, recipe, store)]


def _is_there(config: RunConfig, recipe: Recipe, store: Store) -> bool:
    try:
        return is_complete(store.read(config.run_id), recipe.measures)
    except ValueError:  # unreadable: reported when it is its turn
        return False


def _locked(configs: Sequence[RunConfig], store: Store) -> Iterator[RunConfig]:
    """Yield each config while holding its lock; those held elsewhere come last."""
    queue = deque(configs)
    busy = 0
    while queue:
        config = queue.popleft()
        with store.lock(config.run_id, wait=busy >= len(queue) + 1) as got:
            if got:
                busy = 0
                yield config
            else:
                busy += 1
                queue.append(config)


def _complete_one(
    config: RunConfig,
    recipe: Recipe,
    store: Store,
    device: str,
    progress: Progress,
    summary: Summary,
    left: float,
) -> None:
    before = None
    try:
        before = store.read(config.run_id)
        unlimited = math.isinf(left)  # then the trial would be a waste
        if not unlimited and expected_seconds(config, recipe, device) > left:
            summary.postponed.append(config)
            return
        with suitable_threads(config):
            record = _measured_again(before, recipe, store, device)
            if record is None:
                record = execute(config, recipe, store, device, progress)
        store.write(record)
    except Exception as error:  # one run's failure must not end the batch
        why = " ".join(f"{type(error).__name__}: {error}".split())
        summary.failed[label(config)] = why
        record = Record(config, status=f"failed: {why}")
        if before is None and not isinstance(error, OSError | ValueError):
            store.write(record)
    else:
        summary.num_trained += 1
        summary.num_diverged += record.status == "diverged"
    progress.finish(record)


def execute(
    config: RunConfig,
    recipe: Recipe,
    store: Store,
    device: str,
    progress: Progress,
) -> Record:
    """Train one network, measure it, keep its weights, and return its record."""
    began = time.perf_counter()
    data = config.data.load(device)
    where = origin.describe(data)
    network = new_network(config, data)
    initial = flat_parameters(network)
    run = Run(config, data, network, initial)
    measures = [measure() for measure in recipe.measures]
    for measure in measures:
        measure.start(run)
    epochs = []
    for epoch in train(network, data, config, eval_every=recipe.eval_every):
        epochs.append(epoch)
        for measure in measures:
            measure.after_epoch(run, epoch)
        progress.advance(
            config, epoch.number, work(config) / config.training.num_epochs
        )
    trained = Trained(config, data, network, initial, flat_parameters(network))
    finite = math.isfinite(epochs[-1].train_loss) and trained.final.isfinite().all()
    status = "ok" if finite else "diverged"
    measured: dict[str, dict[str, Any]] = {}
    arrays: dict[str, np.ndarray] = {}
    if status == "ok":
        where["weights"] = origin.vector_digest(trained.final)
        measured = {m.name: _result(m, trained) for m in measures}
        arrays = _arrays(measures, trained)
        _keep_weights(trained, store)
    curves = {
        "epoch": [epoch.number for epoch in epochs],
        "train_loss": [float(f"{epoch.train_loss:.6g}") for epoch in epochs],
        "num_correct": [epoch.num_correct for epoch in epochs],
    }
    times = {
        "train": round(sum(epoch.seconds for epoch in epochs), 3),
        "total": round(time.perf_counter() - began, 3),
    }
    return Record(config, status, curves, measured, times, where, arrays)


def _keep_weights(trained: Trained, store: Store) -> None:
    try:
        store.write_weights(trained.config.run_id, trained.initial, trained.final)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as the latter
        # They only spare a later measurement the training: the record matters more.
        warnings.warn(
            f"weights of {label(trained.config)} were not kept ({error}); free some "
            f"space under {store.weights}.",
            stacklevel=2,
        )


def _result(measure: Measure, trained: Trained) -> dict[str, Any]:
    return {"version": measure.version} | measure.result(trained)


def _arrays(measures: Sequence[Measure], trained: Trained) -> dict[str, np.ndarray]:
    """Return all arrays of these measures, each named `measure/array`."""
    return {
        f"{measure.name}/{name}": array
        for measure in measures
        for name, array in measure.arrays(trained).items()
    }


def _measured_again(
    record: Record | None, recipe: Recipe, store: Store, device: str
) -> Record | None:
    """Return a trained run's record with what was missing, from its kept weights.

    None where it must be trained: not done, stale, weights gone or another's, or a
    measurement that has to watch the epochs.
    """
    if record is None or record.status != "ok" or record.stale:
        return None
    lacking = [m for m in recipe.measures if not record.has(m.name, m.version)]
    if any(measure.watches for measure in lacking):
        return None
    trained = load_trained(record, store, device)
    if trained is None:
        return None
    measures = [measure() for measure in lacking]
    added = {m.name: _result(m, trained) for m in measures}
    return dataclasses.replace(
        record, measures=record.measures | added, arrays=_arrays(measures, trained)
    )


def load_trained(record: Record, store: Store, device: str) -> Trained | None:
    """Return the network of a record from its kept weights; None where there are none.

    Weights left by another training of this config (elsewhere, earlier) are not its,
    and with batch norm the weights alone are not the network.
    """
    weights = store.read_weights(record.run_id)
    if weights is None:
        return None
    if origin.vector_digest(weights[1]) != record.origin.get("weights"):
        return None
    data = record.config.data.load(device)
    network = new_network(record.config, data)
    if any(True for _ in network.buffers()):  # batch norm's statistics are not kept
        return None
    initial, final = (vector.to(device) for vector in weights)
    bind_(network, final.clone())
    return Trained(record.config, data, network, initial, final)


def store_for(budget: str) -> Store:
    """Return where runs of `budget` are kept: `paper` in the book, others aside."""
    return recorded_store() if budget == "paper" else computed_store()


def pick_device(name: str) -> str:
    """Return the device `name` stands for; `auto` is the GPU where there is one.

    Raises:
        ValueError: If there is no such device here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device must be auto, cpu, or a GPU that is here, such as cuda; got "
            f"{name!r}."
        ) from error
    return str(device)
