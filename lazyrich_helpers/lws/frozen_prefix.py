"""Layers that sleep: how they are kept still, and what they need not do twice."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

MOST_BYTES = 2**30
"""Most that is kept of sleeping layers' outputs, for each set of images."""
CHUNK = 500
"""Images per forward pass that fills it."""


def wake(layers: Sequence[nn.Module], awake: Collection[int]) -> None:
    """Let the layers with index in `awake` move, and no others.

    A sleeping layer gets no gradient: neither momentum nor weight decay moves it, and
    what its optimizer remembers waits. It runs in eval mode: batch norm's statistics
    are used as they are, and do not move.
    """
    for index, layer in enumerate(layers):
        layer.requires_grad_(index in awake)
        layer.train(index in awake)
        if index not in awake:
            for p in layer.parameters():
                p.grad = None  # a gradient of zeros would still decay the weights


def fitting(sizes: Mapping[int, int], most_bytes: int) -> list[int]:
    """Return which of a network's hidden values are kept where not all can be.

    The highest are. Of the others, the least useful go first: those that layer b reads,
    where the next ones below and above are of layers a and c, spare b - a layers
    whenever the cut is at one of the c - b layers from b on. (b - a) (c - b) is their
    use.

    Args:
        sizes: Layer → bytes of what it reads.
        most_bytes: What they may take in all; the highest are no larger.
    """
    kept = sorted(sizes)
    while sum(sizes[start] for start in kept) > most_bytes:
        near = zip([0, *kept], kept, kept[1:], strict=False)  # of all but the highest
        use = {b: (b - a) * (c - b) for a, b, c in near}
        kept.remove(min(use, key=lambda start: use[start]))
    return kept


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """What one layer reads while those below it sleep."""

    start: int
    """The layer."""
    values: Tensor
    """Of every image, (n, ...)."""
    written: list[tuple[int, int]]
    """`SleepingBottom._written` when it was computed."""


class SleepingBottom:
    """What a network's sleeping bottom layers make of a fixed set of images.

    It is computed once and kept while none of them moves: at several layers, with the
    images themselves at the bottom, so that what slept on is not computed again where
    a layer above it has moved. The caller tells what moved. Other writing is noticed,
    unless it was through a parameter's `data` or by a fused optimizer: neither leaves a
    trace on the parameter.

    Args:
        layers: Of the network, bottom first.
        images: All images, (n, ...); the same at every call.
        most_bytes: What is kept takes at most this, images left out.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        images: Tensor,
        *,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._layers, self._most_bytes = layers, most_bytes
        self._kept = [_Kept(0, images, [])]

    @property
    def starts(self) -> list[int]:
        """The layers that read what is kept, lowest first; 0 reads the images."""
        return [kept.start for kept in self._kept]

    @torch.no_grad()
    def inputs(self, cut: int) -> tuple[int, Tensor]:
        """Return a layer and what it reads, (n, ...), while layers below `cut` sleep.

        The layer is `cut`, or a lower one where its input would take too much. Layers
        that are computed are put into eval mode. Precision is that of the caller's
        context. What is kept at layers above `cut` is forgotten: those may move now.
        """
        self._kept = [
            kept
            for kept in self._kept
            if kept.start <= cut and kept.written == self._written(kept.start)
        ]
        values = self._computed(cut) if self.starts[-1] < cut else None
        if values is not None:
            self._kept.append(_Kept(cut, values, self._written(cut)))
        return self._kept[-1].start, self._kept[-1].values

    def moved(self, layers: Collection[int]) -> None:
        """Forget what rests on former parameters of one of these layers."""
        self._kept = [kept for kept in self._kept if kept.start <= min(layers)]

    def _written(self, cut: int) -> list[tuple[int, int]]:
        """Return what changes when something writes to a layer below `cut`."""
        return [
            (values.data_ptr(), values._version)
            for layer in self._layers[:cut]
            for values in (*layer.parameters(), *layer.buffers())
        ]

    def _computed(self, cut: int) -> Tensor | None:
        """Return what layer `cut` reads, from the highest kept; None if too large."""
        highest = self._kept[-1]
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
        shape = (len(self._kept[0].values), *chunk.shape[1:])
        size = math.prod(shape) * chunk.element_size()
        if size > self._most_bytes:
            return None
        sizes = {kept.start: kept.values.nbytes for kept in self._kept[1:]}
        stay = {0, *fitting(sizes | {cut: size}, self._most_bytes)}
        self._kept = [kept for kept in self._kept if kept.start in stay]
        return torch.empty(
            shape,
            dtype=chunk.dtype,
            device=chunk.device,
            memory_format=_memory_format(chunk),
        )


def _memory_format(values: Tensor) -> torch.memory_format:
    last = torch.channels_last
    maps = values.dim() == 4 and values.is_contiguous(memory_format=last)
    return last if maps else torch.contiguous_format
