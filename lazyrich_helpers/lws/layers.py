"""The layers that `LayerwiseSparse` is given: what is in them, and how it is called."""

import gc
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from lazyrich_helpers.config import require

Member = nn.Module | nn.Parameter
Layer = Member | Sequence[Member]
"""A module or parameter, or several that are one layer, such as a convolution and its
batch norm, or an embedding and its bare position parameter."""
MOST_NAMES = 4
"""Tensors that a message names one by one."""


def members_of(layers: Sequence[Layer] | nn.Module) -> list[list[Member]]:
    """Return each layer's modules and parameters, input to output.

    Raises:
        ValueError: If their order is not known, or something else is among them.
    """
    if isinstance(layers, nn.Module) and not isinstance(
        layers, nn.ModuleList | nn.Sequential
    ):
        raise ValueError(
            "layers must be a list of the model's layers, input to output, such as "
            f"[model.conv1, model.block1, model.fc]; got a {names([layers])}, whose "
            "order torch does not know."
        )
    found = []
    for index, layer in enumerate(layers):
        members: list[Any] = [layer]
        if isinstance(layer, Iterable) and not isinstance(layer, Member):
            members = [*layer]
        strange = [member for member in members if not isinstance(member, Member)]
        if strange:
            raise ValueError(
                f"layer {index} must be a module, a parameter or a list of them; "
                f"got a {names(strange[:1])}."
            )
        found.append(members)
    return found


def parameters_in(layer: Sequence[Member]) -> list[nn.Parameter]:
    """Return all parameters of a layer."""
    found: list[nn.Parameter] = []
    for member in layer:
        found += [member] if isinstance(member, nn.Parameter) else member.parameters()
    return found


def modules_in(layers: Sequence[list[Member]]) -> set[nn.Module]:
    """Return the modules in these layers, and all that these hold."""
    members = [member for layer in layers for member in layer]
    held = [m.modules() for m in members if isinstance(m, nn.Module)]
    return {module for modules in held for module in modules}


def owners(layers: Sequence[list[Member]]) -> dict[int, int]:
    """Return the layer of each parameter, by its id.

    Raises:
        ValueError: If a layer has no parameters, or not for itself.
    """
    require(len(layers) >= 1, "layers", "at least one layer", [])
    owner: dict[int, int] = {}
    for index, layer in enumerate(layers):
        parameters = parameters_in(layer)
        if not parameters:
            raise ValueError(
                f"layer {index} ({names(layer)}) has no parameters: leave it out, or "
                "put it into one list with the layer it belongs to."
            )
        for p in parameters:
            if owner.setdefault(id(p), index) != index:
                raise ValueError(
                    f"layers {owner[id(p)]} and {index} ({names(layer)}) share a "
                    f"parameter, {tensor_names([p])}, so that one can not be frozen "
                    "while the other is trained; put both into one list."
                )
    return owner


def names(members: Sequence[object]) -> str:
    """Return the classes of a layer's modules and parameters."""
    return ", ".join(type(member).__name__ for member in members)


def tensor_names(tensors: Sequence[Tensor]) -> str:
    """Return the names and shapes of parameters and buffers, as their model has them.

    A layer does not know which model it is part of, so that every module in memory is
    asked: this takes a moment, and is for a message that ends the training.
    """
    first = tensors[:MOST_NAMES]
    found = dict.fromkeys(map(id, first), "unnamed")
    for thing in gc.get_objects():
        if not issubclass(type(thing), nn.Module) or "_buffers" not in vars(thing):
            continue  # the latter is a module that is still being made
        for name, tensor in [*thing.named_parameters(), *thing.named_buffers()]:
            known = found.get(id(tensor))
            if known == "unnamed" or (known and name.count(".") > known.count(".")):
                found[id(tensor)] = name
    told = [f"{found[id(tensor)]} {tuple(tensor.shape)}" for tensor in first]
    left = len(tensors) - len(first)
    return ", ".join(told) + (f" and {left} more" if left else "")
