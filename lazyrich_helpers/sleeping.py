"""Layers that sleep: how they are kept still, and what they need not do twice."""

import math
from collections.abc import Collection, Iterable, Sequence

import torch
from torch import Tensor, nn

MOST_BYTES = 2**30
"""Largest output of sleeping bottom layers that is kept, for each set of images."""
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


def forget(optimizer: torch.optim.Optimizer, parameters: Iterable[Tensor]) -> None:
    """Drop what `optimizer` remembers of `parameters`: they go on as at its start."""
    for p in parameters:
        optimizer.state.pop(p, None)


class SleepingBottom:
    """What a network's sleeping bottom layers make of a fixed set of images.

    While none of them moves it is computed once and kept, where it takes at most
    `most_bytes`. That one was written to by somebody else is noticed, too, unless it
    was through a parameter's `data`.

    Args:
        layers: Of the network, bottom first.
        images: All images, (n, ...); the same at every call.
        most_bytes: See above.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        images: Tensor,
        *,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._layers, self._images = layers, images
        self._most_bytes = most_bytes
        self.start = 0
        """The layer that reads what is kept."""
        self._forget()

    @torch.no_grad()
    def inputs(self, cut: int) -> tuple[int, Tensor]:
        """Return a layer and what it reads, (n, ...), while layers below `cut` sleep.

        The layer is `cut`, or a lower one where its input would take too much. Layers
        below `cut` are put into eval mode. Precision is that of the caller's context.
        """
        if cut < self.start or self._state != self._written(self.start):
            self._forget()
        kept = self._computed(self._layers[self.start : cut])
        if kept is not None:
            self.start, self._kept = cut, kept
            self._state = self._written(cut)
        return self.start, self._kept

    def moved(self, layers: Collection[int]) -> None:
        """Forget what rests on former parameters of one of these layers."""
        if min(layers) < self.start:
            self._forget()

    def _forget(self) -> None:
        self.start, self._kept, self._state = 0, self._images, self._written(0)

    def _written(self, cut: int) -> list[tuple[int, int]]:
        """Return what changes when something writes to a layer below `cut`."""
        return [
            (values.data_ptr(), values._version)
            for layer in self._layers[:cut]
            for values in (*layer.parameters(), *layer.buffers())
        ]

    def _computed(self, layers: Sequence[nn.Module]) -> Tensor | None:
        """Return what `layers` make of what is kept; None if it is too large."""
        outputs = self._kept[:0] if layers else self._kept
        for first in range(0, len(self._kept) if layers else 0, CHUNK):
            chunk = self._kept[first : first + CHUNK]
            for layer in layers:
                chunk = layer.eval()(chunk)
            if first == 0:
                shape = (len(self._kept), *chunk.shape[1:])
                if math.prod(shape) * chunk.element_size() > self._most_bytes:
                    return None
                outputs = torch.empty(
                    shape,
                    dtype=chunk.dtype,
                    device=chunk.device,
                    memory_format=_memory_format(chunk),
                )
            outputs[first : first + CHUNK] = chunk
        return outputs


def _memory_format(values: Tensor) -> torch.memory_format:
    last = torch.channels_last
    maps = values.dim() == 4 and values.is_contiguous(memory_format=last)
    return last if maps else torch.contiguous_format
