"""What `LayerwiseSparse` refuses before it freezes anything: one sentence each."""

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import nn

from lazyrich_helpers.config import require
from lazyrich_helpers.lws.layer_names import names, tensor_names

Piece = nn.Module | nn.Parameter
Layer = Piece | Sequence[Piece]
"""A module or parameter, or several that are frozen together, such as a convolution and
its batch norm, or an embedding and its bare position parameter."""


def pieces_of(layers: Sequence[Layer] | nn.Module) -> list[list[Piece]]:
    """Return each layer's modules and parameters, input to output."""
    if isinstance(layers, nn.Module) and not isinstance(
        layers, nn.ModuleList | nn.Sequential
    ):
        raise ValueError(
            "layers must be a list of the model's layers, input to output, such as "
            f"[model.conv1, model.block1, model.fc]; got a {names([layers])}, whose "
            "order torch does not know."
        )
    return [
        [layer] if isinstance(layer, nn.Module | nn.Parameter) else list(layer)
        for layer in layers
    ]


def parameters_of(pieces: Sequence[Piece]) -> list[nn.Parameter]:
    """Return all parameters of a layer."""
    found: list[nn.Parameter] = []
    for piece in pieces:
        found += [piece] if isinstance(piece, nn.Parameter) else piece.parameters()
    return found


def owners(pieces: Sequence[list[Piece]]) -> dict[int, int]:
    """Return the layer of each parameter, by its id.

    Raises:
        ValueError: If a layer has no parameters, or not for itself.
    """
    require(len(pieces) >= 1, "layers", "at least one layer", [])
    owner: dict[int, int] = {}
    for index, own in enumerate(pieces):
        parameters = parameters_of(own)
        if not parameters:
            raise ValueError(
                f"layer {index} ({names(own)}) has no parameters: leave it out, or put "
                "it into one list with the layer it belongs to."
            )
        for p in parameters:
            if owner.setdefault(id(p), index) != index:
                raise ValueError(
                    f"layers {owner[id(p)]} and {index} ({names(own)}) share a "
                    f"parameter, {tensor_names([p])}, so that one can not be frozen "
                    "while the other is trained; put both into one list."
                )
    return owner


def check_optimizer(optimizer: torch.optim.Optimizer, owner: Mapping[int, int]) -> None:
    """Raise ValueError if the optimizer could move a frozen layer, or break.

    Args:
        optimizer: What is to be one of torch's.
        owner: The layer of each parameter, by its id.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError(
            "optimizer must be one of torch's, or a list of them; got a "
            f"{names([optimizer])}."
        )
    given = [p for group in optimizer.param_groups for p in group["params"]]
    left_out = [p for p in given if id(p) not in owner]
    if left_out:
        raise ValueError(
            f"the optimizer has {len(left_out)} parameters that are in no layer, "
            f"{tensor_names(left_out)}: name their modules in `layers`, or the "
            "parameters themselves, or leave them out of the optimizer."
        )
    for group in optimizer.param_groups:
        mixed = len({owner[id(p)] for p in group["params"]}) > 1
        if mixed and group.get("fused") and group.get("momentum"):
            raise ValueError(
                "fused SGD with momentum can not step a group of which some have "
                "momentum and some, still frozen, have not: give it a group for each "
                "layer, or fused=False."
            )
    if isinstance(optimizer, torch.optim.LBFGS):
        raise ValueError(
            "LBFGS moves all its parameters along one direction, frozen ones too; "
            "use another optimizer."
        )


def check_same(
    pieces: Sequence[list[Piece]], noted: Sequence[list[nn.Parameter]]
) -> None:
    """Raise ValueError if a layer has other parameters than those noted."""
    for index, (own, before) in enumerate(zip(pieces, noted, strict=True)):
        now = parameters_of(own)
        known = set(map(id, before))
        new = [p for p in now if id(p) not in known]
        if (new or len(now) != len(before)) and not _gathered(now, before):
            raise ValueError(
                f"layer {index} ({names(own)}) has other parameters than when "
                f"LayerwiseSparse was made, {tensor_names(new or now)}, as after "
                "load_state_dict(assign=True) or with a new module: make the optimizer "
                "and LayerwiseSparse after that."
            )


def check_sharded(
    pieces: Sequence[list[Piece]], noted: Sequence[list[nn.Parameter]]
) -> None:
    """Raise ValueError if `fully_shard` would not see that parameters are frozen."""
    for index, (own, before) in enumerate(zip(pieces, noted, strict=True)):
        if _gathered(parameters_of(own), before):
            raise ValueError(
                f"layer {index} ({names(own)}) still has the whole of parameters that "
                "processes share, as after a forward pass without a backward pass: "
                "call the model's reshard() first, or fully_shard each layer."
            )


def _gathered(now: Sequence[nn.Parameter], before: Sequence[nn.Parameter]) -> bool:
    """Return whether these are whole, and were parts that processes hold."""
    parts, parts_before = (
        any(hasattr(p, "to_local") for p in parameters) for parameters in (now, before)
    )
    return parts_before and not parts


def check_trained(
    optimizers: Sequence[torch.optim.Optimizer],
    layers: Mapping[int, Collection[nn.Parameter]],
) -> None:
    """Raise ValueError unless these layers can move, all that is trainable of them.

    Args:
        optimizers: All that there are.
        layers: Those to be updated, with their parameters.
    """
    trainable = [p for own in layers.values() for p in own if p.requires_grad]
    if not trainable:
        raise ValueError(
            f"layers {sorted(layers)} are to be updated, and all their parameters "
            "are frozen: set requires_grad, or leave these layers out of `layers`."
        )
    held = {
        id(p)
        for optimizer in optimizers
        for group in optimizer.param_groups
        for p in group["params"]
    }
    missing = [p for p in trainable if id(p) not in held]
    if missing:
        raise ValueError(
            f"{len(missing)} trainable parameters of layers {sorted(layers)}, which "
            f"are to be updated, are in no optimizer, {tensor_names(missing)}: add "
            "them to it (several optimizers are given as a list), or freeze them with "
            "requires_grad_(False)."
        )
