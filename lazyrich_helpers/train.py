"""The training loop: a generator of epochs. Callers plot, log and stop."""

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.data import Dataset, Split
from lazyrich_helpers.models import Network
from lazyrich_helpers.randomness import generator
from lazyrich_helpers.schedules import Plan

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


def train(
    network: Network, data: Dataset, config: RunConfig, *, eval_every: int = 1
) -> Iterator[Epoch]:
    """Train `network` in place; yield after each epoch.

    Test accuracy is measured every `eval_every` epochs and after the last; this does
    not change the training. Between epochs every parameter accepts gradients.

    A layer that the plan leaves out does not move, by any route: it has no gradient, so
    neither momentum nor weight decay touches it, and the backward pass ends at the
    lowest layer that is updated. Training ends early only where the loss is no longer
    finite: that epoch is the last one yielded.
    """
    settings = config.training
    optimizer = config.optimizer.build(network.parameters())
    for epoch in range(settings.num_epochs):
        for group in optimizer.param_groups:
            group["lr"] = config.optimizer.lr_at(epoch)
        start = time.perf_counter()
        with arithmetic(settings.precision, data.device):
            loss = _train_epoch(network, data, config, optimizer, epoch)
        seconds = time.perf_counter() - start
        done = epoch + 1
        due = done % eval_every == 0 or done == settings.num_epochs
        correct = count_correct(network, data.test, settings.precision) if due else None
        yield Epoch(done, loss, correct, seconds)
        if not math.isfinite(loss):
            return


def _train_epoch(
    network: Network,
    data: Dataset,
    config: RunConfig,
    optimizer: torch.optim.Optimizer,
    epoch: int,
) -> float:
    """Take every step of one epoch; return the mean training loss, in nats."""
    settings = config.training
    stream = generator("order", settings.seed, epoch)
    order = torch.randperm(len(data.train), generator=stream).to(data.device)
    total = torch.zeros((), device=data.device)  # summed there: one wait per epoch
    num_layers = len(network.layers)
    plan = None
    for step, batch in enumerate(order.split(settings.batch_size)):
        before, plan = plan, config.updates.plan(epoch, step, num_layers, settings.seed)
        if plan != before:
            _wake(network, plan)
        logits = at_least_single(network(data.train.images[batch]))
        loss = config.objective.loss(logits, data.train.labels[batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(batch)
    network.requires_grad_(True)
    return total.item() / len(order)


def _wake(network: Network, plan: Plan) -> None:
    """Let the layers of `plan` move, and no others."""
    for index, layer in enumerate(network.layers):
        layer.requires_grad_(index in plan.layers)
        layer.train(index in plan.layers)  # a resting layer's statistics rest too


def at_least_single(values: Tensor) -> Tensor:
    """Return `values` in fp32 where they are in less, such as bf16."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


@torch.no_grad()
def count_correct(network: Network, split: Split, precision: str) -> int:
    """Return how many images of `split` the network classifies correctly."""
    network.eval()
    correct = torch.zeros((), dtype=torch.int64, device=split.labels.device)
    with arithmetic(precision, split.labels.device):
        batches = (split.images.split(EVAL_BATCH), split.labels.split(EVAL_BATCH))
        for images, labels in zip(*batches, strict=True):
            correct += (network(images).argmax(1) == labels).sum()
    return int(correct)


@contextlib.contextmanager
def arithmetic(precision: str, device: torch.device) -> Iterator[None]:
    """Compute at `precision` (see `Training.precision`) inside, as before outside."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium" if precision == "medium" else "highest")
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
