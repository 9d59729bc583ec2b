"""What determines a run's numbers, and nothing else.

A `RunConfig` has seven slots. Each slot holds a *part*: a small frozen dataclass that
lives beside the code that reads it (`models.ReluNet`, `optimizers.Adam`, ...) and names
its slot and kind. A new kind is a new class; no existing run is renamed by it.
"""

import dataclasses
import functools
import hashlib
import json
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Self,
    get_args,
    get_origin,
    get_type_hints,
)

if TYPE_CHECKING:  # parts live beside the code that reads them, and import this module
    from lazyrich_helpers.data import DataPart
    from lazyrich_helpers.initialization import InitPart
    from lazyrich_helpers.models import ModelPart
    from lazyrich_helpers.objectives import Objective
    from lazyrich_helpers.optimizers import OptimizerPart
    from lazyrich_helpers.schedules import UpdateSchedule

FP32 = ("highest", "medium")
"""Settings of `Training.precision` at which products are fp32's."""
_KINDS: dict[tuple[str, str], type["Part"]] = {}


class Part:
    """Base of every config part: typed fields, one slot, one kind.

    Subclass as a frozen, keyword-only dataclass without optional fields:
    `class ReluNet(Part, slot="model", kind="relu_net")`. Field values are checked
    against their annotation; override `check` for ranges.
    """

    slot: ClassVar[str]
    kind: ClassVar[str]

    def __init_subclass__(cls, slot: str, kind: str) -> None:
        before = _KINDS.get((slot, kind))
        if before is not None and before.__qualname__ != cls.__qualname__:
            raise TypeError(f"{before.__qualname__} is the {slot} of kind {kind!r}.")
        cls.slot, cls.kind = slot, kind
        _KINDS[slot, kind] = cls

    def __post_init__(self) -> None:
        hints = _hints(type(self))
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = typed(field.name, getattr(self, field.name), hints[field.name])
            object.__setattr__(self, field.name, value)
        self.check()

    def check(self) -> None:
        """Raise ValueError, naming field, value and remedy, if a value is wrong."""

    def to_dict(self) -> dict[str, Any]:
        """Return the kind and every field, ready for JSON."""
        names = [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        return {"kind": self.kind} | {name: getattr(self, name) for name in names}


@functools.cache  # slow, and asked for every part of every record
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def typed(name: str, value: Any, kind: type) -> Any:
    """Return `value` as `kind`: a plain type, or `tuple[plain, ...]`.

    An int may stand for a float and a list for a tuple, nothing else for another.

    Raises:
        ValueError: If the type is another, or a float is not finite.
    """
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        (entry, _) = get_args(kind)  # tuple[entry, ...]; a list where JSON was read
        return tuple(typed(name, each, entry) for each in value)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ValueError(
            f"{name} must be of type {getattr(kind, '__name__', kind)}; got {value!r}, "
            f"of type {type(value).__name__}."
        )
    if kind is float and not abs(value) < float("inf"):
        raise ValueError(f"{name} must be a finite number; got {value!r}.")
    return value + 0.0 if kind is float else value  # -0.0, equal to 0.0, becomes it


def require(holds: bool, name: str, remedy: str, value: Any) -> None:
    """Raise "`name` must be `remedy`; got `value`." unless it holds."""
    if not holds:
        raise ValueError(f"{name} must be {remedy}; got {value!r}.")


@dataclass(frozen=True, kw_only=True)
class Training(Part, slot="training", kind="epochs"):
    """A fixed number of epochs, in minibatches, at one arithmetic precision."""

    num_epochs: int
    """Passes over the training set."""
    batch_size: int = 128
    """Examples per step; the last batch of an epoch may be smaller."""
    seed: int = 0
    """Draws the initial parameters, the order of the data and the update schedule."""
    precision: str = "highest"
    """`highest` or `medium` (fp32, by the code that torch prefers at this setting),
    `bf16` (autocast) or `tf32` (on a GPU). See `arithmetic`."""

    def check(self) -> None:
        for name in ("num_epochs", "batch_size"):
            value = getattr(self, name)
            require(value >= 1, name, "at least 1", value)
        require(self.seed >= 0, "seed", "0 or more", self.seed)
        known = (*FP32, "bf16", "tf32")
        words = f"one of {', '.join(known)}"
        require(self.precision in known, "precision", words, self.precision)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that determines a run's numbers. Equal settings, equal `run_id`."""

    data: "DataPart"
    model: "ModelPart"
    init: "InitPart"
    objective: "Objective"
    optimizer: "OptimizerPart"
    updates: "UpdateSchedule"
    training: Training

    def __post_init__(self) -> None:
        for slot, part in self._parts():
            if not isinstance(part, Part) or part.slot != slot:
                raise ValueError(f"{slot} must hold a {slot} part; got {part!r}.")

    def _parts(self) -> list[tuple[str, Part]]:
        return [(f.name, getattr(self, f.name)) for f in dataclasses.fields(self)]

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return slot → kind and fields, ready for JSON."""
        return {slot: part.to_dict() for slot, part in self._parts()}

    @classmethod
    def from_dict(cls, slots: dict[str, dict[str, Any]]) -> Self:
        """Rebuild a config from `to_dict`.

        Raises:
            ValueError: If a slot, kind or field is missing or unknown.
        """
        expected = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(slots, dict) or set(slots) != expected:
            raise ValueError(f"a config has the slots {sorted(expected)}; got {slots}.")
        parts: dict[str, Any] = {}
        for slot, fields in slots.items():
            parts[slot] = _part(slot, fields)
        return cls(**parts)

    @functools.cached_property
    def run_id(self) -> str:
        """Twelve hex digits: the same for equal configs, different otherwise."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def columns(self) -> dict[str, Any]:
        """Return the flat columns of a table: one per slot's kind and per field."""
        flat: dict[str, Any] = {}
        for slot, part in self._parts():
            fields = part.to_dict()
            fields = {slot: fields.pop("kind")} | fields
            twice = flat.keys() & fields.keys()
            assert not twice, f"two parts have a field {twice}: rename one"
            flat |= fields
        return flat


def field_names() -> dict[str, set[str]]:
    """Return each slot's fields, of all its kinds: most columns of any table."""
    found: dict[str, set[str]] = {}
    for (slot, _), part in _KINDS.items():
        names = getattr(part, "__dataclass_fields__", {})  # none until it is made one
        found.setdefault(slot, set()).update(names)
    return found


def _part(slot: str, fields: dict[str, Any]) -> Part:
    fields = dict(fields)
    kind = fields.pop("kind", None)
    if (slot, kind) not in _KINDS:
        known = sorted(name for where, name in _KINDS if where == slot)
        raise ValueError(f"{slot} must be one of the kinds {known}; got {kind!r}.")
    part = _KINDS[slot, kind]
    names = {field.name for field in dataclasses.fields(part)}  # type: ignore[arg-type]
    if set(fields) != names:
        raise ValueError(
            f"{slot} {kind!r} has the fields {sorted(names)}; got {sorted(fields)}."
        )
    return part(**fields)
