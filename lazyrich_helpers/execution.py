"""Executing runs: networks are trained, measured and recorded; several as one."""

import dataclasses
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from lazyrich_helpers import origin
from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.data import Dataset
from lazyrich_helpers.initialization import convolutions, flat_parameters, transfer_
from lazyrich_helpers.measures import Measure
from lazyrich_helpers.models import Network
from lazyrich_helpers.planning import work
from lazyrich_helpers.progress import Progress, label
from lazyrich_helpers.proxy import source_of
from lazyrich_helpers.recipes import Recipe, lacking
from lazyrich_helpers.records import Record, Store
from lazyrich_helpers.reinit import bind_
from lazyrich_helpers.together import train_together
from lazyrich_helpers.train import Epoch, Run, Trained, new_network, train


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


def execute(
    configs: Sequence[RunConfig],
    recipe: Recipe,
    store: Store,
    device: str,
    progress: Progress,
    *,
    compiled: bool = False,
) -> Iterator[Record]:
    """Train one network, or several as one; yield each one's record as it is measured.

    The weights are kept in `store`; the records are the caller's to keep. Seconds that
    were spent on all are shared out evenly. Where several are interrupted by an error,
    `progress` is put back for those that were not yielded.

    With `compiled`, the steps of a network that is trained alone are compiled, and its
    record's origin says so; several as one are not.
    """
    began = time.perf_counter()
    data = configs[0].data.load(device)
    where = origin.describe(data)
    if len(configs) > 1:
        where["together"] = len(configs)
    elif compiled:
        where["compiled"] = True
    left: list[_Watched] = []
    try:
        for config in configs:
            network, start = _started(config, data, store)
            run = Run(config, data, network, flat_parameters(network))
            measures = [measure() for measure in recipe.measures]
            left.append(_Watched(run, measures, where | start))
        _train(left, recipe.eval_every, progress, compiled)
        shared = (time.perf_counter() - began) / len(configs)
        while left:
            record = _record(left[0], store, shared)
            del left[0]
            yield record
    except Exception:
        if len(configs) > 1:
            for each in left:
                done = len(each.epochs) * _work_of_an_epoch(each.config)
                progress.advance(each.config, 0, -done)
        raise


def _started(
    config: RunConfig, data: Dataset, store: Store
) -> tuple[Network, dict[str, Any]]:
    """Return the run's network before its first step, and what it was started from."""
    source = source_of(config)
    if source is None:
        return new_network(config, data), {}
    trained = kept_weights(store.read(source.run_id), store)
    if trained is None:
        raise ValueError(
            f"it starts from the weights of run {source.run_id} ({label(source)}), "
            f"which are not under {store.weights}; train that run first."
        )
    before = source.model.build(source.data.image_shape, data.num_classes)
    bind_(before, trained)
    network = config.model.build(data.image_shape, data.num_classes)
    kept = [p for layer in convolutions(before) for p in layer.parameters()]
    transfer_(network, config.training.seed, kept)
    start = {"run_id": source.run_id, "weights": origin.vector_digest(trained)}
    return network.to(data.device), {"pretrained": start}


def _train(
    group: list[_Watched], eval_every: int, progress: Progress, compiled: bool
) -> None:
    """Train every run of the group to its end, under the eyes of its measures."""
    for each in group:
        for measure in each.measures:
            measure.start(each.run)
    for row in _epochs([each.run for each in group], eval_every, compiled):
        for each, epoch in zip(group, row, strict=True):
            if epoch is None:
                continue
            each.epochs.append(epoch)
            for measure in each.measures:
                measure.after_epoch(each.run, epoch)
            work = _work_of_an_epoch(each.config)
            progress.advance(each.config, epoch.number, work)


def _epochs(
    runs: list[Run], eval_every: int, compiled: bool
) -> Iterator[list[Epoch | None]]:
    data, networks = runs[0].data, [run.network for run in runs]
    configs = [run.config for run in runs]
    if len(runs) > 1:
        yield from train_together(networks, data, configs, eval_every=eval_every)
    else:
        for epoch in train(
            networks[0], data, configs[0], eval_every=eval_every, compiled=compiled
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
    measured: dict[str, dict[str, Any]] = {}
    arrays: dict[str, np.ndarray] = {}
    if status == "ok":
        where["weights"] = origin.vector_digest(final)
        measured = {m.name: _result(m, trained) for m in watched.measures}
        arrays = _arrays(watched.measures, trained)
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


def measured_again(
    record: Record | None, recipe: Recipe, store: Store, device: str
) -> Record | None:
    """Return a trained run's record with what was missing, from its kept weights.

    None where it must be trained: not done, stale, weights gone or another's, or a
    measurement that has to watch the epochs.
    """
    if record is None or record.status != "ok" or record.stale:
        return None
    missing = lacking(record, recipe.measures, store)
    if any(measure.watches for measure in missing):
        return None
    trained = load_trained(record, store, device)
    if trained is None:
        return None
    measures = [measure() for measure in missing]
    added = {m.name: _result(m, trained) for m in measures}
    return dataclasses.replace(
        record, measures=record.measures | added, arrays=_arrays(measures, trained)
    )


def kept_weights(record: Record | None, store: Store) -> Tensor | None:
    """Return a trained network's parameters on the CPU; None where they are not kept.

    Weights left by another training of this config (elsewhere, earlier) are not its.
    """
    vectors = _kept(record, store)
    return None if vectors is None else vectors[1]


def _kept(record: Record | None, store: Store) -> tuple[Tensor, Tensor] | None:
    if record is None or record.status != "ok":
        return None
    weights = store.read_weights(record.run_id)
    if weights is None:
        return None
    own = origin.vector_digest(weights[1]) == record.origin.get("weights")
    return weights if own else None


def load_trained(record: Record, store: Store, device: str) -> Trained | None:
    """Return the network of a record from its kept weights; None where there are none.

    With batch norm the weights alone are not the network.
    """
    weights = _kept(record, store)
    if weights is None:
        return None
    data = record.config.data.load(device)
    network = record.config.model.build(data.image_shape, data.num_classes)
    network = network.to(data.device)
    if any(True for _ in network.buffers()):
        return None
    initial, final = (vector.to(device) for vector in weights)
    bind_(network, final.clone())
    return Trained(record.config, data, network, initial, final)
