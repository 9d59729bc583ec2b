"""The re-initialization figure, recomputed on a reader's own networks as they slide.

Where there is no kernel, `widgets.reinit_slider` shows the same figure from records.
"""

import asyncio
from collections.abc import Callable, Sequence

import ipywidgets
import pandas as pd

from lazyrich_helpers.data.datasets import Split
from lazyrich_helpers.models.vectors import bind_
from lazyrich_helpers.notebook.reinit_view import (
    Pick,
    ReinitView,
    evaluation_note,
    mean_percent,
)
from lazyrich_helpers.notebook.widgets import CONTROL, in_words, picture
from lazyrich_helpers.reinit.reinitialization import (
    SCENARIOS,
    movement_order,
    reinitialized,
)
from lazyrich_helpers.runner.progress import watched
from lazyrich_helpers.training.loop import Trained, count_correct

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


class ReinitExplorer(ipywidgets.VBox):
    """Sliders for γ and ε over trained networks, with their learning rate and width.

    While a slider moves, one network of the chosen width is evaluated on the first
    `PREVIEW_IMAGES` test images; when it rests, all of the learning rate on all images.
    """

    def __init__(self, networks: Sequence[Trained], table: pd.DataFrame) -> None:
        """Take the networks and their `tables.reinit_table`, of one depth and data."""
        self._nets: dict[tuple[float, int], list[Resettable]] = {}
        for trained in watched(networks):  # to order millions of parameters
            columns = trained.config.columns()
            key = columns["lr"], columns["width"]
            self._nets.setdefault(key, []).append(Resettable(trained))
        rates = sorted({lr for lr, _ in self._nets}, reverse=True)
        widths = sorted({width for _, width in self._nets})
        self._views = {lr: ReinitView(table.loc[table.lr == lr]) for lr in rates}
        self.lr = ipywidgets.ToggleButtons(
            options=[(f"{lr:g}", lr) for lr in rates],
            description="learning rate",
            style={"button_width": "auto"},
        )
        self.width = ipywidgets.ToggleButtons(
            options=[(f"{width:,}", width) for width in widths],
            index=len(widths) - 1,
            description="width",
            style={"button_width": "auto"},
        )
        self.shares = {
            scenario: ipywidgets.FloatLogSlider(
                value=0.1,
                base=10,
                min=-3,
                max=2,
                step=0.02,
                description=f"{symbol} in %",
                readout_format=".3g",
                layout=CONTROL,
            )
            for scenario, symbol in zip(SCENARIOS, "γε", strict=True)
        }
        self.shown = ipywidgets.HTML()
        self._picks: dict[str, Pick] = {}
        self._rest = Rest(self.settle)
        super().__init__([self.lr, self.width, *self.shares.values(), self.shown])
        for scenario, share in self.shares.items():
            share.observe(lambda _, s=scenario: self.preview(s), names="value")
        for control in (self.lr, self.width):
            control.observe(lambda _: self.settle(), names="value")
        self.settle()

    def preview(self, scenario: str) -> None:
        """Show the moved share at once, for one network; the rest when it rests."""
        lr, width = self._chosen
        one = self._nets.get((lr, width), [])[:1]
        self._evaluate(scenario, {width: one} if one else {}, PREVIEW_IMAGES)
        self._show()
        self._rest.begin()

    def settle(self) -> None:
        """Show all networks of the learning rate, on all test images."""
        nets = {
            w: found for (lr, w), found in self._nets.items() if lr == self.lr.value
        }
        for scenario in SCENARIOS:
            self._evaluate(scenario, nets, None)
        self._show()

    @property
    def _chosen(self) -> tuple[float, int]:
        lr, width = self.lr.value, self.width.value
        assert lr is not None and width is not None  # buttons always have a choice
        return lr, width

    def _evaluate(
        self, scenario: str, nets: dict[int, list[Resettable]], most: int | None
    ) -> None:
        fraction = self.shares[scenario].value / 100
        if not nets:  # this learning rate lacks the width: it diverged there
            self._picks[scenario] = Pick(fraction, {}, "no network of this width")
            return
        some = next(iter(nets.values()))[0]
        num_test = min(most or len(some.trained.data.test), len(some.trained.data.test))
        accuracies = {
            width: mean_percent(
                pd.Series([net.accuracy(scenario, fraction, num_test) for net in found])
            )
            for width, found in nets.items()
        }
        note = evaluation_note(num_test, [len(found) for found in nets.values()])
        self._picks[scenario] = Pick(fraction, accuracies, note)

    def _show(self) -> None:
        image = self._views[self._chosen[0]].picture(self._picks)
        self.shown.value = picture(image, in_words(self._picks))
