"""Executing runs: networks are trained, measured and recorded; several as one."""

import math
import time
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

from lazyrich_helpers.data.datasets import Dataset
from lazyrich_helpers.experiments import origin
from lazyrich_helpers.experiments.files import PASSING
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures import costs
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.runner.checkpoints import Checkpoint
from lazyrich_helpers.runner.kept import results_of
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
    *("threads", "start", "mesh"),
)
"""What a record's origin says of each part of a training that was interrupted."""


@dataclass(frozen=True, eq=False)
class Watched:
    """A run with those that measure it, and its epochs so far."""

    run: Run
    measures: list[Measure]
    origin: dict[str, Any]
    """Where its record's numbers come from."""
    epochs: list[Epoch] = field(default_factory=list)

    @property
    def diverged(self) -> bool:
        """Whether its loss stopped being finite."""
        return bool(self.epochs) and not math.isfinite(self.epochs[-1].train_loss)

    def after_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        for measure in self.measures:
            measure.after_epoch(self.run, epoch)

    def state_dict(self) -> dict[str, Any]:
        return {
            "origin": self.origin,
            "epochs": [list(astuple(epoch)) for epoch in self.epochs],
            "measures": [measure.state_dict() for measure in self.measures],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epochs.extend(Epoch(*fields) for fields in state["epochs"])
        for measure, kept in zip(self.measures, state["measures"], strict=True):
            measure.load_state_dict(kept)
        earlier = state["origin"]
        part = {name: earlier[name] for name in PARTS if name in earlier}
        part["num_epochs"] = len(self.epochs)
        self.origin["resumed"] = [*earlier.get("resumed", []), part]


@dataclass(eq=False)
class _Group:
    """Runs that are trained as one, or one alone; and how far they are."""

    each: list[Watched]
    state: TrainingState | EnsembleState
    before: float = 0.0
    """Seconds spent on it by processes that were interrupted."""
    began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.began

    @property
    def diverged(self) -> bool:
        """Whether nothing is left to train, before all epochs are done."""
        return all(watched.diverged for watched in self.each)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds: tensors, numbers and text."""
        return {
            "state": self.state.state_dict(),
            "seconds": self.seconds,
            "runs": [watched.state_dict() for watched in self.each],
        }

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Take up what `state_dict` returned, in another process."""
        self.state.load_state_dict(kept["state"])
        self.before = kept["seconds"]
        for watched, run in zip(self.each, kept["runs"], strict=True):
            watched.load_state_dict(run)

    def epochs(self, eval_every: int) -> Iterator[list[Epoch | None]]:
        """Train on, by epochs: what it did to each run, None where that diverged."""
        runs = [watched.run for watched in self.each]
        data, configs = runs[0].data, [run.config for run in runs]
        networks = [run.network for run in runs]
        options: Any = {"eval_every": eval_every, "state": self.state}
        if isinstance(self.state, EnsembleState):
            return train_ensemble(networks, data, configs, **options)
        return ([e] for e in train(networks[0], data, configs[0], **options))


def execute(
    configs: Sequence[RunConfig],
    recipe: Recipe,
    store: Store,
    device: str,
    progress: Progress,
    stop: Stop,
    *,
    lacking: Collection[RunConfig],
) -> Iterator[Record]:
    """Train one network, or several as one; yield each one's record as it is measured.

    Those that are not among `lacking` have theirs, and are only trained along.

    The weights are kept in `store`; the records are the caller's to keep. Seconds that
    were spent on all are shared out evenly.

    What takes long is kept now and then, and gone on with by whoever executes the same
    runs next: bit for bit as if it had never been interrupted, on a CPU. When `stop` is
    due, it is kept after the epoch in hand. Who has put the records in safety removes
    the checkpoint.

    Raises:
        Stopped: When `stop` was due before the end.
    """
    checkpoint = Checkpoint(configs, recipe, store)
    group = _resumed(configs, recipe, device, checkpoint)
    rows = [] if group.diverged else group.epochs(recipe.eval_every)
    for row in rows:
        for watched, epoch in zip(group.each, row, strict=True):
            if epoch is not None:
                watched.after_epoch(epoch)
                if watched.run.config in lacking:
                    progress.advance(watched.run.config, epoch.number)
        due = stop.due  # asked once: a signal may come at any moment
        if due or checkpoint.due:
            checkpoint.write(group.state_dict())
        if due:
            raise Stopped
    shared = group.seconds / len(configs)
    for watched in group.each:
        if watched.run.config in lacking:
            yield record_of(watched, store, shared)


def _resumed(
    configs: Sequence[RunConfig], recipe: Recipe, device: str, checkpoint: Checkpoint
) -> _Group:
    """Return the group as far as it was brought before."""
    group, kept = _new_group(configs, recipe, device), checkpoint.read(device)
    try:
        if kept is not None:
            group.load_state_dict(kept)
    except PASSING:
        raise
    except Exception as error:  # what a wrong file makes torch raise is anybody's guess
        checkpoint.refuse(error)
        return _new_group(configs, recipe, device)
    return group


def _new_group(configs: Sequence[RunConfig], recipe: Recipe, device: str) -> _Group:
    data = configs[0].data.load(device)
    where = origin.origin_of(data, configs[0].training.precision)
    if len(configs) > 1:
        where["together"] = [config.training.seed for config in configs]
    each = [new_watched(config, recipe, data, where) for config in configs]
    networks = [watched.run.network for watched in each]
    if len(configs) > 1:
        return _Group(each, EnsembleState(networks, configs))
    return _Group(each, TrainingState(networks[0], data, configs[0]))


def new_watched(
    config: RunConfig, recipe: Recipe, data: Dataset, where: dict[str, Any]
) -> Watched:
    """Return a new run, which those that measure it have looked at."""
    network = new_network(config, data)
    run = Run(config, data, network, flat_parameters(network))
    measures = [measure() for measure in recipe.measures]
    for measure in measures:
        measure.start(run)
    return Watched(run, measures, dict(where))


def record_of(watched: Watched, store: Store, shared: float) -> Record:
    """Measure the trained network, keep its weights, and return its record."""
    began = time.perf_counter()
    run, epochs, where = watched.run, watched.epochs, dict(watched.origin)
    final = flat_parameters(run.network)
    trained = Trained(run.config, run.data, run.network, run.initial, final)
    finite = math.isfinite(epochs[-1].train_loss) and final.isfinite().all()
    numbers, arrays = results_of(watched.measures if finite else (), trained)
    numbers = {costs.NAME: costs.run_costs(run.config)} | numbers
    if finite:
        where["weights"] = origin.vector_digest(final)
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
    status = "ok" if finite else "diverged"
    return Record(run.config, status, curves, numbers, times, where, arrays)


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
