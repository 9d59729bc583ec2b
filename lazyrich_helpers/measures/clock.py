"""How long a whole training takes, by the wall's clock."""

import time
from typing import Any, ClassVar

import torch

from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.measures.timing import now
from lazyrich_helpers.training.loop import Epoch, Run, Trained


class Clock(Measure):
    """Seconds from the first step to the end of each epoch, evaluations included.

    It has to watch, so that a run made in another's company is made again: seconds
    mean nothing where the machine does something else meanwhile.
    """

    name: ClassVar[str] = "clock"
    version: ClassVar[int] = 1
    watches: ClassVar[bool] = True

    def __init__(self) -> None:
        self._began = 0.0
        self._seconds: list[float] = []

    def start(self, run: Run) -> None:
        self._began = now(run.data.device)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on; the seconds between the two processes do not count."""
        super().load_state_dict(state)
        self._began = time.perf_counter() - sum(self._seconds[-1:])

    def after_epoch(self, run: Run, epoch: Epoch) -> None:
        self._seconds.append(round(now(run.data.device) - self._began, 3))

    def result(self, trained: Trained) -> dict[str, Any]:
        return {"threads": torch.get_num_threads(), "seconds": self._seconds}
