"""Layers that processes split, and layouts of which torch's results are wrong."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from lazyrich_helpers.config import require, require_one_of

WAYS = ("column", "row")


def split_layers(network: nn.Module, mesh: Any, directives: Mapping[str, str]) -> None:
    """Split linear layers over the processes of a 1-D mesh, in place.

    By columns, a process has some of a layer's outputs; by rows, some of its inputs,
    and the sum over processes is the layer. A layer split by columns hands its parts
    on: the next one has to be split by rows. What was frozen stays frozen.

    Args:
        network: The same in all processes.
        mesh: torch's `DeviceMesh`, of one dimension.
        directives: A module's name in `network` → `column` or `row`.

    Raises:
        ValueError: If there is no such module, or it is not linear.
    """
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        RowwiseParallel,
        parallelize_module,
    )

    modules = dict(network.named_modules())
    for name, way in directives.items():
        require_one_of(modules, "a module's name", name)
        require_one_of(WAYS, f"the way to split {name}", way)
        layer = modules[name]
        if not isinstance(layer, nn.Linear):
            raise ValueError(
                f"{name} is a {type(layer).__name__}, and only linear layers are "
                "split: torch computes convolutions with split channels wrongly."
            )
        units = layer.out_features if way == "column" else layer.in_features
        even = f"a multiple of the {mesh.size()} processes that split them"
        require(units % mesh.size() == 0, f"the units of {name}", even, units)
    styles = {"column": ColwiseParallel, "row": RowwiseParallel}
    plan: Any = {name: styles[way]() for name, way in directives.items()}
    before = [p.requires_grad for p in network.parameters()]
    parallelize_module(network, mesh, plan)
    # Parameters are new ones; torch 2.13 keeps them frozen, another may not.
    for p, was in zip(network.parameters(), before, strict=True):
        p.requires_grad_(was)


def guard_convolutions(network: nn.Module) -> None:
    """Have every convolution refuse layouts that torch computes wrongly, when called.

    Sharded in space, or with its outputs' channels sharded, torch 2.13 returns a part
    and says that it is the whole; with its inputs' channels sharded, wrong values. It
    raises no error. A batch may be sharded.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(_refuse_wrong)


def _refuse_wrong(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    images, weight = inputs[0], module.weight
    axes = ("batch", "channels", "height", "width")
    for axis in _sharded(images) - {0}:
        raise ValueError(
            f"a convolution's input must be sharded along its batch only; got one "
            f"sharded along its {axes[axis]}, which torch computes wrongly: use "
            "`papers.sharded.halo.tiled_convolution` for height."
        )
    require(
        not _sharded(weight),
        "a convolution's kernels",
        "whole in every process (torch computes sharded ones wrongly)",
        getattr(weight, "placements", None),
    )


def _sharded(tensor: Any) -> set[int]:
    """Return the axes of a tensor along which processes have parts of it."""
    placements = getattr(tensor, "placements", ())
    return {placement.dim for placement in placements if placement.is_shard()}
