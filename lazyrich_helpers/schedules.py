"""Which layers each epoch or step updates."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lazyrich_helpers.config import Part


@dataclass(frozen=True, slots=True)
class Plan:
    """What one step updates. Layers are counted from 0, the bottom."""

    layers: frozenset[int]
    """The layers that move, at least one; the others rest, by whatever optimizer."""


@runtime_checkable
class UpdateSchedule(Protocol):
    """A config part that says what moves, and when.

    `plan` is a pure function of its arguments: a resumed run sees the plans an
    uninterrupted one would, and a plot can ask about any step.
    """

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        """Return the plan of `step`, counted from 0 within `epoch`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Full(Part, slot="updates", kind="full"):
    """Every layer at every step: ordinary training."""

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        del epoch, step, seed  # the plan is the same everywhere
        return Plan(frozenset(range(num_layers)))
