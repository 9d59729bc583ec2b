"""What layers make of images, in bytes: kept for the backward pass, or passing by.

Found by a step without numbers, on torch's `meta` device.
"""

import copy
import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lazyrich_helpers.lws.frozen_prefix import set_trainable
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.training.run_config import RunConfig

SINGLE = 4
"""Bytes of a number in fp32."""


def kept_bytes(config: RunConfig, awake: frozenset[int]) -> int:
    """Return what a step's forward pass keeps for the backward pass.

    Parameters, images and labels do not count, but their copies in bf16 do.
    """
    return _step(*_setting(config), awake)[0]


def passing_bytes(config: RunConfig) -> int:
    """Return the two largest results in a row, of an image.

    A pass that keeps nothing has to hold them.
    """
    return _step(*_setting(config), frozenset())[1]


def input_bytes(config: RunConfig) -> list[int]:
    """Return the bytes of what each layer reads of an image, bottom first."""
    half = config.training.precision == "bf16"
    sizes = _input_numbers(config.blueprint(), config.data.image_shape)
    each = [SINGLE] + [2 if half else SINGLE] * (len(sizes) - 1)
    return [size * number for size, number in zip(sizes, each, strict=True)]


def _setting(config: RunConfig) -> tuple[Network, tuple[int, int, int], int, bool]:
    half = config.training.precision == "bf16"
    batch_size = config.training.batch_size
    return config.blueprint(), config.data.image_shape, batch_size, half


@functools.lru_cache(maxsize=4096)
def _step(
    network: Network,
    shape: tuple[int, int, int],
    batch: int,
    half: bool,
    awake: frozenset[int],
) -> tuple[int, int]:
    """Return `kept_bytes` and `passing_bytes`; `awake` empty: going forward."""
    network = copy.deepcopy(network)  # it is shared
    set_trainable(list(network.layers), awake)
    dtype = torch.bfloat16 if half else torch.float32
    network = network.to(dtype)
    inputs = torch.zeros(batch, *shape, device="meta", dtype=dtype)
    labels = torch.zeros(batch, dtype=torch.int64, device="meta")
    known = {_key(values) for values in (*network.parameters(), inputs, labels)}
    kept: dict[int, int] = {}
    alive = []  # storages, so that none takes another's place

    def pack(values: Tensor) -> Tensor:
        if _key(values) not in known:
            kept[_key(values)] = values.untyped_storage().nbytes()
            alive.append(values)
        return values

    with _Widest() as widest:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda values: values):
            logits = network(inputs)
            if awake:
                nn.functional.cross_entropy(logits.float(), labels).backward()
    total = sum(kept.values())
    if half and awake:
        above = network.layers[min(awake) :]
        total += sum(p.nbytes for layer in above for p in layer.parameters())
        total += inputs.nbytes if 0 in awake else 0
    return total, widest.bytes


def _key(values: Tensor) -> int:
    return values.untyped_storage()._cdata  # meta tensors have no address


class _Widest(TorchDispatchMode):
    """Notes the two largest results in a row, in bytes of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self._last = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        first = result[0] if isinstance(result, tuple | list) else result
        if not func.is_view and isinstance(first, Tensor) and first.dim():
            size = first.nbytes // max(len(first), 1)
            self.bytes = max(self.bytes, size + self._last)
            self._last = size
        return result


@functools.lru_cache
def _input_numbers(network: Network, shape: tuple[int, int, int]) -> list[int]:
    """Return how many numbers each layer reads of an image, bottom first."""
    hidden, sizes = torch.zeros(1, *shape, device="meta"), []
    with torch.no_grad():
        for layer in copy.deepcopy(network).eval().layers:
            sizes.append(hidden.numel())
            hidden = layer(hidden)
    return sizes
