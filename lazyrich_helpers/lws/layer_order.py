"""The order of a model's layers, held against what its forward pass does."""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lazyrich_helpers.lws.layers import Member, names


@contextlib.contextmanager
def order_checked(
    layers: Sequence[list[Member]], owner: dict[int, int]
) -> Iterator[None]:
    """Inside, a layer that reads what a layer above it makes raises ValueError.

    It is looked at where it is first called, in autograd's graph, which shows what
    layers with gradients make. A layer above counts once all its modules were called:
    one that holds embedding and head is where its head is.

    Args:
        layers: Each layer's modules and parameters, input to output.
        owner: The layer of each parameter, by its id.
    """
    due = [
        {m for m in layer if isinstance(m, nn.Module) and _has_parameters(m)}
        for layer in layers
    ]
    called: list[set[nn.Module]] = [set() for _ in layers]

    def look(
        index: int, member: nn.Module, _: nn.Module, args: Any, kwargs: dict[str, Any]
    ) -> None:
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return  # there is no graph
        is_first = not called[index]
        called[index].add(member)
        for above in _makers((*args, *kwargs.values()), owner) if is_first else ():
            if above > index and called[above] and called[above] == due[above]:
                raise ValueError(
                    f"layer {index} ({names(layers[index])}) reads what layer {above} "
                    f"({names(layers[above])}) makes: list the layers input to output."
                )

    with contextlib.ExitStack() as stack:
        for index, members in enumerate(due):
            for member in members:
                hook = functools.partial(look, index, member)
                for each in filter(_has_parameters, member.modules()):
                    handle = each.register_forward_pre_hook(hook, with_kwargs=True)
                    stack.callback(handle.remove)
        yield


def _has_parameters(module: nn.Module) -> bool:
    """Return whether it has any; a module without may be of several layers."""
    return any(True for _ in module.parameters())


def _makers(values: Sequence[Any], owner: dict[int, int]) -> list[int]:
    """Return the layers of which a parameter leads to `values` in autograd's graph."""
    found: set[int] = set()
    seen: set[Any] = {None}
    nodes: list[Any] = [v.grad_fn for v in values if isinstance(v, Tensor)]
    while nodes:
        node = nodes.pop()
        if node not in seen:
            seen.add(node)
            variable = getattr(node, "variable", None)  # of a node with none before it
            found |= {owner[id(variable)]} if id(variable) in owner else set()
            nodes += [before for before, _ in node.next_functions]
    return sorted(found)
