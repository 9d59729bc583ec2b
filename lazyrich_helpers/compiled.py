"""Training steps that torch compiles: one function for each set of layers that move.

What is compiled is looked up by what it was compiled for. Left to itself, torch would
look for it among all that it has compiled of the same lines, and after eight of them
(`recompile_limit`) compile no more.

On a CPU it does not pay. A step of VGG-5 or VGG-11 (width 16, batches of 128, fp32, one
thread) took 1.0 to 1.1 times as long where all layers move, 0.9 where only upper ones
do, 1.0 where what those read is kept, and 1.0 to 1.2 where only top and bottom do;
compiling took 4 to 50 CPU seconds for a set of layers. On a GPU it has not been timed.
"""

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

BatchLoss = Callable[[Tensor, Tensor, int], Tensor]
"""A batch's inputs and labels, and the layer that reads them → its loss, ()."""
BACKEND = "inductor"
"""What compiles: torch's own, with its defaults.

Not with CUDA graphs. There a step's gradients would lie where the next forward pass
writes, while the parameters still name them; each set of layers would hold a graph of
its own on the GPU.
"""
REMEDY = (
    "install a C++ compiler, such as Debian's g++, and for a GPU Triton, or leave out "
    "--compile"
)


class CompileError(ValueError):
    """Steps can not be compiled here."""


class Step(Protocol):
    """What a training step does before the optimizer's turn."""

    def __call__(
        self, inputs: Tensor, labels: Tensor, start: int, awake: frozenset[int]
    ) -> Tensor:
        """Leave a batch's gradients in the parameters; return its loss, detached.

        Args:
            inputs: What layer `start` reads, (batch, ...).
            labels: Shape (batch,).
            start: The lowest layer that is computed.
            awake: The layers that move; `sleeping.wake` has told them.
        """
        ...


@dataclass(frozen=True, eq=False)
class PlainStep:
    """A step as torch takes it, operation by operation."""

    batch_loss: BatchLoss

    def __call__(
        self, inputs: Tensor, labels: Tensor, start: int, awake: frozenset[int]
    ) -> Tensor:
        del awake
        loss = self.batch_loss(inputs, labels, start)
        loss.backward()
        return loss.detach()


class CompiledStep:
    """A step whose forward and backward pass are compiled for the layers that move.

    The first step with a set of layers compiles; the layers' modes and what needs
    gradients are part of what is compiled, and what sleeps has no backward pass.

    A batch of another size, as the last one of an epoch, is not compiled: one step of
    an epoch does not earn what compiling costs.

    Args:
        batch_loss: What is compiled; the same at every step.
        batch_size: Of the batches for which it is.
    """

    def __init__(self, batch_loss: BatchLoss, batch_size: int) -> None:
        self._plain = PlainStep(batch_loss)
        self._batch_size = batch_size
        self._steps: dict[tuple[frozenset[int], int], PlainStep] = {}

    def __call__(
        self, inputs: Tensor, labels: Tensor, start: int, awake: frozenset[int]
    ) -> Tensor:
        """Do what a `Step` does.

        Raises:
            CompileError: If there is no compiler, or it fails.
        """
        # Imported here, for a second is long for those who compile nothing.
        from torch._dynamo.exc import TorchDynamoException

        if len(inputs) != self._batch_size:
            return self._plain(inputs, labels, start, awake)
        key = awake, start
        if key not in self._steps:
            self._steps[key] = PlainStep(_compiled(self._plain.batch_loss))
        try:
            # The backward pass is compiled when it is first asked for: here, too.
            return self._steps[key](inputs, labels, start, awake)
        except TorchDynamoException as error:
            raise CompileError(
                f"steps could not be compiled ({_in_short(error)}): {REMEDY}."
            ) from error


def _compiled(batch_loss: BatchLoss) -> BatchLoss:
    """Return the function, to be compiled at its first call, apart from all others."""

    def apart(inputs: Tensor, labels: Tensor, start: int) -> Tensor:
        return batch_loss(inputs, labels, start)

    # Torch keeps what it has compiled, and counts it, by the code object.
    own = types.FunctionType(
        apart.__code__.replace(), globals(), closure=apart.__closure__
    )
    # As one graph, or not at all: no part of it is silently left uncompiled.
    return torch.compile(own, backend=BACKEND, fullgraph=True, dynamic=False)


def _in_short(error: BaseException) -> str:
    """Return the line of a compiler's message that says what is wrong."""
    from torch._dynamo.exc import BackendCompilerFailed

    if isinstance(error, BackendCompilerFailed):
        error = error.inner_exception
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line]
    line = next(iter(telling or lines), "no reason given").rstrip(".")
    return f"{type(error).__name__}: {line}"
