"""Layouts: which dimension of a mesh of processes shares the batch, which the layers.

A layout is a row of a table, apart from the model's code. PyTorch does what it says.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lazyrich_helpers.config import require, require_one_of
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.training.tensor_parallel import guard_convolutions, split_layers


@dataclass(frozen=True)
class Layout:
    """What each dimension of a mesh of processes shares."""

    dims: tuple[str, ...]
    """`data`: each process has a part of the batch; `model`: of the layers."""
    parameters: str
    """Along `data`: `replicated` (each process has them) or `sharded` (each a part)."""
    batch: str = "the same"
    """What a process sees of the batch."""


LAYOUTS = {
    "dp": Layout(("data",), "replicated", "a part"),
    "tp": Layout(("model",), "fully connected layers split"),
    "2d": Layout(("data", "model"), "split, then sharded", "a part"),
    "fsdp": Layout(("data",), "sharded", "a part"),
}
"""Names on the command line → what they stand for."""


@dataclass(frozen=True, eq=False)
class Sharded:
    """A `Sharding` by torch.distributed: this process's place in a mesh."""

    layout: str
    """One of `LAYOUTS`."""
    mesh: Any
    """torch's `DeviceMesh`."""
    alone: bool = False

    @property
    def _data(self) -> Any:
        """The mesh's dimension along which processes have different examples."""
        return self.mesh["data"] if "data" in self.mesh.mesh_dim_names else None

    def described(self) -> dict[str, Any]:
        """Return what a record says of it: the layout, and processes by dimension."""
        shape = dict(zip(self.mesh.mesh_dim_names, self.mesh.shape, strict=True))
        return {"layout": self.layout} | shape

    def called(self, network: Network) -> nn.Module:
        if self.layout != "dp":
            return network
        # Made anew, it reduces the gradients of trainable parameters and no others:
        # with find_unused_parameters those of frozen ones would travel as zeros.
        group = self._data.get_group()
        return nn.parallel.DistributedDataParallel(
            network, process_group=group, init_sync=False
        )

    def part(self, batch: Tensor) -> Tensor:
        if self._data is None:
            return batch
        num, rank = self._data.size(), self._data.get_local_rank()
        require(len(batch) >= num, "a batch", f"of at least {num} examples", len(batch))
        return batch.tensor_split(num)[rank]

    def weighted(self, loss: Tensor, num: int, num_all: int) -> Tensor:
        if self._data is None:
            return loss
        return loss * (num * self._data.size() / num_all)  # uneven parts weigh as much

    def total(self, values: Tensor) -> Tensor:
        if self._data is not None:
            values = values.clone()
            torch.distributed.all_reduce(values, group=self._data.get_group())
        return values


def lay_out(network: Network, layout: str, device: str = "cpu") -> Sharded:
    """Lay a network out over all processes, in place, each on its `device`.

    All have built the same network, on the CPU. What was frozen stays frozen.

    Raises:
        ValueError: If there is no such layout for so many processes, or processes have
            different networks, or it has batch norm, which would see parts of batches.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    require_one_of(LAYOUTS, "shard", layout)
    own, num = LAYOUTS[layout], torch.distributed.get_world_size()
    shape = (num,)
    if len(own.dims) == 2:
        require(num % 2 == 0, "the number of processes", "even for a 2-D mesh", num)
        shape = (num // 2, 2)
    norms = any(
        isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules()
    )
    if norms and "data" in own.dims:
        raise ValueError(
            f"shard={layout!r} gives each process a part of the batch, of which batch "
            "norm would take other means; use tp, or a network without batch norm."
        )
    require_same("the network's start", _digest(network))
    mesh = init_device_mesh(torch.device(device).type, shape, mesh_dim_names=own.dims)
    if "sharded" not in own.parameters:  # else each layer goes there as it is cut
        network.to(device)
    guard_convolutions(network)
    if "model" in own.dims:
        split_layers(network, mesh["model"], fully_connected(network))
    if "sharded" in own.parameters:
        # Told else, it would take a GPU for processes that talk on the CPU.
        for part in (*network.layers, network):
            fully_shard(part, mesh=mesh["data"])  # type: ignore[arg-type]
    return Sharded(layout, mesh)


def fully_connected(network: Network) -> dict[str, str]:
    """Return the linear layers that are split: by columns and by rows, in turn.

    A pair needs one sum over processes: what the first leaves in parts is what the
    second reads in parts. The last of an odd number stays whole.
    """
    names = [n for n, module in network.named_modules() if type(module) is nn.Linear]
    pairs = zip(names[::2], names[1::2], strict=False)
    return {
        name: way
        for pair in pairs
        for name, way in zip(pair, ("column", "row"), strict=True)
    }


def require_same(name: str, value: object) -> None:
    """Raise ValueError, in all processes, unless all have the same value."""
    values: list[object] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(values, value)
    for rank, theirs in enumerate(values):
        if theirs != values[0]:
            raise ValueError(
                f"{name} must be the same in all processes; process {rank} has "
                f"{theirs!r}, process 0 has {values[0]!r}."
            )


def gathered(parameter: Tensor) -> Tensor:
    """Return a parameter that processes share as one tensor; all have to ask for it."""
    full_tensor = getattr(parameter, "full_tensor", None)
    return parameter.detach() if full_tensor is None else full_tensor().detach()


def _digest(network: Network) -> str:
    bits = flat_parameters(network).cpu().numpy().tobytes()
    return hashlib.sha256(bits).hexdigest()[:12]
