"""Networks before any training: how many images they classify by luck.

Those of the paper's data, up to its widest network, are kept in `FILE`, which
`python -m lazyrich_helpers.experiments.untrained` makes; nothing is trained for it.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lazyrich_helpers.experiments.files import write_whole
from lazyrich_helpers.experiments.origin import origin_of
from lazyrich_helpers.experiments.recipes import Scale, relu_net_configs
from lazyrich_helpers.places import ROOT
from lazyrich_helpers.training.loop import count_correct, new_network
from lazyrich_helpers.training.run_config import RunConfig, label

FILE = ROOT / "book" / "untrained.json"
WIDTHS = {1: (10, 100, 1000, 10_000, 100_000), 4: (10, 100, 1000, 5000)}
"""Hidden layers → widths in `FILE`, up to the paper's widest."""
SEEDS = tuple(range(20))
"""Of each width in `FILE`."""


@dataclass(frozen=True)
class Untrained:
    """Networks as they are drawn, and how many test images each has right."""

    configs: tuple[RunConfig, ...]
    """Of the same images; the training that they name does not take place."""
    num_correct: tuple[int, ...]
    origin: dict[str, Any]


def kept_configs(depth: int) -> tuple[RunConfig, ...]:
    """Return the networks in `FILE` with `depth` hidden layers, by width and seed.

    Their images are the paper's; the training that they name does not take place.
    """
    scale = Scale(
        dataset="mnist", widths=WIDTHS[depth], seeds=SEEDS, lrs=(0.1,), num_epochs=1
    )
    return relu_net_configs(depth, scale)


def untrained(configs: Sequence[RunConfig], *, device: str = "cpu") -> Untrained:
    """Draw networks on the CPU, and count what they classify correctly on `device`.

    All see the same images. A bar shows how far it is.
    """
    from tqdm import tqdm

    data, precision = configs[0].data.load(device), configs[0].training.precision
    origin, counts = origin_of(data, precision), []
    with tqdm(configs, leave=False, file=sys.stderr) as bar:
        for config in bar:
            bar.set_description_str(label(config))
            counts += [count_correct(new_network(config, data), data.test, precision)]
    return Untrained(tuple(configs), tuple(counts), origin)


def keep() -> None:
    """Count for every network of `kept_configs`, and write it to `FILE`."""
    found = {depth: untrained(kept_configs(depth)) for depth in WIDTHS}
    lines = [f' "origin": {json.dumps(found[1].origin)}']
    lines += [f' "depth {k}": {json.dumps(v.num_correct)}' for k, v in found.items()]
    write_whole(FILE, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def kept(depth: int) -> Untrained:
    """Return the networks in `FILE` with `depth` hidden layers."""
    found = json.loads(FILE.read_text("utf-8"))
    counts = tuple(found[f"depth {depth}"])
    return Untrained(kept_configs(depth), counts, found["origin"])


def kept_origin() -> str:
    """Return where the networks in `FILE` come from, in one line."""
    origin = kept(1).origin
    return (
        f"untrained networks: mnist; test images {origin['num_test']:,}; n = "
        f"{len(SEEDS)} seeds; nothing trained; {origin['arithmetic']}; "
        f"{origin['device']}, torch {origin['torch']}."
    )


if __name__ == "__main__":
    keep()
