"""What processes measure together: `torchrun … -m …sharded_worker ASKED FILE`.

`ASKED` is JSON: what is measured, settings of its study in `sharded`, a value of the
grid. The first process writes the rows.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch.nn import functional as F

from lazyrich_helpers.lws.frozen_prefix import set_trainable
from lazyrich_helpers.lws.schedules import Full, TopKAllBottoms
from lazyrich_helpers.models.network import Network, relu_net
from lazyrich_helpers.papers.sharded import wire
from lazyrich_helpers.papers.sharded.claims import ROUNDED
from lazyrich_helpers.papers.sharded.nets import (
    FP64,
    change_last_bits_,
    config_of,
    data_of,
    loss_curve,
    started,
)
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.runner.processes import is_first, join, leave
from lazyrich_helpers.training.layouts import lay_out
from lazyrich_helpers.training.sharding import ALONE, Sharding

INPUTS, CLASSES = 784, 10
"""Of the networks whose steps are counted and timed: MNIST's."""
DRAWS = 3
"""Of last bits, of which the farthest counts."""
Rows = list[dict[str, Any]]


def curves(settings: Any, name: str) -> Rows:
    """Return losses by epoch in every layout, and how far from one process's."""
    config = config_of(name, settings)
    dtype = torch.float64 if name.endswith(FP64) else torch.float32
    data = data_of(config, dtype)

    def found(layout: str, draw: int = 0) -> list[float]:
        network, sharding = started(config, data), ALONE
        if layout == ROUNDED:
            change_last_bits_(network, draw)
        elif layout:
            sharding = lay_out(network, layout)
        return loss_curve(network, config, data, sharding)

    alone, rows = found(""), []
    for layout in settings.layouts:
        draws = range(DRAWS if layout == ROUNDED else 1)
        several = [found(layout, draw) for draw in draws]
        for epoch, (one, *others) in enumerate(zip(alone, *several, strict=True), 1):
            away = [abs(other - one) for other in others]
            apart = max(away)
            loss = others[away.index(apart)]
            row = {"layout": layout, "epoch": epoch, "loss": loss, "apart": apart}
            rows.append(row)
    return rows


class Steps:
    """Steps of a fully connected network on images that are noise.

    Args:
        width: Units per hidden layer.
        depth: Hidden layers.
        layout: One of `LAYOUTS`; none is one process alone.
        batch_size: Images a step, of all processes together.
    """

    def __init__(self, width: int, depth: int, layout: str, batch_size: int) -> None:
        stream = generator("sharded steps", width)
        network = relu_net(width, depth, INPUTS, CLASSES)
        with torch.no_grad():
            for p in network.parameters():
                p.copy_(torch.randn(p.shape, generator=stream) / width**0.5)
        sizes = [sum(p.numel() for p in one.parameters()) for one in network.layers]
        features = [INPUTS] + [width] * depth + [CLASSES]
        self._sizes, self._features, self._layout = sizes, features, layout
        self.full = frozenset(range(depth + 1))
        inputs = torch.randn(batch_size, INPUTS, generator=stream)
        labels = torch.arange(batch_size) % CLASSES
        self.network: Network = network
        self.sharding: Sharding = lay_out(network, layout) if layout else ALONE
        self.inputs = self.sharding.part(inputs)
        self.labels = self.sharding.part(labels)
        self.optimizer = torch.optim.SGD(network.parameters(), 0.01, foreach=False)
        self._trainable: frozenset[int] | None = None

    def formula(self, trainable: frozenset[int], num: int, batch_size: int) -> float:
        """Return the bytes that a process sends in a step, by `sharded_wire`."""
        if self._layout == "tp":
            return wire.tp_bytes(self._features, trainable, num, batch_size)
        by_formula = {"dp": wire.dp_bytes, "fsdp": wire.fsdp_bytes}[self._layout]
        return by_formula(self._sizes, trainable, num)

    def take(self, trainable: frozenset[int]) -> float:
        """Take a step that updates these layers; return its seconds."""
        if trainable != self._trainable:
            set_trainable(list(self.network.layers), trainable)
            self._called = self.sharding.called(self.network)
            self._trainable = trainable
        began = time.perf_counter()
        self.optimizer.zero_grad()
        F.cross_entropy(self._called(self.inputs), self.labels).backward()
        self.optimizer.step()
        return time.perf_counter() - began


def wires(settings: Any, layout: str) -> Rows:
    """Return bytes and times of steps, by ρ, beside what the formula says of them."""
    rows = []
    for rho in settings.rhos:
        schedule = Full() if rho == 1 else TopKAllBottoms(k=1, rho=rho, draw="step")
        steps = Steps(settings.width, settings.depth, layout, settings.batch_size)
        drawn = [
            schedule.plan(0, step, len(steps.full), settings.seed).layers
            for step in range(settings.num_steps)
        ]
        with wire.Wire() as counted:
            for plan in drawn:
                steps.take(plan)
        # Sorted, since what a change of plan costs is not what is timed.
        seconds = [steps.take(plan) for plan in sorted(drawn, key=len)]
        own = settings.processes, settings.batch_size
        formula = {plan: steps.formula(plan, *own) for plan in drawn}
        full = steps.formula(steps.full, *own)
        top = steps.formula(frozenset({settings.depth}), *own)
        rows.append(
            {
                "rho": float(rho),
                "num_full": sum(plan == steps.full for plan in drawn),
                "sent": counted.sent(settings.processes) / len(drawn),
                "formula": statistics.mean(formula[plan] for plan in drawn),
                "expected": rho * full + (1 - rho) * top,
                "calls": sum(counted.calls.values()) / len(drawn),
                "milliseconds": 1000 * statistics.mean(seconds),
            }
        )
    return rows


def scaling(settings: Any, width: int) -> Rows:
    """Return the shortest steps: of one process, and of all with its batch or more.

    Strong: the batch is shared. Weak: each process has as many images as one had.
    Other programs make steps longer, and none shorter; so that they do it to both, one
    process and all are timed in turn, and each pair again in every round.
    """
    num, batch, rows = settings.processes, settings.batch_size, []
    one = Steps(width, 1, "", batch)
    shared = {
        (layout, kind): Steps(width, 1, layout, size)
        for layout in settings.layouts
        for kind, size in (("strong", batch), ("weak", num * batch))
    }

    def shortest(steps: Steps) -> float:
        return 1000 * min(steps.take(steps.full) for _ in range(settings.num_steps))

    for number in range(settings.num_rounds):
        for (layout, kind), steps in shared.items():
            alone = shortest(one) if is_first() else 0.0
            torch.distributed.barrier()  # until then, the others leave it the machine
            row = {"round": number, "layout": layout, "kind": kind, "alone": alone}
            rows.append(row | {"shared": shortest(steps)})
    return rows


KINDS: dict[str, Callable[[Any, Any], Rows]] = {
    "curves": curves,
    "wire": wires,
    "scaling": scaling,
}


def main(asked: str, path: str) -> None:
    """Measure as one of several processes."""
    kind, settings, value = json.loads(asked)
    join("cpu")
    torch.set_num_threads(1)
    rows = KINDS[kind](SimpleNamespace(**settings), value)
    if is_first():
        Path(path).write_text(json.dumps(rows), encoding="utf-8")
    leave(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
