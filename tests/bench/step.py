"""A training step against a plain loop's, and against its floating-point bound."""

import ctypes.util
import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator

import torch

from lazyrich_helpers.data.datasets import Dataset
from lazyrich_helpers.measures.costs import num_parameters
from lazyrich_helpers.training.arithmetic import arithmetic
from lazyrich_helpers.training.loop import new_network, train
from lazyrich_helpers.training.run_config import RunConfig
from tests.bench import plain
from tests.bench.sample import in_turns, seconds
from tests.bench.setting import PRECISIONS, Options, config, first_steps

TITLE = "step: one training step, d = 4; evaluation excluded; milliseconds"
WIDTHS = {1000: 79, 5000: 2}
"""Width → steps of a turn.

At 1,000 it is a whole epoch of the 10,000 images. A process that takes its turn finds
the caches full of another's numbers; at 5,000 a step's numbers fit in no cache.
"""


def rows(options: Options) -> list[dict[str, object]]:
    """Measure each width; target: our fastest at least 3 times as fast as plain.

    Once as torch allocates by itself, once with the allocator that the README
    recommends, where it is installed.
    """
    widths = WIDTHS if not options.quick else {16: 2}
    tcmalloc = ctypes.util.find_library("tcmalloc_minimal")
    allocators = {"default": ""}
    if tcmalloc and not options.quick:
        allocators["tcmalloc"] = tcmalloc
    return [
        _row(options, width, steps, allocator, library)
        for width, steps in widths.items()
        for allocator, library in allocators.items()
    ]


def _row(
    options: Options, width: int, num_steps: int, allocator: str, library: str
) -> dict[str, object]:
    """Let plain loops and ours take turns, each in a process of its own."""
    workers = {"plain": _Worker("plain", width, num_steps, options)}
    for way in ("plain alike", *PRECISIONS):
        workers[way] = _Worker(way, width, num_steps, options, preload=library)
    rates = {
        f"{precision} rate": lambda p=precision: _matmul_rate(p, options)
        for precision in PRECISIONS
    }
    num = options.repetitions if not options.quick else 2
    found = in_turns(workers | rates, num=num)
    for worker in workers.values():
        worker.end()
    run = config(options, width=width, depth=4)
    flops = _flops(run, run.data.load())
    row: dict[str, object] = {"width": width, "allocator of ours": allocator}
    for precision in PRECISIONS:
        row[f"plain / {precision}"] = found["plain"] / found[precision]
    for precision in PRECISIONS:
        name = f"plain / {precision}, allocators alike"
        row[name] = found["plain alike"] / found[precision]
    for way in workers:
        row[f"{way}, ms"] = 1e3 * found[way]
    for precision in PRECISIONS:
        bound = flops / found[f"{precision} rate"]
        row[f"{precision} / bound"] = found[precision] / bound
    return row


class _Worker:
    """A process that trains one way; a call returns the seconds of its next steps."""

    def __init__(
        self, way: str, width: int, num_steps: int, options: Options, preload: str = ""
    ) -> None:
        words = [sys.executable, "-m", "tests.bench.step", way, str(width)]
        words += [str(num_steps), *["--quick"] * options.quick]
        outer = os.environ.get("LD_PRELOAD", "")
        self._process = subprocess.Popen(
            words,
            env=os.environ | {"LD_PRELOAD": preload or outer},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin and self._process.stdout
        self._asked, self._told = self._process.stdin, self._process.stdout

    def __call__(self) -> float:
        self._asked.write("\n")
        self._asked.flush()
        return float(self._told.readline())

    def end(self) -> None:
        """Let the process end."""
        self._process.communicate()
        assert self._process.returncode == 0


def main(way: str, width: int, num_steps: int, options: Options) -> None:
    """Print the mean seconds of the next `num_steps` steps at every line read."""
    precision = way if way in PRECISIONS else "highest"
    run = config(options, width=width, depth=4, precision=precision)
    data = first_steps(run.data.load(), num_steps, run.training.batch_size)
    most = 1000  # epochs of so few steps
    if way in PRECISIONS:
        epochs = _ours(run, data, most)
    else:
        epochs = plain.train(new_network(run, data), data, lr=0.001, num_epochs=most)
    for _ in sys.stdin:
        print(next(epochs) / num_steps, flush=True)


def _ours(config: RunConfig, data: Dataset, num_epochs: int) -> Iterator[float]:
    training = dataclasses.replace(config.training, num_epochs=num_epochs)
    config = dataclasses.replace(config, training=training)
    epochs = train(new_network(config, data), data, config, eval_every=num_epochs)
    return (epoch.seconds for epoch in epochs)


def _matmul_rate(precision: str, options: Options) -> float:
    """Return floating-point operations a second of a large square product."""
    size = 2048 if not options.quick else 64
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    one, two = torch.rand(2, size, size, dtype=kind)
    with arithmetic(precision, one.device):
        return 2 * size**3 / seconds(lambda: one @ two)


def _flops(config: RunConfig, data: Dataset) -> float:
    """Return a step's: three products a weight, less the gradient of the input."""
    batch, width = config.training.batch_size, config.columns()["width"]
    return batch * (
        6 * num_parameters(config) - 2 * data.train.images[0].numel() * width
    )


if __name__ == "__main__":
    chosen = Options(quick="--quick" in sys.argv)
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), chosen)
