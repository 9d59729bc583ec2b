"""The training loop: a generator of epochs. Callers plot, log and stop."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lazyrich_helpers.data.datasets import Dataset, Split
from lazyrich_helpers.lws.frozen_prefix import MOST_BYTES, FrozenPrefixCache
from lazyrich_helpers.lws.plans import Plan, TimedSchedule
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.training.arithmetic import arithmetic
from lazyrich_helpers.training.run_config import RunConfig
from lazyrich_helpers.training.sharding import ALONE, Sharding
from lazyrich_helpers.training.steps import EpochTask, train_epoch

NUMERICS_VERSION = 1
EVAL_BATCH = 1000
"""Images per forward pass outside training; bounds memory at large widths."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch did."""

    number: int
    """Epochs done, 1 after the first."""
    train_loss: float
    """Mean over the epoch's examples, each at the step that used it."""
    num_correct: int | None
    """Test images classified correctly after the epoch; None where not evaluated."""
    seconds: float
    """Wall time of the training steps alone."""


@dataclass(frozen=True, eq=False)
class Run:
    """A network in training, with all it is trained by and where it started."""

    config: RunConfig
    data: Dataset
    network: Network
    initial: Tensor
    """All parameters before training (num_parameters,), on the network's device."""


@dataclass(frozen=True, eq=False)
class Trained(Run):
    """A trained network with where it started and ended."""

    final: Tensor
    """All parameters after training (num_parameters,)."""


def new_network(config: RunConfig, data: Dataset) -> Network:
    """Return the initialized network of `config`, on the device of `data`."""
    return initialized(config, data).to(data.device)


def initialized(config: RunConfig, data: Dataset) -> Network:
    """Return the network before its first step, on the CPU."""
    network = config.model.build(data.image_shape, data.num_classes)
    inputs = data.train.images[: config.training.batch_size].cpu()
    config.init.initialize_(network, config.training.seed, inputs)
    return network


def start_of(config: RunConfig, network: Network) -> Tensor:
    """Return θ⁰ of an untrained network, as its objective needs it: or nothing."""
    # As much memory as the network: not for those who do not look.
    return torch.empty(0) if config.objective.of_logits else flat_parameters(network)


def new_optimizer(config: RunConfig, network: Network) -> torch.optim.Optimizer:
    """Return the optimizer of `config`, with a parameter group for each layer.

    Fused SGD can not step a group of which some have momentum and some have not yet.
    """
    groups = [{"params": list(layer.parameters())} for layer in network.layers]
    return config.optimizer.build(groups)


class TrainingState:
    """What a training carries from one epoch to the next; it can be kept and put back.

    The order of the images, their shifts and the schedule's draws are no part of it:
    they follow from the seed and the epoch. `cache_bytes` is as in `train`.
    """

    def __init__(
        self,
        network: Network,
        data: Dataset,
        config: RunConfig,
        *,
        cache_bytes: int = MOST_BYTES,
    ) -> None:
        self.num_done = 0
        """Epochs."""
        self.optimizer = new_optimizer(config, network)
        self.start = start_of(config, network)
        """As `Objective.loss` has it."""
        splits = (*(data.views or [data.train]), data.test)
        *self.caches, self.test_cache = (
            FrozenPrefixCache(
                list(network.layers), split.images, most_bytes=cache_bytes
            )
            for split in splits
        )
        self._network = network
        self._arithmetic = config.training.precision, data.device

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs, by reference: tensors, numbers, text."""
        return {
            "num_done": self.num_done,
            "network": self._network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "bottoms": [cache.starts for cache in (*self.caches, self.test_cache)],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put network, optimizer and epoch back to where they were.

        Raises:
            KeyError, RuntimeError, ValueError: If it is another network's state.
        """
        self._network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.num_done = state["num_done"]
        caches = (*self.caches, self.test_cache)
        for cache, starts in zip(caches, state["bottoms"], strict=True):
            for start in starts:
                with arithmetic(*self._arithmetic):
                    cache.inputs(start)


def train(
    network: Network,
    data: Dataset,
    config: RunConfig,
    *,
    eval_every: int = 1,
    cache_bytes: int = MOST_BYTES,
    state: TrainingState | None = None,
    sharding: Sharding = ALONE,
) -> Iterator[Epoch]:
    """Train `network` in place; yield after each epoch.

    Test accuracy is measured every `eval_every` epochs and after the last; this does
    not change the training. Between epochs every parameter accepts gradients.

    A layer that the plan leaves out does not move, by any route: it has no gradient, so
    neither momentum nor weight decay touches it, and the backward pass ends at the
    lowest layer that is updated. What the layers below that one make of the images is
    computed before the epoch's first step, and cached for as long as they are frozen;
    up to rounding, the updates are the same. Nothing is cached of images that are
    shifted at random, which are never the same twice, or for an objective that sees
    more than logits. Training ends early only where the loss is no longer finite: that
    epoch is the last one yielded.

    A plan's factors are on the learning rate that the optimizer's part has for the
    step.

    Args:
        network: Trained in place.
        data: On the network's device.
        config: Says how.
        eval_every: Epochs between two looks at the test images.
        cache_bytes: Most bytes of the frozen layers' activations that are cached, for
            each view of the training images and for the test images; 0 computes them
            anew at every step.
        state: Of these three, to go on from; it is kept up to date. None starts anew.
        sharding: How processes share it; where they do, nothing is cached.
    """
    settings = config.training
    if state is None:
        state = TrainingState(network, data, config, cache_bytes=cache_bytes)
    caches, test_cache = state.caches, state.test_cache
    fixed = data.shift is None and config.objective.of_logits and sharding.alone
    for epoch in range(state.num_done, settings.num_epochs):
        began = time.perf_counter()
        plans = epoch_plans(config, epoch, len(data.train), len(network.layers))
        trainable = frozenset().union(*(plan.layers for plan in plans))
        with arithmetic(settings.precision, data.device):
            cache = caches[epoch % len(caches)]
            cut, inputs = cache.inputs(min(trainable) if fixed else 0)
            others = data.train.labels, data.shift, state.start, sharding
            task = EpochTask(epoch, plans, cut, inputs, *others)
            loss = train_epoch(network, task, config, state.optimizer)
        del inputs, task  # or what the next epoch forgets would still take memory
        for cache in (*caches, test_cache):
            cache.moved(trainable)
        seconds, done = time.perf_counter() - began, epoch + 1
        due = done % eval_every == 0 or done == settings.num_epochs
        correct = None
        if due:
            with arithmetic(settings.precision, data.device):
                cut, inputs = test_cache.inputs(min(trainable) if sharding.alone else 0)
            test, above = Split(inputs, data.test.labels), network.above(cut)
            correct = count_correct(above, test, settings.precision)
            del inputs, test
        state.num_done = done
        yield Epoch(done, loss, correct, seconds)
        if not math.isfinite(loss):
            return


def epoch_plans(
    config: RunConfig, epoch: int, num_examples: int, num_layers: int
) -> list[Plan]:
    """Return the plan of each step of `epoch`.

    Raises:
        ValueError: If the schedule was made for a training of another length.
    """
    settings, updates = config.training, config.updates
    num_steps = math.ceil(num_examples / settings.batch_size)
    if isinstance(updates, TimedSchedule):
        updates.check_length(settings.num_epochs, num_steps)
    drawn = range(num_steps if updates.per_step else 1)
    plans = [updates.plan(epoch, step, num_layers, settings.seed) for step in drawn]
    if updates.per_step:
        return plans
    later = dataclasses.replace(plans[0], forget=frozenset())  # once an epoch is enough
    return plans + [later] * (num_steps - 1)


@torch.no_grad()
def count_correct(network: Network, split: Split, precision: str) -> int:
    """Return how many images of `split` the network classifies correctly."""
    network.eval()
    with arithmetic(precision, split.labels.device):
        return int(num_correct(network, split))


def num_correct(outputs: Callable[[Tensor], Tensor], split: Split) -> Tensor:
    """Return how many images have their largest output right; of each network (...)."""
    batches = split.batches(EVAL_BATCH)
    right = [(outputs(x).argmax(-1) == y).sum(-1) for x, y in batches]
    return torch.stack(right).sum(0)
