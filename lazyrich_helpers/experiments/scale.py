"""The scale of a recipe: what a caller may choose. It imports no torch to be read."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

from lazyrich_helpers.config import require, typed


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What a recipe varies, and how long it trains: every choice a caller has."""

    dataset: Annotated[str, "digits, mnist, fashion_mnist or cifar10"]
    widths: Annotated[Sequence[int], "units per layer"]
    seeds: Annotated[Sequence[int], "one run each"]
    lrs: Annotated[Sequence[float], "learning rates"]
    num_epochs: Annotated[int, "passes over the training images"]
    train_size: Annotated[int | None, "training images; None: `TRAIN_SIZES`"] = None
    precision: Annotated[str, "fp32, bf16 or tf32 (on a GPU)"] = "highest"
    """As in `Training`; a caller chooses one of `arithmetic.PRECISIONS`."""

    lists: ClassVar[tuple[str, ...]] = ("widths", "seeds", "lrs")
    """Fields that hold several values, each of them once."""

    def __post_init__(self) -> None:
        for name in self.lists:
            values = getattr(self, name)
            is_list = isinstance(values, list | tuple)
            plain = is_list and not any(isinstance(v, list | dict) for v in values)
            distinct = plain and len(values) == len(set(values)) > 0
            require(distinct, name, "a list of different values, at least one", values)

    def choose(self, choices: dict[str, Any]) -> Self:
        """Return this scale with some fields chosen otherwise."""
        from lazyrich_helpers.training.arithmetic import named

        names = [field.name for field in dataclasses.fields(self)]
        for name in choices:
            require(name in names, "a choice", f"one of {', '.join(names)}", name)
        if "precision" in choices:
            asked = named(choices["precision"], fp32=self.precision)
            choices = choices | {"precision": asked}
        return replace(self, **choices)


@dataclass(frozen=True, kw_only=True)
class LwsScale(Scale):
    """As `Scale`, with what the schedules vary."""

    rhos: Annotated[Sequence[float], "probabilities"] = (0.1, 0.2, 0.3, 0.4, 0.5)
    """Of updating the bottom layers."""
    ks: Annotated[Sequence[int], "layers at top or bottom"] = (1, 2, 3, 4)
    """Of static schedules."""

    lists: ClassVar[tuple[str, ...]] = (*Scale.lists, "rhos", "ks")

    def __post_init__(self) -> None:
        super().__post_init__()
        for k in self.ks:
            require(typed("k", k, int) >= 1, "k", "at least 1 layer", k)
        for rho in self.rhos:
            require(0 <= typed("rho", rho, float) <= 1, "rho", "in [0, 1]", rho)


LAPTOP = Scale(
    dataset="digits", widths=(10, 100), seeds=(0,), lrs=(0.01,), num_epochs=20
)
SMOKE = replace(LAPTOP, num_epochs=5)
PAPER = Scale(
    dataset="mnist",
    widths=(10, 100, 1000),
    seeds=(0, 1, 2, 3, 4),
    lrs=(0.1, 0.01, 0.001),
    num_epochs=100,
    precision="medium",
)
"""What the recipes' scales are like, at each budget, but for what they vary."""


def at_each(scales: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the scales, by budget, with some fields changed at each of them."""
    return {budget: replace(scale, **fields) for budget, scale in scales.items()}
