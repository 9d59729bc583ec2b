"""The training loop: a generator of epochs. Callers plot, log and stop."""

import dataclasses
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lazyrich_helpers.data.augmentation import shifted
from lazyrich_helpers.data.datasets import Dataset, Split
from lazyrich_helpers.lws.frozen_prefix import MOST_BYTES, SleepingBottom, wake
from lazyrich_helpers.lws.schedules import Plan, TimedSchedule
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.optimizer_state import forget
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.arithmetic import arithmetic
from lazyrich_helpers.training.run_config import RunConfig

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
    network = config.model.build(data.image_shape, data.num_classes)
    config.init.initialize_(network, config.training.seed)
    return network.to(data.device)


def new_optimizer(config: RunConfig, network: Network) -> torch.optim.Optimizer:
    """Return the optimizer of `config`, with a parameter group for each layer.

    Fused SGD can not step a group of which some have momentum and some have not yet.
    """
    return config.optimizer.build(
        [{"params": list(layer.parameters())} for layer in network.layers]
    )


class TrainingState:
    """What a training carries from one epoch to the next; it can be kept and put back.

    The order of the images, their shifts and the schedule's draws are no part of it:
    they follow from the seed and the epoch.

    Args:
        network: As it is before the first step.
        data: What it learns from, on the network's device.
        config: Says how.
        most_kept: As in `train`.
    """

    def __init__(
        self,
        network: Network,
        data: Dataset,
        config: RunConfig,
        *,
        most_kept: int = MOST_BYTES,
    ) -> None:
        self.num_done = 0
        """Epochs."""
        self.optimizer = new_optimizer(config, network)
        splits = (*(data.views or [data.train]), data.test)
        *self.bottoms, self.shown = (
            SleepingBottom(list(network.layers), split.images, most_bytes=most_kept)
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
            "bottoms": [bottom.starts for bottom in (*self.bottoms, self.shown)],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put network, optimizer and epoch back to where they were.

        Raises:
            KeyError, RuntimeError, ValueError: If it is another network's state.
        """
        self._network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.num_done = state["num_done"]
        bottoms = (*self.bottoms, self.shown)
        for bottom, starts in zip(bottoms, state["bottoms"], strict=True):
            # One number is of a checkpoint from when only the highest was kept.
            for start in [starts] if isinstance(starts, int) else starts:
                with arithmetic(*self._arithmetic):
                    bottom.inputs(start)


def train(
    network: Network,
    data: Dataset,
    config: RunConfig,
    *,
    eval_every: int = 1,
    most_kept: int = MOST_BYTES,
    state: TrainingState | None = None,
) -> Iterator[Epoch]:
    """Train `network` in place; yield after each epoch.

    Test accuracy is measured every `eval_every` epochs and after the last; this does
    not change the training. Between epochs every parameter accepts gradients.

    A layer that the plan leaves out does not move, by any route: it has no gradient, so
    neither momentum nor weight decay touches it, and the backward pass ends at the
    lowest layer that is updated. What the layers below that one make of the images is
    computed before the epoch's first step, and kept for as long as they sleep; up to
    rounding, the updates are the same. Of images that are shifted at random nothing is
    kept: they are never the same twice. Training ends early only where the loss is no
    longer finite: that epoch is the last one yielded.

    A plan's factors are on the learning rate that the optimizer's part has for the
    epoch.

    Args:
        network: Trained in place.
        data: On the network's device.
        config: Says how.
        eval_every: Epochs between two looks at the test images.
        most_kept: Most bytes of the sleeping layers' outputs that are kept, for each
            view of the training images and for the test images; 0 computes them anew at
            every step.
        state: Of these three, to go on from; it is kept up to date. None starts anew.
    """
    settings = config.training
    if state is None:
        state = TrainingState(network, data, config, most_kept=most_kept)
    bottoms, shown = state.bottoms, state.shown
    for epoch in range(state.num_done, settings.num_epochs):
        began = time.perf_counter()
        plans = epoch_plans(config, epoch, len(data.train), len(network.layers))
        awake = frozenset().union(*(plan.layers for plan in plans))
        with arithmetic(settings.precision, data.device):
            fixed = data.shift is None
            bottom = bottoms[epoch % len(bottoms)]
            start, inputs = bottom.inputs(min(awake) if fixed else 0)
            task = _Task(epoch, plans, start, inputs, data.train.labels, data.shift)
            loss = _train_epoch(network, task, config, state.optimizer)
        del inputs, task  # or what the next epoch forgets would still take memory
        for bottom in (*bottoms, shown):
            bottom.moved(awake)
        seconds = time.perf_counter() - began
        done = epoch + 1
        due = done % eval_every == 0 or done == settings.num_epochs
        correct = None
        if due:
            with arithmetic(settings.precision, data.device):
                start, inputs = shown.inputs(min(awake))
            test = Split(inputs, data.test.labels)
            correct = count_correct(network, test, settings.precision, start)
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


@dataclass(frozen=True, eq=False)
class _Task:
    """What one epoch has to do."""

    epoch: int
    plans: list[Plan]
    """Of each step."""
    start: int
    """The lowest layer that is computed at each step; those below it sleep."""
    inputs: Tensor
    """What that layer reads, for every training image, (n, ...)."""
    labels: Tensor
    shift: int | None
    """Largest random shift of an image, as in `Dataset`."""


def _train_epoch(
    network: Network,
    task: _Task,
    config: RunConfig,
    optimizer: torch.optim.Optimizer,
) -> float:
    """Take every step of one epoch; return the mean training loss, in nats."""
    seed, lr = config.training.seed, config.optimizer.lr_at(task.epoch)
    order = torch.randperm(
        len(task.labels), generator=generator("order", seed, task.epoch)
    ).to(task.labels.device)
    total = torch.zeros((), device=order.device)  # summed there: one wait per epoch
    awake: frozenset[int] = frozenset()
    batches = order.split(config.training.batch_size)
    try:
        for step, (plan, batch) in enumerate(zip(task.plans, batches, strict=True)):
            if plan.layers != awake:
                wake(list(network.layers), plan.layers)
                awake = plan.layers
            for layer, scale in plan.scales.items():
                optimizer.param_groups[layer]["lr"] = lr * scale
            for layer in plan.forget:
                forget(optimizer, network.layers[layer].parameters())
            inputs = task.inputs[batch]
            if task.shift is not None:
                stream = generator("shift", seed, task.epoch, step)
                inputs = shifted(inputs, task.shift, stream)
            optimizer.zero_grad(set_to_none=True)
            logits = at_least_single(network(inputs, task.start))
            loss = config.objective.loss(logits, task.labels[batch])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(batch)
    finally:
        network.requires_grad_(True)
    return total.item() / len(order)


def at_least_single(values: Tensor) -> Tensor:
    """Return `values` in fp32 where they are in less, such as bf16."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


@torch.no_grad()
def count_correct(
    network: Network, split: Split, precision: str, start: int = 0
) -> int:
    """Return how many images of `split` the network classifies correctly.

    With `start`, the images are what that layer reads.
    """
    network.eval()
    correct = torch.zeros((), dtype=torch.int64, device=split.labels.device)
    with arithmetic(precision, split.labels.device):
        batches = (split.images.split(EVAL_BATCH), split.labels.split(EVAL_BATCH))
        for images, labels in zip(*batches, strict=True):
            correct += (network(images, start).argmax(1) == labels).sum()
    return int(correct)
