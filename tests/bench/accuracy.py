"""Test accuracy of a plain loop against ours, from the same initial weights."""

import copy
import dataclasses
import math
import statistics

from lazyrich_helpers.data.datasets import Dataset
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.training.loop import new_network, train
from lazyrich_helpers.training.run_config import RunConfig
from tests.bench import plain
from tests.bench.setting import PRECISIONS, Options, recipe

TITLE = "accuracy: test accuracy after training, w = 1,000, d = 4, learning rate 0.001"
NUM_SEEDS = 5
STUDENT = 2.776
"""97.5 % quantile of Student's t with four degrees of freedom."""


def rows(options: Options) -> list[dict[str, object]]:
    """Train a network each way; target: a mean difference below 0.3 points."""
    width = 1000 if not options.quick else 16
    epochs = options.epochs if not options.quick else 1
    seeds = list(range(NUM_SEEDS))
    runs = recipe(options, width=width, depth=4, seeds=seeds, num_epochs=epochs)
    plainly: list[float] = []
    ours: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for config in runs.configs:
        data = config.data.load()
        network = new_network(config, data)
        for precision, found in ours.items():
            found.append(_ours(config, precision, epochs, copy.deepcopy(network), data))
        for _ in plain.train(network, data, lr=0.001, num_epochs=epochs):
            pass
        plainly.append(plain.accuracy(network, data.test))
    return [
        _row(precision, epochs, found, plainly) for precision, found in ours.items()
    ]


def _ours(
    config: RunConfig, precision: str, epochs: int, network: Network, data: Dataset
) -> float:
    training = dataclasses.replace(
        config.training, precision=precision, num_epochs=epochs
    )
    config = dataclasses.replace(config, training=training)
    *_, last = train(network, data, config, eval_every=epochs)
    assert last.num_correct is not None
    return last.num_correct / len(data.test)


def _row(
    precision: str, epochs: int, ours: list[float], plainly: list[float]
) -> dict[str, object]:
    differences = [one - two for one, two in zip(ours, plainly, strict=True)]
    half = STUDENT * statistics.stdev(differences) / math.sqrt(NUM_SEEDS)
    mean = statistics.mean(differences)
    return {
        "precision": precision,
        "epochs": epochs,
        "ours, mean": f"{statistics.mean(ours):.2%}",
        "plain, mean": f"{statistics.mean(plainly):.2%}",
        "ours - plain, 95 %": f"{mean:+.2%} ({mean - half:+.2%} to {mean + half:+.2%})",
        "pairs": NUM_SEEDS,
    }
