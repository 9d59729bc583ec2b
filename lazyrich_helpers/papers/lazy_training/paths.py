"""The paths of a student's units in the plane, richly and lazily trained."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.lazy_training.nets import (
    Lesson,
    descend,
    half_squares,
    lesson,
    students,
)


@dataclass(frozen=True, kw_only=True)
class PathSettings:
    """A student and a teacher of inputs on the unit circle.

    As the paper's cover figure, but for the draw of student and teacher and for the
    number of steps: there 100,000, of half the size.
    """

    taus: tuple[float, ...]
    """Scales of both layers at the start, τ."""
    num_units: int = 16
    """m; half of them are drawn, the others mirror them."""
    teacher_units: int = 3
    num_examples: int = 15
    num_steps: int = 20_000
    step_size: float = 0.01
    num_times: int = 24
    """At which units are looked at: the start, then evenly on a logarithmic axis."""
    draw: int = 2
    """Of student, teacher and inputs: one, for a picture."""


def times_of(settings: PathSettings) -> list[int]:
    """Return the steps after which the units are looked at, 0 first."""
    spaced = np.geomspace(1, settings.num_steps, settings.num_times - 1)
    return sorted({0, *np.round(spaced).astype(int).tolist()})


def lesson_of(settings: PathSettings) -> Lesson:
    """Return what the student of the plane learns from."""
    return lesson(
        [settings.draw], 2, settings.num_examples, num_test=500,
        teacher_units=settings.teacher_units,
    )  # fmt: skip


def path_point(settings: PathSettings, tau: float, device: str) -> pd.DataFrame:
    """Return a row for each unit and time: |b| a, its readout's sign, the losses."""
    task = lesson_of(settings)
    nets = students([settings.draw], settings.num_units, 2, init_scale=tau)
    rows, looks = [], set(times_of(settings))
    for step in descend(nets, task, settings.step_size, settings.num_steps):
        if step not in looks:
            continue
        with torch.no_grad():
            a, b = nets.hidden[0], nets.readout[0]
            arrows = (b.abs()[:, None] * a).tolist()
            train = half_squares(nets, task.inputs, task.goals).item()
            test = half_squares(nets, task.test_inputs, task.test_goals).item()
        rows += [
            (step, unit, x, y, int(up), train, test)
            for unit, ((x, y), up) in enumerate(zip(arrows, b.sign(), strict=True))
        ]
    columns = ["step", "unit", "x", "y", "sign", "train_loss", "test_loss"]
    return pd.DataFrame(rows, columns=columns)


PATHS = Study(
    name="lazy-paths",
    says="Paths of a student's 16 units in the plane, over the scale of the start",
    point=path_point,
    over="taus",
    budgets={
        "smoke": PathSettings(taus=(0.1, 2.0), num_steps=200, num_times=6),
        "laptop": PathSettings(taus=(0.1, 0.5, 2.0), num_steps=3000, num_times=20),
        "paper": PathSettings(taus=(0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0)),
    },
    arithmetic="fp64",
)
