"""What is done to layers inside a context, and undone where it ends."""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from lazyrich_helpers.lws.layers import Member, parameters_in


@contextlib.contextmanager
def without_gradients(layers: Sequence[list[Member]]) -> Iterator[None]:
    """Inside, no parameter of these layers gets a gradient.

    Afterwards those do that did before: not what the caller had frozen.
    """
    before = [[(p, p.requires_grad) for p in parameters_in(own)] for own in layers]
    for own in layers:
        for p in parameters_in(own):
            p.requires_grad_(False)
            p.grad = None  # zeros would still let weight decay move it
    try:
        yield
    finally:
        for own, known in zip(layers, before, strict=True):
            now = parameters_in(own)  # others, if they were assigned inside
            for (p, was_trainable), same in zip(known, now, strict=False):
                if was_trainable:
                    p.requires_grad_(True)
                    same.requires_grad_(True)


@contextlib.contextmanager
def in_eval_mode(modules: Collection[nn.Module]) -> Iterator[None]:
    """Inside, they compute in eval mode, even after `model.train()`.

    Each module has its own hooks: a model may call the parts of a layer one by one.
    Recurrent modules without dropout keep their mode, which changes no value: cuDNN has
    no backward pass of them in eval mode, and a trainable layer below may need it.
    """
    with contextlib.ExitStack() as hooks:
        for module in modules:
            if isinstance(module, nn.RNNBase) and not module.dropout:
                continue
            for hook in _eval_hooks(module):
                hooks.enter_context(hook)
        yield


def _eval_hooks(module: nn.Module) -> list[RemovableHandle]:
    """Return hooks that put a module, not what it holds, into eval mode in a call."""
    modes: list[bool] = []

    def enter(module: nn.Module, inputs: Any) -> None:
        modes.append(module.training)
        module.training = False

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        module.training = modes.pop()

    return [
        module.register_forward_pre_hook(enter, prepend=True),
        module.register_forward_hook(leave, always_call=True),
    ]


@contextlib.contextmanager
def scaled_rates(
    optimizers: Sequence[torch.optim.Optimizer],
    owner: Mapping[int, int],
    scales: Mapping[int, float],
) -> Iterator[None]:
    """Inside, a group's learning rate is multiplied by its layer's factor.

    Args:
        optimizers: Their groups are of one layer each.
        owner: The layer of each parameter, by its id.
        scales: Layer → factor; other layers keep their rate.

    Raises:
        ValueError: If a group is of several layers, or its rate was changed inside.
    """
    groups = [g for optimizer in optimizers for g in optimizer.param_groups]
    held = [{owner[id(p)] for p in group["params"]} for group in groups]
    for layers in held:
        if len(layers) > 1:
            raise ValueError(
                "this schedule has a learning rate for each layer, and the optimizer "
                f"has layers {sorted(layers)} in one group: give it a group for each "
                "layer."
            )
    before = [group["lr"] for group in groups]
    for group, layers in zip(groups, held, strict=True):
        for layer in layers & scales.keys():
            group["lr"] = group["lr"] * scales[layer]
    scaled = [float(group["lr"]) for group in groups]
    try:
        yield
        for group, lr in zip(groups, scaled, strict=True):
            now = float(group["lr"])
            if now != lr:
                raise ValueError(
                    f"a learning rate was changed inside from {lr:g} to {now:g}, which "
                    "is lost, since the schedule scales it: step torch's schedulers "
                    "outside."
                )
    finally:
        for group, lr in zip(groups, before, strict=True):
            group["lr"] = lr
