"""Runs per hour: seeds trained as one against a plain loop and our own one by one."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.reinit_curves import FRACTIONS
from lazyrich_helpers.runner.batch import complete
from lazyrich_helpers.runner.progress import Progress
from lazyrich_helpers.training.loop import new_network
from tests.bench import plain
from tests.bench.sample import in_turns
from tests.bench.setting import Options, recipe

TITLE = (
    "together: seconds per run, training, evaluation and measures, d = 1, 100 epochs"
)
LESS_PRECISE = ("medium", "bf16")
"""Ways to train together, at these precisions; the other ways multiply in fp32."""
SIZES = {"plain": 1, "alone": 1, "together": 20} | dict.fromkeys(LESS_PRECISE, 20)
"""Runs in one process, by the way they are done."""


def rows(options: Options) -> list[dict[str, object]]:
    """Measure each width; target: at least 5 times as many runs per hour as plain."""
    widths = (10, 20, 50, 100) if not options.quick else (8,)
    return [_row(options, width) for width in widths]


def _row(options: Options, width: int) -> dict[str, object]:
    ways: dict[str, Callable[[], float]] = {}
    for way in SIZES:
        for processes, threads in ((1, 1), (1, 2), (2, 1)):
            name = f"{way} {processes}x{threads}"
            ways[name] = partial(_measure, options, way, width, processes, threads)
    if options.quick:
        ways = {name: each for name, each in ways.items() if name.endswith("1x1")}
    num = max(1, options.repetitions // 3) if not options.quick else 1
    found = in_turns(ways, num=num, warm_up=0)
    best = {
        way: min(
            (found[name] for name in found if name.startswith(way)),
            key=np.median,
        )
        for way in SIZES
    }
    usual = found.get("plain 1x2", found["plain 1x1"])
    one = found.get("together 1x2", found["together 1x1"])
    return {
        "width": width,
        "plain / together": usual / one,
        "plain / best together": usual / best["together"],
        "best plain / best together": best["plain"] / best["together"],
        "best alone / best together": best["alone"] / best["together"],
        **{f"plain / best {way}": usual / best[way] for way in LESS_PRECISE},
        **{f"{name}, s": seconds for name, seconds in found.items()},
    }


def _measure(
    options: Options, way: str, width: int, processes: int, threads: int
) -> float:
    """Return seconds per run; a way is `processes` times `threads`."""
    if options.quick and way != "plain":  # one process shows that it can be started
        return main(way, width, options)
    words = [sys.executable, "-m", "tests.bench.together", way, str(width)]
    words += [str(threads), *["--quick"] * options.quick]
    started = [
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    outputs = [process.communicate()[0] for process in started]
    assert all(process.returncode == 0 for process in started)
    return 1 / sum(1 / json.loads(out.splitlines()[-1]) for out in outputs)


def main(way: str, width: int, options: Options) -> float:
    """Do the runs of one process; return the seconds of each."""
    seeds = list(range(SIZES[way]))
    precision = way if way in LESS_PRECISE else "highest"
    runs = recipe(options, width=width, depth=1, seeds=seeds, precision=precision)
    config = runs.configs[0]
    data = config.data.load()
    start = time.perf_counter()
    if way == "plain":
        plain.run(
            new_network(config, data),
            data,
            lr=0.001,
            num_epochs=config.training.num_epochs,
            eval_every=runs.eval_every,
            fractions=FRACTIONS,
        )
    else:
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder) / "records", Path(folder) / "weights")
            summary = complete(runs, store, device="cpu", progress=Progress())
        assert summary.num_trained == len(seeds)
    return (time.perf_counter() - start) / len(seeds)


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[3]))
    chosen = Options(quick="--quick" in sys.argv)
    print(main(sys.argv[1], int(sys.argv[2]), chosen))
