"""The γ/ε explorer on a reader's own networks: re-initialized as the sliders move."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazyrich_helpers.analysis.tables.tidy import reinit_table
from lazyrich_helpers.data.datasets import Split
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.models.vectors import bind_
from lazyrich_helpers.notebook.reinit_view import (
    START,
    SYMBOLS,
    evaluation_note,
    explorer_parts,
    label_of,
)
from lazyrich_helpers.notebook.widgets import Explorer
from lazyrich_helpers.reinit.reinitialization import movement_order, reinitialized
from lazyrich_helpers.runner.progress import watched
from lazyrich_helpers.training.loop import Trained, count_correct

STOPS = [0.0, *(float(f"{10 ** (k / 20):.6g}") for k in range(-100, 1))]
"""Shares that can be chosen beside the recorded ones: twenty a decade."""
PREVIEW_IMAGES = 1000
SETTLE_SECONDS = 0.4
"""How long a slider has to rest before everything is evaluated."""


class Rest:
    """Calls back once nothing has moved for `SETTLE_SECONDS`."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Wait, anew if it did already."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no event loop to wait in: not in a notebook
            self._callback()
        else:
            self._timer = loop.call_later(SETTLE_SECONDS, self._callback)


class Resettable:
    """A trained network that is re-initialized again and again."""

    def __init__(self, trained: Trained) -> None:
        self.trained = trained
        self.order = movement_order(trained.initial, trained.final)

    def accuracy(self, scenario: str, fraction: float, num_test: int) -> float:
        """Return the accuracy, 0 to 1, on the first `num_test` test images.

        The network is left re-initialized.
        """
        trained, test = self.trained, self.trained.data.test
        parameters = reinitialized(
            trained.initial,
            trained.final,
            self.order,
            fraction=fraction,
            scenario=scenario,
        )
        bind_(trained.network, parameters)
        some = Split(test.images[:num_test], test.labels[:num_test])
        precision = trained.config.training.precision
        return count_correct(trained.network, some, precision) / len(some)


class ReinitExplorer(Explorer):
    """Sliders for γ and ε over trained networks, at any share.

    While a slider moves, one network of the chosen width is evaluated on the first
    `PREVIEW_IMAGES` test images; when it rests, all of the setting on all images.
    """

    def __init__(
        self,
        networks: Sequence[Trained],
        records: Sequence[Record],
        *,
        start: float = START,
    ) -> None:
        """Take the networks and their records; `start` as in `reinit_slider`."""
        table = reinit_table(records)
        stops = sorted({*STOPS, *table.fraction})
        super().__init__("reinit", *explorer_parts(table, records, stops, start))
        # watched: to order millions of parameters takes its time
        self._nets = [Resettable(trained) for trained in watched(networks)]
        self._found: dict[str, dict[str, float]] = {}
        self._rest = Rest(self.settle)
        self.observe(self._moved, names="state")
        self.settle()

    def _moved(self, change: Any) -> None:
        names = {n for n, at in change["new"].items() if at != change["old"].get(n)}
        if not names <= {*SYMBOLS, "width", "together"}:
            self.settle()
        elif moved := [symbol for symbol in SYMBOLS if symbol in names]:
            self.preview(moved)

    def preview(self, symbols: Sequence[str]) -> None:
        """Show the moved shares at once, for one network; the rest when it rests."""
        width = self.chosen("width")
        one = self._by_width().get(width, [])[:1]
        self._evaluate(symbols, {width: one} if one else {}, PREVIEW_IMAGES)
        self._rest.begin()

    def settle(self) -> None:
        """Show all networks of the setting, on all test images."""
        self._evaluate(list(SYMBOLS), self._by_width(), None)

    def _by_width(self) -> dict[str, list[Resettable]]:
        """Return the networks of the chosen setting."""
        found: dict[str, list[Resettable]] = {}
        for net in self._nets:
            columns = net.trained.config.columns()
            names = self.data["choices"]
            if all(label_of(columns[name]) == self.chosen(name) for name in names):
                found.setdefault(f"{columns['width']:,}", []).append(net)
        return found

    def _evaluate(
        self,
        symbols: Sequence[str],
        nets: dict[str, list[Resettable]],
        most: int | None,
    ) -> None:
        note = "no network of this width"
        for symbol in symbols:
            fraction = self.data["stops"][self.state[symbol]]
            found = self._found[symbol] = {}
            for width, own in nets.items():
                size = len(own[0].trained.data.test)
                num = min(most or size, size)
                mean = np.mean(
                    [n.accuracy(SYMBOLS[symbol], fraction, num) for n in own]
                )
                found[width] = round(100 * float(mean), 2)
                note = evaluation_note(num, [len(each) for each in nets.values()])
        self.live = {"state": dict(self.state), "note": note, **self._found}
