"""Numbers that a claim's sentence and its check share, and how they are printed."""

from typing import Any

from lazyrich_helpers.reinit.reinitialization import percent_label


class Points(float):
    """A number of points, of accuracy in percent."""

    def __format__(self, spec: str) -> str:
        return f"{float(self):g} point" + ("" if self == 1 else "s")


class Share(float):
    """A part of a whole, 0 to 1, which is printed in percent."""

    def __format__(self, spec: str) -> str:
        return percent_label(self)


class Several(tuple[Any, ...]):
    """Numbers that are printed as `1, 3 and 10`, or with the word of the format."""

    def __format__(self, spec: str) -> str:
        *most, last = [
            f"{v}" if isinstance(v, str | Share) else f"{v:,g}" for v in self
        ]
        *most, last = _shared_unit([*most, last])
        return f"{', '.join(most)} {spec or 'and'} {last}" if most else last


def _shared_unit(texts: list[str]) -> list[str]:
    """Return `1`, `10 %` for `1 %`, `10 %`: the unit is said once."""
    if all(text.endswith(" %") for text in texts):
        texts = [*(text.removesuffix(" %") for text in texts[:-1]), texts[-1]]
    return texts
