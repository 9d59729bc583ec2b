"""Names of a model's layers, parameters and buffers, for messages."""

import gc
from collections.abc import Sequence

from torch import Tensor, nn

MOST_NAMES = 4
"""Tensors that a message names one by one."""


def names(pieces: Sequence[object]) -> str:
    """Return the classes of a layer's modules and parameters."""
    return ", ".join(type(piece).__name__ for piece in pieces)


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
