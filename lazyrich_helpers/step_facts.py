"""A step taken without numbers: what torch would dispatch, and what it would keep."""

import copy
import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lazyrich_helpers.config import RunConfig
from lazyrich_helpers.models import Network
from lazyrich_helpers.planning import blueprint
from lazyrich_helpers.sleeping import wake


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What one pass over a batch needs beside its operations."""

    kernels: int
    """Operations that torch dispatches, forward and backward."""
    kept: int
    """Bytes that the forward pass keeps for the backward pass, less parameters, images
    and labels."""
    inputs: int
    """Bytes of the batch."""
    outputs: int
    """Bytes of the two largest results in a row, of an image: what a pass that keeps
    nothing has to hold."""


def step_facts(config: RunConfig, awake: frozenset[int], start: int = 0) -> StepFacts:
    """Return the facts of a step, found without numbers; `awake` empty: going forward.

    With bf16 products the copies of weights and images in bf16 are counted as kept.
    """
    settings = config.training
    network, shape = blueprint(config), config.data.image_shape
    half = settings.precision == "bf16"
    return _facts(network, shape, settings.batch_size, half, awake, start)


@functools.lru_cache(maxsize=4096)
def _facts(
    network: Network,
    shape: tuple[int, int, int],
    batch: int,
    half: bool,
    awake: frozenset[int],
    start: int,
) -> StepFacts:
    network = copy.deepcopy(network)  # it is shared
    wake(list(network.layers), awake)
    dtype = torch.bfloat16 if half else torch.float32
    inputs = torch.zeros(batch, *shape, device="meta")
    with torch.no_grad():
        for layer in network.layers[:start]:
            inputs = layer(inputs)
    read = inputs.nbytes // (2 if half and start else 1)
    network, inputs = network.to(dtype), inputs.to(dtype)
    labels = torch.zeros(batch, dtype=torch.int64, device="meta")
    known = {_key(values) for values in (*network.parameters(), inputs, labels)}
    kept: dict[int, int] = {}
    alive = []  # storages, so that none takes another's place

    def pack(values: Tensor) -> Tensor:
        if _key(values) not in known:
            kept[_key(values)] = values.untyped_storage().nbytes()
            alive.append(values)
        return values

    with _Dispatched() as dispatched:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda values: values):
            logits = network(inputs, start)
            if awake:
                nn.functional.cross_entropy(logits.float(), labels).backward()
    total, casts = sum(kept.values()), 0
    if half:
        tensors = [p for layer in network.layers[start:] for p in layer.parameters()]
        casts = len(tensors) + 1 + sum(p.requires_grad for p in tensors)
        above = network.layers[min(awake) :] if awake else []
        total += sum(p.nbytes for layer in above for p in layer.parameters())
        total += inputs.nbytes if start in awake else 0
    return StepFacts(dispatched.num + casts, total, read, dispatched.widest)


def _key(values: Tensor) -> int:
    return values.untyped_storage()._cdata  # meta tensors have no address


class _Dispatched(TorchDispatchMode):
    """Counts the operations inside that compute something."""

    def __init__(self) -> None:
        super().__init__()
        self.num = 0
        self.widest = 0
        self._last = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.num += 1
            first = result[0] if isinstance(result, tuple | list) else result
            if isinstance(first, Tensor) and first.dim():
                size = first.nbytes // max(len(first), 1)
                self.widest = max(self.widest, size + self._last)
                self._last = size
        return result
