"""A part of a run's settings: typed, frozen, with a slot and a kind."""

import dataclasses
import functools
from collections.abc import Callable, Collection
from typing import (
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    get_args,
    get_origin,
    get_type_hints,
)

_KINDS: dict[tuple[str, str], type["Part"]] = {}


class Bound(NamedTuple):
    """Which values of its type a field may have, as in `Annotated[int, Bound(...)]`."""

    remedy: str
    holds: Callable[[Any], bool]


Count = Annotated[int, Bound("at least 1", lambda value: value >= 1)]
Natural = Annotated[int, Bound("0 or more", lambda value: value >= 0)]
NotNegative = Annotated[float, Bound("0 or more", lambda value: value >= 0)]
Positive = Annotated[float, Bound("positive", lambda value: value > 0)]
UnitInterval = Annotated[float, Bound("in [0, 1]", lambda value: 0 <= value <= 1)]
BelowOne = Annotated[float, Bound("in [0, 1)", lambda value: 0 <= value < 1)]
UpToOne = Annotated[float, Bound("in (0, 1]", lambda value: 0 < value <= 1)]


def one_of(known: Collection[str]) -> Bound:
    """Return the bound of a field that is one of some words."""
    return Bound(f"one of {', '.join(known)}", lambda value: value in known)


class Part:
    """Base of every config part: typed fields, one slot, one kind.

    Subclass as a frozen, keyword-only dataclass without optional fields:
    `class ReluNet(Part, slot="model", kind="relu_net")`. Field values are checked
    against their annotation and its `Bound`; override `check` for the rest.
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
            kind, *bounds = hints[field.name]
            value = typed(field.name, getattr(self, field.name), kind)
            for bound in bounds:
                require(bound.holds(value), field.name, bound.remedy, value)
            object.__setattr__(self, field.name, value)
        self.check()

    def check(self) -> None:
        """Raise ValueError, naming field, value and remedy, if a value is wrong."""

    def to_dict(self) -> dict[str, Any]:
        """Return the kind and every field, ready for JSON."""
        names = [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        return {"kind": self.kind} | {name: getattr(self, name) for name in names}


@functools.cache  # slow, and asked for every part of every record
def _hints(kind: type) -> dict[str, tuple[Any, ...]]:
    """Return each field's plain type, and its bounds."""
    hints = get_type_hints(kind, include_extras=True)
    is_bound = {name: get_origin(hint) is Annotated for name, hint in hints.items()}
    return {n: get_args(h) if is_bound[n] else (h,) for n, h in hints.items()}


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


def require_one_of(known: Collection[str], name: str, value: object) -> None:
    """Raise "`name` must be one of `known`; got `value`." unless it is."""
    require(value in tuple(known), name, f"one of {', '.join(known)}", value)


def reason(error: BaseException) -> str:
    """Return an error as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def field_names() -> dict[str, set[str]]:
    """Return each slot's fields, of all its kinds: most columns of any table."""
    found: dict[str, set[str]] = {}
    for (slot, _), part in _KINDS.items():
        names = getattr(part, "__dataclass_fields__", {})  # none until it is made one
        found.setdefault(slot, set()).update(names)
    return found


def part_of(slot: str, fields: dict[str, Any]) -> Part:
    """Rebuild a part from its slot and `to_dict`.

    Raises:
        ValueError: If its kind or a field is missing or unknown.
    """
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
