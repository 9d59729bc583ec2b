"""One network, one budget, every sampler: what each reaches, and what it costs."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.data.datasets import Dataset, images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.measures.partial_costs import plan_bytes, plan_flops
from lazyrich_helpers.models.stacked import draw_
from lazyrich_helpers.papers.partial_sgd.entries import ENTRIES, Entry, steps_of
from lazyrich_helpers.papers.partial_sgd.masks import updated_shares
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.partial_sgd import accuracies, partial_sgd, shuffled

TUNING_SEED = 100
"""Of the runs that choose a learning rate; no seed of the table."""
NUM_LOOKS = 20
"""Rows of a training; at every second the network is evaluated."""


@dataclass(frozen=True, kw_only=True)
class SamplerSettings:
    """A fully connected network, its data, and a budget of steps."""

    samplers: tuple[str, ...] = tuple(ENTRIES)
    dataset: str = "mnist"
    train_size: int = 1000
    width: int = 100
    depth: int = 4
    """Hidden layers."""
    batch_size: int = 50
    num_steps: int = 400
    """T: gradients of full training."""
    lrs: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
    seeds: tuple[int, ...] = (0, 1, 2)


def point(settings: SamplerSettings, name: str, device: str) -> pd.DataFrame:
    """Return what a sampler reached and cost at every look, of every seed."""
    entry = ENTRIES[name]
    data = images(settings.dataset, train_size=settings.train_size).load(device)
    counts = {m: steps_of(entry, settings.num_steps, m) for m in ("core", "total")}
    if counts["core"] == counts["total"]:
        counts = {"both": settings.num_steps}
    frames = []
    for matched, count in counts.items():
        lr = _best_lr(settings, entry, data, count)
        for seed in settings.seeds:
            rows = _trained(settings, entry, data, count, seed, lr)
            if seed != settings.seeds[0]:
                rows["updated"] = ""  # masks are shown of the first
            rows.insert(0, "matched", matched)
            rows.insert(0, "seed", seed)
            frames.append(rows.assign(lr=lr))
    return pd.concat(frames, ignore_index=True)


def _network(
    settings: SamplerSettings, entry: Entry, data: Dataset, seeds: list[int]
) -> Any:
    inputs = data.train.images[0].numel()
    sizes = (inputs, *[settings.width] * settings.depth, data.num_classes)
    network = entry.build(len(seeds), sizes)
    draw_(network, [generator("partial", seed) for seed in seeds], rest=entry.rest)
    return network.to(data.device)


def _steps(settings, entry, data, count, network, seeds, lr: Tensor):
    return partial_sgd(
        network,
        shuffled(data.train, seeds, settings.batch_size),
        entry.sampler,
        lr=lr.to(data.device),
        num_steps=count,
        steps_per_epoch=len(data.train) // settings.batch_size,
        seed=seeds[0],
    )


def _best_lr(settings, entry, data, count) -> float:
    """Return the rate that is best on held-out images; all rates are trained as one."""
    seeds = [TUNING_SEED] * len(settings.lrs)
    network = _network(settings, entry, data, seeds)
    lrs = entry.lr_factor * torch.tensor(settings.lrs)
    for _ in _steps(settings, entry, data, count, network, seeds, lrs):
        pass
    found = accuracies(network, data.held_out, len(seeds))
    return round(entry.lr_factor * settings.lrs[int(found.argmax())], 6)


def _trained(settings, entry, data, count, seed, lr) -> pd.DataFrame:
    """Return a row for each look; costs are sums since the start."""
    network = _network(settings, entry, data, [seed])
    inputs, labels = shuffled(data.train, [seed], settings.batch_size)(0)
    rows, plans, shares = [], {}, []
    sums = {"forward": 0, "backward": 0, "backward_seconds": 0.0, "seconds": 0.0}
    training = _steps(settings, entry, data, count, network, [seed], torch.tensor([lr]))
    looks = {round(count * (n + 1) / NUM_LOOKS) for n in range(NUM_LOOKS)}
    for step, done in enumerate(training, start=1):
        plan, extra = done.plan, done.num_extra
        forward, backward = plan_flops(network, plan, extra)
        own = (forward, backward, done.backward_seconds, done.seconds)
        sums = {k: v + more for (k, v), more in zip(sums.items(), own, strict=True)}
        shares.append(updated_shares(network, plan))
        plans.setdefault((plan.layers, forward, extra), plan)  # one of each cost
        if step in looks:
            mean = torch.tensor(shares).mean(0)
            shares = []
            due = len(rows) % 2 == 1  # the last, too
            reached = accuracies(network, data.test, 1).item() if due else math.nan
            rows.append(
                {
                    "step": step,
                    "accuracy": reached,
                    **sums,
                    "updated": " ".join(
                        f"{100 * share:.0f}" for share in mean.tolist()
                    ),
                }
            )
    held = [
        plan_bytes(network, plan, extra, inputs, labels)
        for (_, _, extra), plan in plans.items()
    ]
    return pd.DataFrame(rows).assign(bytes=max(held))


SMOKE = ("sgd", "lws-step", "random", "sam")
LAPTOP = (*SMOKE, "lws-static", "lws-epoch", "badam", "dropout", "slimmable")

SAMPLERS = Study(
    name="partial-samplers",
    says="Samplers of masks and perturbations on one network: accuracy, operations, "
    "CPU time and memory, at matched core and at matched total steps",
    point=point,
    over="samplers",
    budgets={
        "smoke": SamplerSettings(
            samplers=SMOKE,
            width=16,
            depth=2,
            num_steps=40,
            lrs=(0.05, 0.2),
            seeds=(0, 1),
            dataset="digits",
        ),
        "laptop": SamplerSettings(
            samplers=LAPTOP,
            width=64,
            depth=3,
            num_steps=200,
            lrs=(0.05, 0.1, 0.2),
            dataset="digits",
        ),
        "paper": SamplerSettings(),
    },
    version=3,
)
