"""Explorer of samplers of partial gradients: masks over time, accuracy over cost."""

from collections.abc import Sequence
from typing import Any

from lazyrich_helpers.notebook.widgets import Explorer, choice


def sampler_explorer(cells: Sequence[dict[str, Any]], *, start: str = "") -> Explorer:
    """Return buttons for the sampler and for how its steps are matched.

    Args:
        cells: Of each sampler at each kind of matched steps: `label`, `matched`,
            `accuracy` (percent), `flops` (over SGD's), `words`, `steps`, and `updated`:
            for each stretch of the training the percent of each layer's weights that
            move, lowest layer first, as text.
        start: Label of the sampler that is shown first.
    """
    labels = list(dict.fromkeys(cell["label"] for cell in cells))
    matched = list(dict.fromkeys(cell["matched"] for cell in cells))
    controls = [choice("sampler", "sampler", labels), choice("row", "matched", matched)]
    found = {
        f"{matched.index(cell['matched'])},{labels.index(cell['label'])}": cell
        for cell in cells
    }
    first = labels.index(start) if start in labels else 0
    return Explorer("samplers", controls, {"cells": found}, {"sampler": first})
