"""A training step against a plain loop's, and against its floating-point bound."""

import dataclasses
from collections.abc import Callable, Iterator

import torch

from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.data import Dataset
from lazyrich_helpers.planning import num_parameters
from lazyrich_helpers.train import new_network, train
from tests.bench import plain
from tests.bench.sample import Sample, in_turns, seconds
from tests.bench.setting import Options, config, first_steps

TITLE = "step: one training step, d = 4; evaluation excluded; milliseconds"


def rows(options: Options) -> list[dict[str, object]]:
    """Measure each width; target: `medium` at least 3 times as fast as plain."""
    widths = {1000: 10, 5000: 2} if not options.quick else {16: 2}
    return [_row(options, width, steps) for width, steps in widths.items()]


def _row(options: Options, width: int, num_steps: int) -> dict[str, object]:
    repetitions = options.repetitions if not options.quick else 2
    num_epochs = repetitions + 1
    ways: dict[str, Callable[[], float]] = {}
    runs = {
        precision: config(options, width=width, depth=4, precision=precision)
        for precision in ("highest", "medium")
    }
    run = runs["highest"]
    data = first_steps(run.data.load(), num_steps, run.training.batch_size)
    loop = plain.train(new_network(run, data), data, lr=0.001, num_epochs=num_epochs)
    ways["plain"] = lambda: next(loop) / num_steps
    for precision, each in runs.items():
        ours = _ours(each, data, num_epochs)
        ways[precision] = lambda ours=ours: next(ours) / num_steps
        ways[f"{precision} rate"] = lambda p=precision: _matmul_rate(p, options)
    found = in_turns(ways, num=repetitions)
    flops = _flops(run, data)
    row: dict[str, object] = {"width": width}
    for precision in runs:
        row[f"plain / {precision}"] = found["plain"].over(found[precision])
    for name in ("plain", *runs):
        row[f"{name}, ms"] = found[name].scaled(1e3)
    for precision in runs:
        bound = Sample(
            tuple(flops / rate for rate in found[f"{precision} rate"].values)
        )
        row[f"{precision} / bound"] = found[precision].over(bound)
    return row


def _ours(config: RunConfig, data: Dataset, num_epochs: int) -> Iterator[float]:
    training = dataclasses.replace(config.training, num_epochs=num_epochs + 1)
    config = dataclasses.replace(config, training=training)
    epochs = train(new_network(config, data), data, config, eval_every=num_epochs + 2)
    return (epoch.seconds for epoch in epochs)


def _matmul_rate(precision: str, options: Options) -> float:
    """Return floating-point operations a second of a large square product."""
    size = 2048 if not options.quick else 64
    one, two = torch.rand(2, size, size)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        return 2 * size**3 / seconds(lambda: one @ two)
    finally:
        torch.set_float32_matmul_precision(before)


def _flops(config: RunConfig, data: Dataset) -> float:
    """Return a step's: three products a weight, less the gradient of the input."""
    batch, width = config.training.batch_size, config.columns()["width"]
    return batch * (
        6 * num_parameters(config) - 2 * data.train.images[0].numel() * width
    )
