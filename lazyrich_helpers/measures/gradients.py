"""Gradients of the training loss, taken between epochs."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from lazyrich_helpers.data.datasets import Split
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.training.arithmetic import arithmetic
from lazyrich_helpers.training.loop import EVAL_BATCH, Run


def full_gradient(run: Run) -> Tensor:
    """Return the gradient (p,) of the mean training loss, over the whole training set.

    Batch norm uses its running statistics here, so that the loss is a sum over images.
    The network, its gradients and its mode are left as found.
    """
    return _gradient(run, run.data.train, training=False)


def batch_gradient(run: Run, indices: Tensor) -> Tensor:
    """Return the gradient (p,) of the loss on one mini-batch, as training takes it.

    The batch is told by its places in the training set (batch,). Batch norm uses its
    own statistics. All is left as found, as above.
    """
    train = run.data.train
    batch = Split(train.images[indices], train.labels[indices])
    return _gradient(run, batch, training=True)


def _gradient(run: Run, split: Split, *, training: bool) -> Tensor:
    """Return the gradient of the mean loss on `split`, in chunks unless `training`."""
    network, config = run.network, run.config
    size = len(split) if training else EVAL_BATCH
    with (
        _collected(network) as gradient,
        arithmetic(config.training.precision, split.labels.device),
    ):
        network.train(training)
        for images, labels in split.batches(size):
            loss = config.objective.loss(network, images, labels, run.initial)
            (loss * (len(labels) / len(split))).backward()
    return gradient


@contextlib.contextmanager
def _collected(network: Network) -> Iterator[Tensor]:
    """Yield a vector (p,) that backward passes add to; then all is as it was."""
    parameters = list(network.parameters())
    sizes = [p.numel() for p in parameters]
    modules = list(network.modules())
    modes = [module.training for module in modules]
    buffers = [buffer.clone() for buffer in network.buffers()]
    grads = [p.grad for p in parameters]
    total = torch.zeros(sum(sizes), device=parameters[0].device)
    try:
        for p, part in zip(parameters, total.split(sizes), strict=True):
            p.grad = part.view_as(p)  # written in place: no second copy at any width
        yield total
    finally:
        for p, grad in zip(parameters, grads, strict=True):
            p.grad = grad
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        for buffer, before in zip(network.buffers(), buffers, strict=True):
            buffer.copy_(before)
