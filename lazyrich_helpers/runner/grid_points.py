"""The points of a grid: `widths=10,100 seeds=0..4` as parameters of a notebook."""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from lazyrich_helpers.config import require
from lazyrich_helpers.runner.chapter_file import Parameter

Point = dict[str, Any]
"""A notebook's parameters, as papermill takes them."""

MOST = 10_000
"""Points of a grid: more is a slip."""
LONGEST = 200
"""Characters of a point's name; file systems take 255 with an ending."""
RANGE = re.compile(r"(-?\d{1,18})\.\.(-?\d{1,18})")
WHOLE = re.compile(r"[-+]?\d{1,300}")
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


def parse_grid(
    words: Sequence[str], parameters: Mapping[str, Parameter]
) -> list[Point]:
    """Return every combination of values; the last name varies fastest.

    Args:
        words: `name=values` each. Values are numbers, words, `true`, `false` or `none`
            with commas between, or ranges such as `0..4`, both ends included. What
            takes a list gets one of a single value.
        parameters: Those of the notebook: `chapter.parameters_of`.

    Raises:
        ValueError: If a name is unknown or comes twice, if values are missing, come
            twice or are of the wrong type, or if there are more than `MOST` points.
    """
    remedy = "names with values, such as widths=10,100 seeds=0..4"
    require(bool(words), "grid", remedy, "nothing")
    axes: dict[str, list[Any]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        require(bool(equals), "grid", remedy, word)
        known = ", ".join(parameters)
        require(name in parameters, "a name in the grid", f"one of {known}", name)
        require(name not in axes, "a name in the grid", "there once", name)
        axes[name] = list(_values(parameters[name], text))
    size = math.prod(map(len, axes.values()))
    require(size <= MOST, "grid", f"of at most {MOST} points", size)
    combinations = itertools.product(*axes.values())
    points = [dict(zip(axes, values, strict=True)) for values in combinations]
    return [in_order(point, parameters) for point in points]


def in_order(point: Point, parameters: Mapping[str, Parameter]) -> Point:
    """Return the point with its names in the notebook's order."""
    return {name: point[name] for name in parameters if name in point}


def name_of(point: Point) -> str:
    """Return what tells a point from its neighbours, fit for a file and a link.

    Raises:
        ValueError: If it is too long for a file's name.
    """
    values = {name: quote(in_words(value), safe="") for name, value in point.items()}
    name = ",".join(f"{name}={text}" for name, text in values.items())
    require(len(name) <= LONGEST, "a point", f"of at most {LONGEST} characters", name)
    return name


def in_words(value: Any) -> str:
    """Return a value as it is written in a grid."""
    if isinstance(value, list):
        return ",".join(map(in_words, value))
    return str(value).lower() if isinstance(value, bool | None) else str(value)


def _values(parameter: Parameter, text: str) -> Iterator[Any]:
    """Yield the values that `text` lists, each of them once."""
    seen: set[str] = set()
    for part in text.split(","):
        remedy = "values with commas between, such as 10,100"
        require(bool(part), parameter.name, remedy, text)
        for one in _listed(parameter.name, part):
            value = _value(parameter, one)
            again = repr(value) in seen
            require(not again, parameter.name, "different values", text)
            seen.add(repr(value))
            yield value


def _listed(name: str, part: str) -> list[str]:
    """Return the numbers of a range, or what is no range as it is."""
    if ".." not in part:
        return [part]
    ends = RANGE.fullmatch(part)
    if ends is None:
        raise ValueError(
            f"{name} must be a range of whole numbers, such as 0..4; got {part!r}."
        )
    low, high = int(ends[1]), int(ends[2])
    require(low <= high, name, "a range from the lower to the higher end", part)
    require(high - low < MOST, name, f"a range of at most {MOST} values", part)
    return [str(number) for number in range(low, high + 1)]


def _value(parameter: Parameter, text: str) -> Any:
    """Return a value of the parameter's own type; a guess where it has none."""
    read, remedy = READERS.get(parameter.entry, (_guess, "a number or a word"))
    is_none = text.lower() == "none"
    if is_none and (parameter.default == "None" or read is _guess):
        return None
    value = read(text)
    require(value is not None, parameter.name, remedy, text)
    return [value] if parameter.is_list else value


def _whole(text: str) -> int | None:
    return int(text) if WHOLE.fullmatch(text) else None


def _number(text: str) -> float | None:
    value = float(text) if NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def _truth(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _word(text: str) -> str:
    return text


def _guess(text: str) -> Any:
    found = (read(text) for read in (_whole, _number, _truth))
    return next((value for value in found if value is not None), text)


READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "int": (_whole, "of whole numbers"),
    "float": (_number, "of finite numbers"),
    "bool": (_truth, "true or false"),
    "str": (_word, "a word"),
}
"""How a value of each type is read, and what else there is to say."""
