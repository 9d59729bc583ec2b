"""Networks that are trained at several learning rates as one, and the best of those."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from lazyrich_helpers.data.datasets import Dataset, Split
from lazyrich_helpers.lws.partial import Sampler
from lazyrich_helpers.training.partial_sgd import accuracies, partial_sgd, shuffled


def at_best_rate(
    settings: Any,
    network: Any,
    data: Dataset,
    sampler: Sampler,
    num_steps: int,
    parts: Iterable[Any],
) -> tuple[float, Callable[[Any], list[float]]]:
    """Train networks; return a rate, and part → the test accuracy of each seed at it.

    The rate is the best on held-out images, for the mean over seeds and parts.

    Args:
        settings: Has `lrs`, `seeds` and `batch_size`.
        network: A stack, of each rate one for each seed; trained in place.
        data: What they learn from.
        sampler: Of their steps.
        num_steps: Of each.
        parts: Of the network; None is the whole.
    """
    seeds = list(settings.seeds) * len(settings.lrs)
    lrs = torch.tensor(settings.lrs).repeat_interleave(len(settings.seeds))
    training = partial_sgd(
        network,
        shuffled(data.train, seeds, settings.batch_size),
        sampler,
        lr=lrs.to(data.device),
        num_steps=num_steps,
        steps_per_epoch=len(data.train) // settings.batch_size,
        seed=0,
    )
    for _ in training:
        pass

    def of_each(split: Split, part: Any) -> Tensor:  # (num_lrs, num_seeds)
        found = accuracies(network, split, len(seeds), part)
        return found.view(len(settings.lrs), -1).cpu()

    held_out = torch.stack([of_each(data.held_out, part).mean(1) for part in parts])
    best = int(held_out.mean(0).argmax())
    return settings.lrs[best], lambda part: of_each(data.test, part)[best].tolist()
