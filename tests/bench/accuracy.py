"""Test accuracy of a plain loop against ours, from the same initial weights."""

import copy
import dataclasses
import math
import statistics

from lazyrich_helpers.train import new_network, train
from tests.bench import plain
from tests.bench.setting import Options, recipe

TITLE = "accuracy: test accuracy after training, w = 1,000, d = 4, learning rate 0.001"
NUM_SEEDS = 5
STUDENT = 2.776
"""97.5 % quantile of Student's t with four degrees of freedom."""


def rows(options: Options) -> list[dict[str, object]]:
    """Train pairs of networks; target: the interval of the difference holds 0."""
    width = 1000 if not options.quick else 16
    epochs = options.epochs if not options.quick else 1
    seeds = list(range(NUM_SEEDS))
    runs = recipe(options, width=width, depth=4, seeds=seeds, num_epochs=epochs)
    pairs = []
    for config in runs.configs:
        config = dataclasses.replace(
            config, training=dataclasses.replace(config.training, num_epochs=epochs)
        )
        data = config.data.load()
        network = new_network(config, data)
        other = copy.deepcopy(network)
        *_, last = train(network, data, config, eval_every=epochs)
        assert last.num_correct is not None
        for _ in plain.train(other, data, lr=0.001, num_epochs=epochs):
            pass
        ours = last.num_correct / len(data.test)
        pairs.append((ours, plain.accuracy(other, data.test)))
    differences = [ours - theirs for ours, theirs in pairs]
    half = STUDENT * statistics.stdev(differences) / math.sqrt(NUM_SEEDS)
    mean = statistics.mean(differences)
    return [
        {
            "epochs": epochs,
            "ours, mean": f"{statistics.mean(one for one, _ in pairs):.2%}",
            "plain, mean": f"{statistics.mean(two for _, two in pairs):.2%}",
            "ours - plain, 95 %": f"{mean:+.2%} ({mean - half:+.2%} to "
            f"{mean + half:+.2%})",
            "pairs": NUM_SEEDS,
        }
    ]
