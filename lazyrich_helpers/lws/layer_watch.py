"""A watch over layers: whether frozen ones move, and which others have gradients."""

import contextlib
import functools
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from lazyrich_helpers.lws.layers import tensor_names

_LOOKING: list["LayerWatch"] = []


@functools.cache
def _register() -> None:
    """Have every optimizer of this process tell when it steps, from now on.

    Some libraries wrap torch's optimizers in their own, so that it is not only those
    that we know; and a hook that came and went would have a compiled step compiled
    anew each time.
    """
    look: Any = torch.compiler.disable(_look)
    register_optimizer_step_pre_hook(look)  # some clear gradients when they step
    register_optimizer_step_post_hook(look)  # of a closure, which step itself calls


def _look(*_: Any) -> None:
    for watch in _LOOKING:
        watch.look()


BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Bytes of a value → the integers that have its bits."""


class LayerWatch:
    """Notes what frozen layers hold, and which layers have gradients in a step.

    By value, a change of any frozen parameter or buffer is noticed, and none that was
    undone; all of them are read twice. Else it goes by what torch counts as writing in
    place, and by gradients that frozen parameters have in an optimizer's step, which
    costs next to nothing. Buffers that a `state_dict` leaves out may change.

    Args:
        trained: Layer → its parameters, of the layers to be updated.
        frozen: Parameters of all others.
        modules: Modules of all others, the buffers of which are watched.
        by_value: Whether values are compared.
    """

    def __init__(
        self,
        trained: Mapping[int, Collection[nn.Parameter]],
        frozen: Sequence[nn.Parameter],
        modules: Collection[nn.Module],
        *,
        by_value: bool,
    ) -> None:
        self._trained, self._frozen, self._modules = trained, frozen, modules
        self._due = {
            i for i, own in trained.items() if any(p.requires_grad for p in own)
        }
        self._note = _values if by_value else _writes
        self._noted = {key: self._note(tensor) for key, tensor in self._buffers()}
        self._notes = [self._note(p) for p in frozen]
        self._given: set[int] = set()  # frozen parameters that had a gradient
        self.with_gradient: set[int] = set()
        """Layers of which a parameter had a gradient when an optimizer stepped."""

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Inside, look at gradients before and after any optimizer's step.

        Raises:
            ValueError: Where it ends, if a frozen layer moved or was unfrozen.
        """
        _register()
        _LOOKING.append(self)
        try:
            yield
            self.check()
        finally:
            _LOOKING.remove(self)

    def look(self) -> None:
        """Note which layers have gradients now."""
        for layer in self._trained.keys() - self.with_gradient:
            if any(p.grad is not None for p in self._trained[layer]):
                self.with_gradient.add(layer)
        if self._note is _writes:  # by a fused step they would move without a trace
            self._given |= {id(p) for p in self._frozen if p.grad is not None}

    @property
    def idle(self) -> set[int]:
        """Layers to be updated that had no gradient where others had one."""
        return self._due - self.with_gradient if self.with_gradient else set()

    @property
    def updated(self) -> set[int]:
        """Layers that an optimizer moved, or would have moved in a step."""
        return self._due - self.idle

    def check(self) -> None:
        """Raise ValueError if something happened to frozen layers."""
        unfrozen = [p for p in self._frozen if p.requires_grad]
        if unfrozen:
            raise ValueError(
                f"requires_grad of {len(unfrozen)} frozen parameters was set inside, "
                f"{tensor_names(unfrozen)}: set it before layers are frozen, or after."
            )
        pairs = zip(self._frozen, self._notes, strict=True)
        moved = [
            p for p, note in pairs if id(p) in self._given or self._note(p) != note
        ]
        if moved:
            raise ValueError(
                f"{len(moved)} frozen parameters were moved inside, "
                f"{tensor_names(moved)}: use an optimizer that passes over parameters "
                "whose grad is None, leave their grad None, and write to them outside."
            )
        changed = [
            buffer
            for key, buffer in self._buffers()
            if key in self._noted and self._note(buffer) != self._noted[key]
        ]
        if changed:
            raise ValueError(
                f"{len(changed)} buffers of frozen layers changed inside, "
                f"{tensor_names(changed)}: call a module and not its forward(), which "
                "no hook sees, and write to buffers outside."
            )

    def _buffers(self) -> Iterator[tuple[Hashable, Tensor]]:
        """Yield what may be other tensors later, by module and name."""
        for module in self._modules:
            passing = module._non_persistent_buffers_set
            for name, buffer in module.named_buffers(recurse=False):
                if name not in passing:
                    yield (module, name), buffer


def _local(tensor: Tensor) -> Tensor:
    """Return this process's part of a tensor that several have."""
    to_local = getattr(tensor, "to_local", None)
    return tensor.detach() if to_local is None else to_local().detach()


def _writes(tensor: Tensor) -> tuple[int, int]:
    """Return what changes when something writes to it, or puts another in its place."""
    version = 0 if tensor.is_inference() else tensor._version
    return _local(tensor).data_ptr(), version


def _values(tensor: Tensor) -> tuple[float, ...]:
    """Return what changes when a value does: an exclusive or of all, and the first.

    Where an even number of equal values changes alike, as a batch norm's scales may,
    the former stays as it is.
    """
    local = _local(tensor)
    if not local.numel() or local.is_meta:
        return ()
    if local.is_complex():
        local = torch.view_as_real(local)
    if local.device.type not in ("cpu", "cuda"):
        local = local.cpu()  # only these two have it
    bits = local.view(BITS[local.itemsize])
    return torch.hash_tensor(bits).item(), bits[(0,) * bits.dim()].item()
