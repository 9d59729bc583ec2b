"""Networks before any training: how many images they classify by luck."""

from collections.abc import Sequence

import pandas as pd

from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.tables import tidy
from lazyrich_helpers.train import count_correct, new_network


def untrained_table(configs: Sequence[RunConfig]) -> pd.DataFrame:
    """Return one row per network with its test `accuracy`, 0 to 1, on the CPU.

    As in `tables.reinit_table`, where every parameter is reset: `scenario` is `active`,
    `fraction` 1. Nothing is trained.

    Args:
        configs: Of the same images.
    """
    rows = []
    data = configs[0].data.load()
    for config in configs:
        network = new_network(config, data)
        correct = count_correct(network, data.test, config.training.precision)
        own = {"scenario": "active", "fraction": 1.0, "num_test": len(data.test)}
        rows.append(config.columns() | own | {"accuracy": correct / len(data.test)})
    return tidy(rows, ["scenario", "fraction", "num_test", "accuracy"])
