"""The widget behind every explorer: controls over views drawn in the browser.

The same JavaScript draws in JupyterLab and, without kernel and network, in a built
page; a static figure has to stand before it for paper and for pages without scripts.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from lazyrich_helpers.config import require

STATIC = Path(__file__).parent / "static"

Control = dict[str, Any]


def slider(name: str, label: str, labels: Iterable[str]) -> Control:
    """Return a slider with a label for each of its positions."""
    return {"kind": "slider", "name": name, "label": label, "labels": list(labels)}


def choice(name: str, label: str, labels: Iterable[str]) -> Control:
    """Return buttons of which one is chosen."""
    return slider(name, label, labels) | {"kind": "choice"}


def check(name: str, label: str, ties: Sequence[str]) -> Control:
    """Return a check box that, when set, ties sliders to one position."""
    return slider(name, label, ["no", "yes"]) | {"kind": "check", "ties": list(ties)}


class Explorer(anywidget.AnyWidget):
    """Controls, and views of `data` at what they are set to."""

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    data = traitlets.Dict().tag(sync=True)
    """What the views show, and `controls`."""
    state = traitlets.Dict().tag(sync=True)
    """The position of each control, by its name."""
    live = traitlets.Dict().tag(sync=True)
    """What Python computed for `live["state"]`; empty where no kernel answers."""

    def __init__(
        self,
        view: str,
        controls: Sequence[Control],
        data: Mapping[str, Any],
        start: Mapping[str, int],
    ) -> None:
        """Make an explorer.

        Args:
            view: Name of the file in `static/` that draws.
            controls: In the order in which they are shown.
            data: What it draws; may be turned into JSON.
            start: First position of each control; 0 where not given.

        Raises:
            ValueError: If a start is not one of a control's positions.
        """
        state = dict.fromkeys((control["name"] for control in controls), 0)
        state.update(start)
        for control in controls:
            name, last = control["name"], len(control["labels"]) - 1
            inside = state[name] in range(last + 1)
            require(inside, f"start of {name}", f"from 0 to {last}", state[name])
        self._view = view
        super().__init__(
            _esm=_packed("frame.js", f"{view}.js"),
            _css=_packed("explorer.css"),
            data={**data, "controls": list(controls)},
            state=state,
        )

    def chosen(self, name: str) -> str:
        """Return the label that a control stands at."""
        (control,) = (c for c in self.data["controls"] if c["name"] == name)
        return control["labels"][self.state[name]]

    def __repr__(self) -> str:
        """Return the same for equal explorers: an address would differ in each run."""
        text = json.dumps([self.data, self.state], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        return f"Explorer({self._view!r}, {digest})"


def _packed(*names: str) -> str:
    """Return files as one, without indentation: each explorer of a page has a copy."""
    texts = [(STATIC / name).read_text() for name in names]
    return re.sub(r"^\s+", "", "\n".join(texts), flags=re.MULTILINE)
