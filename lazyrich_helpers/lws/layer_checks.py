"""What `LayerwiseSparse` refuses of plans, optimizers and layers, one sentence each."""

import contextlib
import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lazyrich_helpers.lws.layers import Member, names, parameters_in, tensor_names
from lazyrich_helpers.lws.plans import Plan


def check_plan(plan: Plan, num_layers: int) -> None:
    """Raise ValueError if a plan asks for more than to freeze, scale and forget.

    Or for no layers, or for others than there are.
    """
    if plan.mask is not None or plan.perturbation is not None:
        raise ValueError(
            "this schedule masks or perturbs parameters, which LayerwiseSparse does "
            "not do: train by the book's own `train`."
        )
    named = plan.layers | plan.forget
    if not plan.layers or not named <= set(range(num_layers)):
        raise ValueError(
            "the schedule's plan must train at least one layer, and name layers from "
            f"0, the bottom, to {num_layers - 1}; got {sorted(named)}."
        )


def check_optimizer(optimizer: torch.optim.Optimizer, owner: Mapping[int, int]) -> None:
    """Raise ValueError if the optimizer could move a frozen layer, or break."""
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError(
            "optimizer must be one of torch's, or a list of them; got a "
            f"{names([optimizer])}."
        )
    if isinstance(optimizer, torch.optim.LBFGS):
        raise ValueError(
            "LBFGS moves all its parameters along one direction, frozen ones too; "
            "use another optimizer."
        )
    for group in optimizer.param_groups:
        left_out = [p for p in group["params"] if id(p) not in owner]
        if left_out:
            raise ValueError(
                f"the optimizer has {len(left_out)} parameters that are in no layer, "
                f"{tensor_names(left_out)}: name their modules in `layers`, or the "
                "parameters themselves, or leave them out of the optimizer."
            )
        mixed = len({owner[id(p)] for p in group["params"]}) > 1
        if mixed and group.get("fused") and group.get("momentum"):
            raise ValueError(
                "fused SGD with momentum can not step a group of which some have "
                "momentum and some, still frozen, have not: give it a group for each "
                "layer, or fused=False."
            )


def check_same(
    layers: Sequence[list[Member]],
    noted: Sequence[list[nn.Parameter]],
    *,
    may_be_gathered: bool,
) -> None:
    """Raise ValueError if a layer has other parameters than those noted.

    Where `fully_shard` has gathered whole parameters from the parts that processes
    hold, they are others, for a while; it would not see that those are frozen.
    """
    for index, (layer, before) in enumerate(zip(layers, noted, strict=True)):
        now, known = parameters_in(layer), set(map(id, before))
        if list(map(id, now)) == list(map(id, before)):
            continue
        was_shared = any(hasattr(p, "to_local") for p in before)
        if was_shared and not any(hasattr(p, "to_local") for p in now):
            if may_be_gathered:
                continue
            raise ValueError(
                f"layer {index} ({names(layer)}) still has the whole of parameters "
                "that processes share, as after a forward pass without a backward "
                "pass: call the model's reshard() first, or fully_shard each layer."
            )
        new = [p for p in now if id(p) not in known]
        raise ValueError(
            f"layer {index} ({names(layer)}) has other parameters than when "
            f"LayerwiseSparse was made, {tensor_names(new or now)}, as after "
            "load_state_dict(assign=True) or with a new module: make the optimizer "
            "and LayerwiseSparse after that."
        )


def check_trained(
    optimizers: Sequence[torch.optim.Optimizer],
    layers: Mapping[int, Collection[nn.Parameter]],
) -> None:
    """Raise ValueError unless optimizers have all that is trainable of these layers."""
    trainable = [p for own in layers.values() for p in own if p.requires_grad]
    if not trainable:
        raise ValueError(
            f"layers {sorted(layers)} are to be updated, and all their parameters "
            "are frozen: set requires_grad, or leave these layers out of `layers`."
        )
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    held = {id(p) for group in groups for p in group["params"]}
    missing = [p for p in trainable if id(p) not in held]
    if missing:
        raise ValueError(
            f"{len(missing)} trainable parameters of layers {sorted(layers)}, which "
            f"are to be updated, are in no optimizer, {tensor_names(missing)}: add "
            "them to it (several optimizers are given as a list), or freeze them with "
            "requires_grad_(False)."
        )


@contextlib.contextmanager
def order_checked(
    layers: Sequence[list[Member]], owner: dict[int, int]
) -> Iterator[None]:
    """Inside, a layer that reads what a layer above it makes raises ValueError.

    It is looked at where it is first called, in autograd's graph, which shows what
    layers with gradients make. A layer above counts once all its modules were called:
    one that holds embedding and head is where its head is.
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
