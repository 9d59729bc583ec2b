"""What one step updates, and what a schedule of such plans is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from lazyrich_helpers.config import require

OfParameter = Callable[[int, int, Tensor], Tensor]
"""Layer, number of a parameter within it, the parameter → a tensor of its shape."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one step updates, and how. Layers are counted from 0, the bottom."""

    layers: frozenset[int]
    """The trainable layers, at least one; all others are frozen."""
    lr_scales: tuple[float, ...] = ()
    """Factor on the learning rate of each of them, bottom first; none: all are 1."""
    forget: frozenset[int] = frozenset()
    """Layers, trainable or frozen, whose optimizer state is dropped before the step."""
    mask: OfParameter | None = None
    """Which entries of a trainable parameter move: bool. Of the others the optimizer
    sees a gradient of zero, and whatever it does to them is undone."""
    perturbation: OfParameter | None = None
    """What is added to a trainable parameter while the gradient is taken."""

    def __post_init__(self) -> None:
        assert len(self.lr_scales) in (0, len(self.layers))

    @property
    def scales(self) -> dict[int, float]:
        """Trainable layer → factor on its learning rate."""
        factors = self.lr_scales or (1.0,) * len(self.layers)
        return dict(zip(sorted(self.layers), factors, strict=True))


@runtime_checkable
class UpdateSchedule(Protocol):
    """A config part that says what moves, and when.

    `plan` is a pure function of its arguments: a resumed run sees the plans an
    uninterrupted one would, and a plot can ask about any step.
    """

    @property
    def per_step(self) -> bool:
        """Whether plans may differ within an epoch; if not, step 0 tells of it."""
        ...

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        """Return the plan of `step`, counted from 0 within `epoch`.

        Raises:
            ValueError: If the schedule asks for more layers than there are.
        """
        ...


@runtime_checkable
class TimedSchedule(UpdateSchedule, Protocol):
    """A schedule that goes by the training's length, and holds it in its fields.

    The length is not an argument of `plan`: what has a schedule can ask it for any
    step, and need not know of the training.
    """

    def check_length(self, num_epochs: int, num_steps: int) -> None:
        """Check that it was made for `num_epochs` epochs of `num_steps` steps each.

        Raises:
            ValueError: If it was made for others.
        """
        ...


class Stepped:
    """Of a `TimedSchedule` that counts the steps of the whole training."""

    steps_per_epoch: int
    per_step = True

    def check_length(self, num_epochs: int, num_steps: int) -> None:
        given, due = self.steps_per_epoch, f"{num_steps}, the steps of this training's"
        require(given == num_steps, "steps_per_epoch", f"{due} epochs", given)

    def steps_before(self, epoch: int, step: int) -> int:
        """Return the number of steps before this one, all epochs'."""
        most = self.steps_per_epoch
        require(step < most, "step", f"below {most}, the steps of an epoch", step)
        return epoch * self.steps_per_epoch + step


class Ending:
    """Of a `TimedSchedule` that goes by the training's end."""

    total_epochs: int

    def check_length(self, num_epochs: int, num_steps: int) -> None:
        given, due = self.total_epochs, f"{num_epochs}, the epochs of this training"
        require(given == num_epochs, "total_epochs", due, given)

    def check_epoch(self, epoch: int) -> None:
        """Raise ValueError if the training is over by then."""
        most = self.total_epochs
        require(epoch < most, "epoch", f"below {most}, the schedule's epochs", epoch)
