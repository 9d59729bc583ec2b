"""Frozen layers: how they are kept from moving, and their cached activations."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

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


def fitting(sizes: Mapping[int, int], most_bytes: int) -> list[int]:
    """Return which of a network's hidden values are cached where not all can be.

    The highest are. Of the others, the least useful go first: those that layer b reads,
    where the next ones below and above are of layers a and c, spare b - a layers
    whenever the cut is at one of the c - b layers from b on. (b - a) (c - b) is their
    use.

    Args:
        sizes: Layer → bytes of what it reads.
        most_bytes: What they may take in all; the highest are no larger.
    """
    cached = sorted(sizes)
    while sum(sizes[start] for start in cached) > most_bytes:
        # All but the highest, each with its neighbours.
        near = zip([0, *cached], cached, cached[1:], strict=False)
        use = {b: (b - a) * (c - b) for a, b, c in near}
        cached.remove(min(use, key=lambda start: use[start]))
    return cached


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """What one layer reads while those below it are frozen."""

    start: int
    """The layer."""
    values: Tensor
    """Of every image, (n, ...)."""
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
        images: All images, (n, ...); the same at every call.
        most_bytes: What is cached takes at most this, images left out.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        images: Tensor,
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
    def inputs(self, cut: int) -> tuple[int, Tensor]:
        """Return a layer and what it reads, (n, ...), while those below `cut` freeze.

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
                outputs = self._room(cut, chunk)
            if outputs is None:
                return None
            outputs[first : first + CHUNK] = chunk
        return outputs

    def _room(self, cut: int, chunk: Tensor) -> Tensor | None:
        """Return memory for what layer `cut` reads; `chunk` is the first part of it.

        What has to make room is forgotten. None if it is too large on its own.
        """
        shape = (len(self._entries[0].values), *chunk.shape[1:])
        size = math.prod(shape) * chunk.element_size()
        if size > self._most_bytes:
            return None
        sizes = {entry.start: entry.values.nbytes for entry in self._entries[1:]}
        stay = {0, *fitting(sizes | {cut: size}, self._most_bytes)}
        self._entries = [entry for entry in self._entries if entry.start in stay]
        last = (
            torch.channels_last
        )  # convolutions leave maps so, and read them faster so
        is_map = chunk.dim() == 4 and chunk.is_contiguous(memory_format=last)
        return torch.empty(
            shape,
            dtype=chunk.dtype,
            device=chunk.device,
            memory_format=last if is_map else torch.contiguous_format,
        )
