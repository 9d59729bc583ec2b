"""Networks that were trained before: what was kept of them, and measuring it anew."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from lazyrich_helpers.experiments import origin
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.experiments.states import lacking
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.vectors import bind_
from lazyrich_helpers.training.loop import Trained


def results_of(
    measures: Sequence[Measure], trained: Trained
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return numbers and arrays of these measures, as a record holds them.

    Numbers are named by their measure and come with its version, arrays are named
    `measure/array`.
    """
    numbers = {m.name: {"version": m.version} | m.result(trained) for m in measures}
    arrays = {
        f"{measure.name}/{name}": array
        for measure in measures
        for name, array in measure.arrays(trained).items()
    }
    return numbers, arrays


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
    added, arrays = results_of([measure() for measure in missing], trained)
    measures = record.measures | added
    return dataclasses.replace(record, measures=measures, arrays=arrays)


def kept_vectors(record: Record | None, store: Store) -> tuple[Tensor, Tensor] | None:
    """Return a network's parameters before and after training, on the CPU.

    None where they are not kept. Weights left by another training of this config
    (elsewhere, earlier) are not its.
    """
    if record is None or record.status != "ok":
        return None
    vectors = store.read_weights(record.run_id)
    if vectors is None:
        return None
    own = origin.vector_digest(vectors[1]) == record.origin.get("weights")
    return vectors if own else None


def load_trained(record: Record, store: Store, device: str) -> Trained | None:
    """Return the network of a record from its kept weights; None where there are none.

    With batch norm the weights alone are not the network.
    """
    vectors = kept_vectors(record, store)
    if vectors is None:
        return None
    data = record.config.data.load(device)
    network = record.config.model.build(data.image_shape, data.num_classes)
    network = network.to(data.device)
    if any(True for _ in network.buffers()):
        return None
    initial, final = (vector.to(device) for vector in vectors)
    bind_(network, final.clone())
    return Trained(record.config, data, network, initial, final)
