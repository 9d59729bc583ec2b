"""Networks before any training: how many images they classify by luck.

Those of the paper's data, up to its widest network, are kept in `FILE`, which
`python -m lazyrich_helpers.analysis.untrained` makes; nothing is trained for it.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.tables import tidy
from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.origin import describe
from lazyrich_helpers.experiments.recipes import Scale, relu_net_configs
from lazyrich_helpers.experiments.whole_files import write_whole
from lazyrich_helpers.measures.costs import multiply_adds
from lazyrich_helpers.places import ROOT
from lazyrich_helpers.training.loop import count_correct, new_network
from lazyrich_helpers.training.run_config import RunConfig, label

FILE = ROOT / "book" / "untrained.json"
WIDTHS = {1: (10, 100, 1000, 10_000, 100_000), 4: (10, 100, 1000, 5000)}
"""Hidden layers → widths in `FILE`, up to the paper's widest."""
SEEDS = tuple(range(20))
"""Of each width in `FILE`."""


def kept_configs(depth: int) -> tuple[RunConfig, ...]:
    """Return the networks in `FILE` with `depth` hidden layers, by width and seed.

    Their images are the paper's; the training that they name does not take place.
    """
    scale = Scale(
        dataset="mnist", widths=WIDTHS[depth], seeds=SEEDS, lrs=(0.1,), num_epochs=1
    )
    return relu_net_configs(depth, scale)


def num_correct(configs: Sequence[RunConfig], *, device: str = "cpu") -> list[int]:
    """Return how many test images each network classifies correctly; draws a bar.

    Args:
        configs: Of the same images.
        device: Where the images are classified; networks are drawn on the CPU.
    """
    from tqdm import tqdm

    data = configs[0].data.load(device)
    work = [multiply_adds(config) for config in configs]
    counts = []
    with tqdm(total=sum(work), leave=False, file=sys.stderr) as bar:
        for config, own in zip(configs, work, strict=True):
            bar.set_description_str(label(config))
            network = new_network(config, data)
            precision = config.training.precision
            counts.append(count_correct(network, data.test, precision))
            bar.update(own)
    return counts


def untrained_table(
    configs: Sequence[RunConfig], *, device: str = "cpu"
) -> pd.DataFrame:
    """Return one row per network with its test `accuracy`, 0 to 1.

    As in `tables.reinit_table`, where every parameter is reset: `scenario` is `active`,
    `fraction` 1.

    Args:
        configs: As in `num_correct`.
        device: As in `num_correct`.
    """
    data = configs[0].data.load(device)
    origin = describe(data, configs[0].training.precision)
    return _table(configs, num_correct(configs, device=device), origin)


def _table(
    configs: Sequence[RunConfig], counts: Iterable[int], origin: dict[str, Any]
) -> pd.DataFrame:
    num_test = origin["num_test"]
    own = {"scenario": "active", "fraction": 1.0, "num_test": num_test}
    own["arithmetic"] = origin["arithmetic"]
    rows = [
        config.columns() | own | {"accuracy": count / num_test}
        for config, count in zip(configs, counts, strict=True)
    ]
    return tidy(rows, [*own, "accuracy"])


def keep(path: Path = FILE) -> None:
    """Count for every network of `kept_configs`, and write it to `path`."""
    config = kept_configs(1)[0]
    kept = {"origin": describe(config.data.load(), config.training.precision)}
    kept |= {f"depth {depth}": num_correct(kept_configs(depth)) for depth in WIDTHS}
    lines = (f' "{key}": {json.dumps(value)}' for key, value in kept.items())
    write_whole(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def kept_table(depth: int) -> pd.DataFrame:
    """Return the `untrained_table` of the networks in `FILE` with `depth` layers."""
    kept = json.loads(FILE.read_text("utf-8"))
    return _table(kept_configs(depth), kept[f"depth {depth}"], kept["origin"])


def kept_origin() -> str:
    """Return where the networks in `FILE` come from, in one line."""
    origin = json.loads(FILE.read_text("utf-8"))["origin"]
    return (
        f"untrained networks: mnist; test images {origin['num_test']:,}; n = "
        f"{len(SEEDS)} seeds; nothing trained; {origin['arithmetic']}; "
        f"{origin['device']}, torch {origin['torch']}."
    )


def with_untrained(table: pd.DataFrame, untrained: pd.DataFrame) -> pd.DataFrame:
    """Return a `tables.reinit_table` with untrained networks of the widths it lacks.

    Of what they were not trained by, such as a learning rate, they take the table's.

    Args:
        table: Of one setting.
        untrained: An `untrained_table` of the same images, depth and start.
    """
    for name in ("dataset", "depth", "init", "gain", "arithmetic"):
        both = {*table[name].unique(), *untrained[name].unique()}
        require(len(both) == 1, name, "the table's in untrained networks", sorted(both))
    wider = untrained.loc[~untrained.width.isin(table.width)]
    own = {"run_id", "width", "seed", "num_test", "accuracy", "scenario", "fraction"}
    same = {name: table[name].iloc[0] for name in table if name not in own}
    return pd.concat([table, wider.assign(**same)], ignore_index=True)


if __name__ == "__main__":
    keep()
