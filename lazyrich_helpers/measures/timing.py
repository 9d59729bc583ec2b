"""Where a training step's time goes, and how much of it a frozen layer saves.

Seconds are the wall's. On a GPU each phase ends with a synchronization, so that it is
charged what it started. Plans that are to be compared take turns, step by step: what
slows the machine for a while slows them all.
"""

import contextlib
import itertools
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lazyrich_helpers.data.augmentation import shifted
from lazyrich_helpers.lws.frozen_prefix import set_trainable
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.arithmetic import arithmetic
from lazyrich_helpers.training.loop import new_network, new_optimizer, start_of
from lazyrich_helpers.training.run_config import RunConfig

PHASES = ("data", "forward", "backward", "optimizer")


def step_seconds(
    config: RunConfig,
    plans: Mapping[str, Collection[int]],
    *,
    device: str = "cpu",
    **options: Any,
) -> dict[str, dict[str, list[float]]]:
    """Return plan → phase (of `PHASES`) → the seconds of each training step.

    A plan is the layers that are trainable; `options` are of `model_step_seconds`.
    Nothing is kept between steps: frozen layers are computed anew, as in the paper.
    """
    data = config.data.load(device)
    network = new_network(config, data)
    start = start_of(config, network)
    size = config.training.batch_size

    def batch(step: int) -> tuple[Tensor, Tensor]:
        places = (torch.arange(size) + step * size) % len(data.train)
        places = places.to(data.device)
        images = data.train.images[places]
        if data.shift is not None:
            images = shifted(images, data.shift, generator("timing", step))
        return images, data.train.labels[places]

    def loss(images: Tensor, labels: Tensor) -> Tensor:
        return config.objective.loss(network, images, labels, start)

    layers, optimizer = list(network.layers), new_optimizer(config, network)
    with arithmetic(config.training.precision, data.device):
        return model_step_seconds(
            layers, batch, loss, optimizer, plans, device=device, **options
        )


def model_step_seconds(
    layers: Sequence[nn.Module],
    batch: Callable[[int], tuple[Any, Any]],
    loss: Callable[[Any, Any], Tensor],
    optimizer: torch.optim.Optimizer,
    plans: Mapping[str, Collection[int]],
    *,
    num_steps: int = 20,
    warm_up: int = 3,
    device: str = "cpu",
    watch: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> dict[str, dict[str, list[float]]]:
    """Return what `step_seconds` does, of any torch model; it is trained on the way.

    Args:
        layers: The model's, input to output; together they hold all its parameters.
        batch: Step → inputs and labels.
        loss: Inputs and labels → the model's mean loss.
        optimizer: Of the model; it leaves a parameter without a gradient alone.
        plans: Name → layers that are trainable, 0 the bottom.
        num_steps: Steps of each plan.
        warm_up: Steps of each plan before those, not reported.
        device: Where the model is.
        watch: Is handed the steps and hands them out: `progress.watched` draws a bar.
    """
    found = {plan: {phase: [] for phase in PHASES} for plan in plans}
    for step in watch(range(warm_up + num_steps)):
        for plan, trainable in plans.items():
            set_trainable(layers, trainable)
            phases = _step(batch, loss, optimizer, step, torch.device(device))
            for phase, seconds in zip(PHASES, phases, strict=True):
                found[plan][phase] += [seconds] if step >= warm_up else []
    return found


def _step(
    batch: Callable[[int], tuple[Any, Any]],
    loss: Callable[[Any, Any], Tensor],
    optimizer: torch.optim.Optimizer,
    step: int,
    device: torch.device,
) -> list[float]:
    """Take a step; return the seconds of each phase."""
    optimizer.zero_grad(set_to_none=True)
    marks = [now(device)]

    def after(result: Any) -> Any:
        marks.append(now(device))
        return result

    inputs, labels = after(batch(step))
    mean = after(loss(inputs, labels))
    after(mean.backward())
    after(optimizer.step())
    return [end - start for start, end in itertools.pairwise(marks)]


def now(device: torch.device) -> float:
    """Return the wall's seconds, once `device` has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@contextlib.contextmanager
def kept_for_backward(*known: Tensor) -> Iterator[dict[int, int]]:
    """Yield what autograd keeps inside, but for `known`: storage → bytes."""
    own = {tensor.untyped_storage().data_ptr() for tensor in known}
    kept: dict[int, int] = {}

    def pack(saved: Tensor) -> Tensor:
        storage = saved.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        yield kept


def step_bytes(
    config: RunConfig, trainable: Collection[int], *, device: str = "cpu"
) -> dict[str, int]:
    """Return the bytes that a step has to hold at its fullest.

    `activations`: what the forward pass keeps for the backward pass, less parameters,
    images and labels; `gradients`; `optimizer`: what it remembers of the trainable
    layers. The parameters themselves are the same for every plan.
    """
    data = config.data.load(device)
    network = new_network(config, data)
    start = start_of(config, network)
    set_trainable(list(network.layers), trainable)
    optimizer = new_optimizer(config, network)
    size = config.training.batch_size
    images, labels = data.train.images[:size], data.train.labels[:size]
    with arithmetic(config.training.precision, data.device):
        with kept_for_backward(*network.parameters(), images, labels) as kept:
            loss = config.objective.loss(network, images, labels, start)
        loss.backward()
    optimizer.step()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    state = [
        value
        for values in optimizer.state.values()
        for value in values.values()
        if isinstance(value, Tensor) and value.dim() > 0
    ]
    return {
        "activations": sum(kept.values()),
        "gradients": sum(values.nbytes for values in gradients),
        "optimizer": sum(values.nbytes for values in state),
    }
