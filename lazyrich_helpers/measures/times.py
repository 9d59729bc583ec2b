"""What a step takes, and why; and how long a whole training takes."""

import time
from typing import Any, ClassVar

import torch

from lazyrich_helpers.lws.plans import UpdateSchedule
from lazyrich_helpers.lws.schedules import (
    BottomQ,
    Full,
    Middle,
    TopBottom,
    TopK,
    in_words,
)
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.measures.timing import now, step_bytes, step_seconds
from lazyrich_helpers.training.loop import Epoch, Run, Trained

NUM_STEPS = 20
ENDS = ((1, 1), (2, 2), (3, 3), (4, 4), (1, 4), (4, 1))
"""Layers at the top and at the bottom that Section 6 updates together."""


def timed_plans(num_layers: int) -> dict[str, frozenset[int]]:
    """Return every set of layers that a schedule of Section 6 updates, by name."""
    schedules: list[UpdateSchedule] = [
        Full(),
        *(TopK(k=k) for k in range(1, num_layers)),
        *(BottomQ(q=q) for q in range(1, min(5, num_layers))),
        *(TopBottom(k=k, q=q) for k, q in ENDS if k + q < num_layers),
        Middle(),
    ]
    plans: dict[str, frozenset[int]] = {}
    for schedule in schedules:
        layers = schedule.plan(0, 0, num_layers, 0).layers
        if layers not in plans.values():
            plans[in_words(schedule)] = layers
    return plans


class StepTimes(Measure):
    """Seconds of each phase of a step, and bytes it holds, for every set of layers.

    Means nothing where the machine does something else meanwhile.
    """

    name: ClassVar[str] = "step_times"
    version: ClassVar[int] = 1
    alone: ClassVar[bool] = True

    def result(self, trained: Trained) -> dict[str, Any]:
        config, device = trained.config, str(trained.data.device)
        plans = timed_plans(len(trained.network.layers))
        times = step_seconds(config, plans, num_steps=NUM_STEPS, device=device)
        found = {
            plan: {
                "layers": sorted(layers),
                "bytes": step_bytes(config, layers, device=device),
                "seconds": {
                    phase: [round(each, 6) for each in seconds]
                    for phase, seconds in times[plan].items()
                },
            }
            for plan, layers in plans.items()
        }
        return {"threads": torch.get_num_threads(), "plans": found}


class Clock(Measure):
    """Seconds from the first step to the end of each epoch, evaluations included.

    It has to watch, so that a run made in another's company is made again: seconds
    mean nothing where the machine does something else meanwhile.
    """

    name: ClassVar[str] = "clock"
    version: ClassVar[int] = 1
    watches: ClassVar[bool] = True
    alone: ClassVar[bool] = True

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
