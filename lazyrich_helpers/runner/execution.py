"""Executing runs: networks are trained, measured and recorded; several as one."""

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lazyrich_helpers.experiments import origin
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Record, Store
from lazyrich_helpers.experiments.tensor_files import PASSING
from lazyrich_helpers.measures import run_costs
from lazyrich_helpers.measures.costs import work
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.runner.checkpoints import Checkpoint
from lazyrich_helpers.runner.kept import arrays_of, result_of
from lazyrich_helpers.runner.progress import Progress
from lazyrich_helpers.runner.stopping import Stop, Stopped
from lazyrich_helpers.training.ensemble import EnsembleState, train_ensemble
from lazyrich_helpers.training.loop import (
    Epoch,
    Run,
    Trained,
    TrainingState,
    new_network,
    train,
)
from lazyrich_helpers.training.run_config import RunConfig, label

PARTS = (
    *("commit", "source", "torch", "device", "arithmetic", "instruction_set"),
    *("threads", "start"),
)
"""What a record's origin says of each part of a training that was interrupted."""


@dataclass(frozen=True, eq=False)
class _Watched:
    """A run with those that measure it, and its epochs so far."""

    run: Run
    measures: list[Measure]
    origin: dict[str, Any]
    """Where its record's numbers come from."""
    epochs: list[Epoch] = field(default_factory=list)

    @property
    def config(self) -> RunConfig:
        return self.run.config

    @property
    def work(self) -> float:
        """Of the epochs so far."""
        return len(self.epochs) * _work_of_an_epoch(self.config)

    @property
    def diverged(self) -> bool:
        return bool(self.epochs) and not math.isfinite(self.epochs[-1].train_loss)


@dataclass(eq=False)
class _Group:
    """Runs that are trained as one, or one alone; and how far they are."""

    each: list[_Watched]
    state: TrainingState | EnsembleState
    before: float = 0.0
    """Seconds spent on it by processes that were interrupted."""
    began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.began

    @property
    def share(self) -> float:
        """Of the epochs, how many are done, 0 to 1."""
        return self.state.num_done / self.each[0].config.training.num_epochs

    def to_keep(self) -> dict[str, Any]:
        """Return what a checkpoint holds: tensors, numbers and text."""
        return {
            "state": self.state.state_dict(),
            "seconds": self.seconds,
            "runs": [
                {
                    "origin": watched.origin,
                    "epochs": [list(_fields(epoch)) for epoch in watched.epochs],
                    "measures": [m.state_dict() for m in watched.measures],
                }
                for watched in self.each
            ],
        }

    def go_on(self, kept: dict[str, Any]) -> None:
        """Take up what `to_keep` returned, in another process."""
        self.state.load_state_dict(kept["state"])
        self.before = kept["seconds"]
        for watched, run in zip(self.each, kept["runs"], strict=True):
            watched.epochs.extend(Epoch(*fields) for fields in run["epochs"])
            for measure, state in zip(watched.measures, run["measures"], strict=True):
                measure.load_state_dict(state)
            earlier = run["origin"]
            part = {name: earlier[name] for name in PARTS if name in earlier}
            part["num_epochs"] = len(watched.epochs)
            watched.origin["resumed"] = [*earlier.get("resumed", []), part]


def _fields(epoch: Epoch) -> tuple[int, float, int | None, float]:
    return epoch.number, epoch.train_loss, epoch.num_correct, epoch.seconds


def execute(
    configs: Sequence[RunConfig],
    recipe: Recipe,
    store: Store,
    device: str,
    progress: Progress,
    *,
    stop: Stop | None = None,
) -> Iterator[Record]:
    """Train one network, or several as one; yield each one's record as it is measured.

    The weights are kept in `store`; the records are the caller's to keep. Seconds that
    were spent on all are shared out evenly. Where several are interrupted by an error,
    `progress` is put back for those that were not yielded.

    What takes long is kept now and then, and gone on with by whoever executes the same
    runs next: bit for bit as if it had never been interrupted, on a CPU. When `stop` is
    due, it is kept after the epoch in hand. Who has put the records in safety removes
    the checkpoint.

    Raises:
        Stopped: When `stop` was due before the end.
    """
    checkpoint = Checkpoint(configs, recipe, store)
    group = _resumed(configs, recipe, device, checkpoint)
    for watched in group.each:
        if watched.epochs:
            progress.skip(watched.config, watched.work)
    left = group.each
    try:
        _train(group, recipe, progress, checkpoint, stop or Stop())
        shared = group.seconds / len(configs)
        while left:
            record = _record(left[0], store, shared)
            del left[0]
            yield record
    except Exception:
        if len(configs) > 1:
            for each in left:
                progress.advance(each.config, 0, -each.work)
        raise


def _resumed(
    configs: Sequence[RunConfig],
    recipe: Recipe,
    device: str,
    checkpoint: Checkpoint,
) -> _Group:
    """Return the group as far as it was brought before."""
    group = _new_group(configs, recipe, device)
    kept = checkpoint.read(device)
    if kept is None:
        return group
    try:
        group.go_on(kept)
    except PASSING:
        raise
    except Exception as error:  # what a wrong file makes torch raise is anybody's guess
        checkpoint.refuse(error)
        return _new_group(configs, recipe, device)
    return group


def _new_group(configs: Sequence[RunConfig], recipe: Recipe, device: str) -> _Group:
    data = configs[0].data.load(device)
    where = origin.describe(data, configs[0].training.precision)
    if len(configs) > 1:
        where["together"] = [config.training.seed for config in configs]
    each = []
    for config in configs:
        network = new_network(config, data)
        run = Run(config, data, network, flat_parameters(network))
        measures = [measure() for measure in recipe.measures]
        each.append(_Watched(run, measures, dict(where)))
        for measure in measures:
            measure.start(run)
    networks = [watched.run.network for watched in each]
    if len(configs) > 1:
        return _Group(each, EnsembleState(networks, configs))
    return _Group(each, TrainingState(networks[0], data, configs[0]))


def _train(
    group: _Group,
    recipe: Recipe,
    progress: Progress,
    checkpoint: Checkpoint,
    stop: Stop,
) -> None:
    """Train every run of the group to its end, under the eyes of its measures."""
    if all(watched.diverged for watched in group.each):
        return
    for row in _epochs(group, recipe.eval_every):
        for each, epoch in zip(group.each, row, strict=True):
            if epoch is None:
                continue
            each.epochs.append(epoch)
            for measure in each.measures:
                measure.after_epoch(each.run, epoch)
            work = _work_of_an_epoch(each.config)
            progress.advance(each.config, epoch.number, work)
        due, is_kept = stop.due, False  # asked once: a signal may come at any moment
        if due or checkpoint.due:
            is_kept = checkpoint.write(group.to_keep(), group.share)
        if due:
            raise Stopped(is_kept)


def _epochs(group: _Group, eval_every: int) -> Iterator[list[Epoch | None]]:
    runs = [watched.run for watched in group.each]
    data, networks = runs[0].data, [run.network for run in runs]
    configs = [run.config for run in runs]
    if isinstance(group.state, EnsembleState):
        yield from train_ensemble(
            networks, data, configs, eval_every=eval_every, state=group.state
        )
    else:
        for epoch in train(
            networks[0],
            data,
            configs[0],
            eval_every=eval_every,
            state=group.state,
        ):
            yield [epoch]


def _work_of_an_epoch(config: RunConfig) -> float:
    return work(config) / config.training.num_epochs


def _record(watched: _Watched, store: Store, shared: float) -> Record:
    """Measure the trained network, keep its weights, and return its record."""
    began = time.perf_counter()
    run, epochs, where = watched.run, watched.epochs, dict(watched.origin)
    final = flat_parameters(run.network)
    trained = Trained(run.config, run.data, run.network, run.initial, final)
    finite = math.isfinite(epochs[-1].train_loss) and final.isfinite().all()
    status = "ok" if finite else "diverged"
    measured = {run_costs.NAME: run_costs.run_costs(run.config)}
    arrays: dict[str, np.ndarray] = {}
    if status == "ok":
        where["weights"] = origin.vector_digest(final)
        measured |= {m.name: result_of(m, trained) for m in watched.measures}
        arrays = arrays_of(watched.measures, trained)
        _keep_weights(trained, store)
    curves = {
        "epoch": [epoch.number for epoch in epochs],
        "train_loss": [float(f"{epoch.train_loss:.6g}") for epoch in epochs],
        "num_correct": [epoch.num_correct for epoch in epochs],
    }
    times = {
        "train": round(sum(epoch.seconds for epoch in epochs), 3),
        "total": round(shared + time.perf_counter() - began, 3),
    }
    return Record(run.config, status, curves, measured, times, where, arrays)


def _keep_weights(trained: Trained, store: Store) -> None:
    try:
        store.write_weights(trained.config.run_id, trained.initial, trained.final)
    except OSError as error:
        # They only spare a later measurement the training: the record matters more.
        warnings.warn(
            f"weights of {label(trained.config)} were not kept ({error}); free some "
            f"space under {store.weights}.",
            stacklevel=2,
        )
