"""Frozen layers: how they are kept from moving, and their cached activations."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float

MOST_BYTES = 2**30
"""Most that a cache takes, for each set of images."""
CHUNK = 500
"""Images per forward pass that fills it."""


def set_trainable(layers: Sequence[nn.Module], trainable: Collection[int]) -> None:
    """Freeze all layers but those with index in `trainable`.

    A frozen layer gets no gradient: neither momentum nor weight decay moves it, and
    what its optimizer remembers waits. It runs in eval mode: batch norm's statistics
    are used as they are, and do not move.
    """
    for index, layer in enumerate(layers):
        layer.requires_grad_(index in trainable)
        layer.train(index in trainable)
        if index not in trainable:
            for p in layer.parameters():
                p.grad = None  # a gradient of zeros would still decay the weights


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """What one layer reads while those below it are frozen."""

    start: int
    """The layer."""
    values: Float[Tensor, "n ..."]
    """Of every image."""
    written: list[tuple[int, int]]
    """`FrozenPrefixCache._written` when it was computed."""


class FrozenPrefixCache:
    """What the frozen layers at a network's bottom make of a fixed set of images.

    It is computed once and cached while none of them moves: at several layers, with the
    images themselves at the bottom, so that a layer that stayed frozen is not computed
    again where one above it has moved. The caller tells what moved. Other writing is
    noticed, unless it was through a parameter's `data` or by a fused optimizer: neither
    leaves a trace on the parameter.

    Args:
        layers: Of the network, bottom first.
        images: All images; the same at every call.
        most_bytes: What is cached takes at most this, images left out.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        images: Float[Tensor, "n ..."],
        *,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._layers, self._most_bytes = layers, most_bytes
        self._entries = [_Entry(0, images, [])]

    @property
    def starts(self) -> list[int]:
        """The layers that read what is cached, lowest first; 0 reads the images."""
        return [entry.start for entry in self._entries]

    @torch.no_grad()
    def inputs(self, cut: int) -> tuple[int, Float[Tensor, "n ..."]]:
        """Return a layer and what it reads, while those below `cut` are frozen.

        The layer is `cut`, or a lower one where its input would take too much. Layers
        that are computed are put into eval mode. Precision is that of the caller's
        context. What layers above `cut` read is forgotten: those may move now.
        """
        self._entries = [
            entry
            for entry in self._entries
            if entry.start <= cut and entry.written == self._written(entry.start)
        ]
        values = self._computed(cut) if self.starts[-1] < cut else None
        if values is not None:
            self._entries.append(_Entry(cut, values, self._written(cut)))
        return self._entries[-1].start, self._entries[-1].values

    def moved(self, layers: Collection[int]) -> None:
        """Forget what rests on former parameters of one of these layers."""
        lowest = min(layers)
        self._entries = [entry for entry in self._entries if entry.start <= lowest]

    def _written(self, cut: int) -> list[tuple[int, int]]:
        """Return what changes when something writes to a layer below `cut`."""
        return [
            (values.data_ptr(), values._version)
            for layer in self._layers[:cut]
            for values in (*layer.parameters(), *layer.buffers())
        ]

    def _computed(self, cut: int) -> Tensor | None:
        """Return what layer `cut` reads, from the highest entry; None if too large."""
        highest = self._entries[-1]
        outputs = None
        for first in range(0, len(highest.values), CHUNK):
            chunk = highest.values[first : first + CHUNK]
            for layer in self._layers[highest.start : cut]:
                chunk = layer.eval()(chunk)
            if outputs is None:
                outputs = self._room(chunk)
            if outputs is None:
                return None
            outputs[first : first + CHUNK] = chunk
        return outputs

    def _room(self, chunk: Tensor) -> Tensor | None:
        """Return memory for what a layer reads; `chunk` is the first part of it.

        What has to make room is forgotten. None if it is too large on its own.
        """
        shape = (len(self._entries[0].values), *chunk.shape[1:])
        room = self._most_bytes - math.prod(shape) * chunk.element_size()
        if room < 0:
            return None
        # The lowest go first: the highest serve as many cuts, and spare them more.
        while sum(entry.values.nbytes for entry in self._entries[1:]) > room:
            del self._entries[1]
        last = torch.channels_last  # so convolutions leave maps, and read them faster
        is_map = chunk.dim() == 4 and chunk.is_contiguous(memory_format=last)
        memory = last if is_map else torch.contiguous_format
        return torch.empty(
            shape, dtype=chunk.dtype, device=chunk.device, memory_format=memory
        )
