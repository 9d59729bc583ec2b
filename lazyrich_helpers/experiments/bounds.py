"""What a record's numbers can not be: more right than there are, or lists cut short.

A file may be edited, merged or cut by accident. What it then says is refused where it
is read, by name, and not drawn.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lazyrich_helpers.config import require

OUT_OF = {
    "num_correct": "num",
    "active": "num_test",
    "lazy": "num_test",
    "unchanged": "num_test",
    "whole": "num_test",
    "histogram": "num_weights",
    "movement": "num_weights",
    "movement_biases": "num_biases",
    "num_reset": "num_parameters",
    "layers": "num_steps",
}
"""Counts, alone or in a list → what they are counted among: beside it, or around."""
ALONG = {
    "active": ("fractions", "percents"),
    "lazy": ("fractions",),
    "quantiles": ("quantile_levels",),
    "gradient": ("percents",),
    "gradient_biases": ("percents",),
    "movement": ("percents",),
    "movement_biases": ("percents",),
    "num_reset": ("percents",),
    "num_zeros": ("num_epochs",),
    "lowest": ("num_epochs",),
    "seconds": ("num_epochs",),
    "backward_by_epoch": ("num_epochs",),
    "forward_by_epoch": ("num_epochs",),
}
"""Lists → what says how long they are: a list, or a number."""


def require_record(values: Any, keys: Sequence[str]) -> None:
    """Check that `values` has a record's keys: id, config, status, and objects.

    Raises:
        ValueError: If not.
    """
    if not isinstance(values, dict) or set(values) != set(keys):
        raise ValueError(f"a record has the keys {', '.join(keys)}")
    require(isinstance(values["status"], str), "status", "text", values["status"])
    objects = {key: values[key] for key in keys[3:]}
    for name, value in objects.items():
        require(isinstance(value, dict), name, "an object", value)
    for name, measured in objects["measures"].items():
        require(isinstance(measured, dict), f"measure {name}", "an object", measured)


def require_possible(values: Mapping[str, Any]) -> None:
    """Look through a record, as JSON has it.

    Raises:
        ValueError: If a number or a list in it is impossible; it is named.
    """
    curves, num_test = values["curves"], values["origin"].get("num_test")
    lengths = {name: len(curve) for name, curve in curves.items()}
    require(len(set(lengths.values())) <= 1, "curves", "equally long", lengths)
    if num_test is not None:
        correct = [n for n in curves.get("num_correct", ()) if n is not None]
        _require_counts("curves/num_correct", correct, num_test)
    known = {"num_epochs": values["config"]["training"]["num_epochs"]}
    for name, measured in values["measures"].items():
        require(bool(measured), f"measure {name}", "something", measured)
        own = measured.get("num_test", num_test)
        require(own == num_test, f"{name}/num_test", f"{num_test}, as in origin", own)
        _look_through(name, measured, known)


def _look_through(place: str, values: Mapping[str, Any], around: Mapping) -> None:
    """Check what `values` holds; `around` is what stands there and further out."""
    around = {**around, **values}
    for name, value in values.items():
        path = f"{place}/{name}"
        require(value not in ([], {}), path, "something", value)
        if isinstance(value, Mapping):
            _look_through(path, value, around)
            continue
        entries = value if isinstance(value, list) else [value]
        for number, entry in enumerate(entries):
            if isinstance(entry, Mapping):
                _look_through(f"{path}/{number}", entry, around)
        if OUT_OF.get(name) in around and not isinstance(entries[0], Mapping):
            _require_counts(path, entries, around[OUT_OF[name]])
        axis = next(
            (around[axis] for axis in ALONG.get(name, ()) if axis in around), None
        )
        if axis is not None and isinstance(value, list):
            length = len(axis) if isinstance(axis, list) else axis
            require(len(value) == length, path, f"{length} numbers", len(value))


def _require_counts(path: str, counts: list[Any], most: int) -> None:
    wrong = [n for n in counts if type(n) is not int or not 0 <= n <= most]
    require(not wrong, path, f"counts of 0 to {most}", wrong[:3])
