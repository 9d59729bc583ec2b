"""The order of a model's layers, held against what its forward pass does."""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lazyrich_helpers.lws.layer_names import names


@contextlib.contextmanager
def order_checked(
    modules: list[list[nn.Module]], owner: dict[int, int]
) -> Iterator[None]:
    """Inside, a layer that reads what a layer above it makes raises ValueError.

    It is looked at where it is first called, in autograd's graph, which shows what
    layers with gradients make. A layer above counts once all its modules were called:
    one that holds embedding and head is where its head is.

    Args:
        modules: Each layer's, input to output.
        owner: The layer of each parameter, by its id.
    """
    pieces = [{module for module in own if _trains(module)} for own in modules]
    called: list[set[nn.Module]] = [set() for _ in modules]

    def look(
        index: int, piece: nn.Module, _: nn.Module, args: Any, kwargs: dict[str, Any]
    ) -> None:
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return  # there is no graph
        is_first = not called[index]
        called[index].add(piece)
        for above in _makers((*args, *kwargs.values()), owner) if is_first else ():
            if above > index and called[above] and called[above] == pieces[above]:
                raise ValueError(
                    f"layer {index} ({names(modules[index])}) reads what layer "
                    f"{above} ({names(modules[above])}) makes: list the layers input "
                    "to output."
                )

    with contextlib.ExitStack() as stack:
        for index, own in enumerate(pieces):
            for piece in own:
                hook = functools.partial(look, index, piece)
                for each in filter(_trains, piece.modules()):
                    handle = each.register_forward_pre_hook(hook, with_kwargs=True)
                    stack.callback(handle.remove)
        yield


def _trains(module: nn.Module) -> bool:
    """Return whether it has parameters; what has none may be of several layers."""
    return next(module.parameters(), None) is not None


def _makers(values: Sequence[Any], owner: dict[int, int]) -> list[int]:
    """Return the layers of which a parameter leads to `values` in autograd's graph."""
    found: set[int] = set()
    seen: set[Any] = set()
    nodes = [value.grad_fn for value in values if isinstance(value, Tensor)]
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)  # of a node without any before it
        if id(variable) in owner:
            found.add(owner[id(variable)])
        nodes += [before for before, _ in node.next_functions]
    return sorted(found)
