"""A student's test loss over the scale of its start, and over its width."""

import copy
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.lazy_training.nets import (
    Lesson,
    TwoLayerNets,
    descend,
    half_squares,
    lesson,
    students,
)
from lazyrich_helpers.reinit.tangent_kernel import alignment, stacked_tangent_kernels

LOOK_EVERY = 50
"""Steps between two looks at the test loss."""
KERNEL_INPUTS = 32


@dataclass(frozen=True, kw_only=True)
class ScaleSettings:
    """Student and teacher of the paper's figure of test loss over the scale."""

    taus: tuple[float, ...]
    """Scales of both layers at the start, τ: the output's is τ²."""
    num_inputs: int = 100
    """d."""
    num_units: int = 50
    """m, of the student; half of them are drawn, the others mirror them."""
    num_examples: int = 1000
    num_steps: int = 5000
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


def scale_point(settings: ScaleSettings, tau: float, device: str) -> pd.DataFrame:
    """Return what training from scale τ ends in, a row a seed."""
    task = _lesson(settings, 1.0)
    nets = students(
        settings.seeds, settings.num_units, settings.num_inputs, init_scale=tau
    )
    step_size = min(10.0, 0.1 / tau**2)  # as the paper's code
    # From a large start steps are a millionth of the weights: lost in fp32.
    return _trained(nets, task, step_size, settings, torch.float64, device)


@dataclass(frozen=True, kw_only=True)
class WidthSettings:
    """Student and teacher of the paper's figure of test loss over the width."""

    widths: tuple[int, ...]
    """Units of the student, m."""
    num_inputs: int = 100
    """d."""
    num_examples: int = 1000
    num_steps: int = 2500
    teacher_scale: float = 100.0
    """Of the teacher's output."""
    step_size: float = 0.5
    """Of the 1/√m net; the 1/m net's is m times it: their kernels are then alike."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


def width_point(settings: WidthSettings, width: int, device: str) -> pd.DataFrame:
    """Return what both scalings end in, two rows a seed."""
    task = _lesson(settings, settings.teacher_scale)
    frames = []
    for scaling, scale in (("1/√m", width**-0.5), ("1/m", 1 / width)):
        nets = students(
            settings.seeds, width, settings.num_inputs, symmetric=False, scale=scale
        )
        step_size = settings.step_size / (width * scale**2)
        rows = _trained(nets, task, step_size, settings, torch.float32, device)
        rows.insert(0, "scaling", scaling)
        frames.append(rows)
    return pd.concat(frames)


def _lesson(settings: Any, teacher_scale: float) -> Lesson:
    return lesson(
        settings.seeds,
        settings.num_inputs,
        settings.num_examples,
        num_test=settings.num_examples,
        teacher_scale=teacher_scale,
    )


def _trained(
    nets: TwoLayerNets,
    task: Lesson,
    step_size: float,
    settings: Any,
    dtype: torch.dtype,
    device: str,
) -> pd.DataFrame:
    """Train the nets; return losses and how far they are from the start, a row each."""
    nets = nets.to(device, dtype)
    task = Lesson(*(part.to(device, dtype) for part in vars(task).values()))
    before, first = copy.deepcopy(nets), nets.vectors()
    test_loss = best = torch.full((len(first),), float("inf")).to(first)
    for step in descend(nets, task, step_size, settings.num_steps):
        if step % LOOK_EVERY == 0 or step == settings.num_steps:
            with torch.no_grad():
                test_loss = half_squares(nets, task.test_inputs, task.test_goals)
            best = torch.minimum(best, test_loss)
    with torch.no_grad():
        train_loss = half_squares(nets, task.inputs, task.goals)
        moved = (nets.vectors() - first).norm(dim=1) / first.norm(dim=1)
        signs = [one.preactivations(task.test_inputs) > 0 for one in (before, nets)]
        kept = (signs[0] == signs[1]).float().mean((1, 2))
    few = task.test_inputs[:, :KERNEL_INPUTS]
    kernels = [stacked_tangent_kernels(one, few) for one in (before, nets)]
    table = {
        "seed": list(settings.seeds),
        "train_loss": train_loss.tolist(),
        "test_loss": test_loss.tolist(),
        "best_test_loss": best.tolist(),
        "moved": moved.tolist(),
        "kept_states": kept.tolist(),
        "kernel_change": (
            (kernels[1] - kernels[0]).norm(dim=(1, 2)) / kernels[0].norm(dim=(1, 2))
        ).tolist(),
        "kernel_alignment": [alignment(*pair) for pair in zip(*kernels, strict=True)],
    }
    return pd.DataFrame(table)


SCALE = Study(
    name="lazy-scale",
    says="Student and teacher: losses and movement over the scale of the start",
    point=scale_point,
    over="taus",
    budgets={
        "smoke": ScaleSettings(
            taus=(0.03, 1.0), num_inputs=10, num_examples=50, num_steps=100,
            seeds=(0, 1),
        ),
        "laptop": ScaleSettings(
            taus=(0.01, 0.1, 0.3, 1.0, 10.0), num_inputs=30, num_examples=300,
            num_steps=2000, seeds=(0, 1, 2),
        ),
        "paper": ScaleSettings(
            taus=(0.0063, 0.01, 0.02, 0.032, 0.05, 0.1, 0.2, 0.5, 1.0, 3.2, 10.0)
        ),
    },
    arithmetic="fp64",
)  # fmt: skip
WIDTH = Study(
    name="lazy-width",
    says="Student and teacher: losses over the width, for outputs of 1/√m and 1/m",
    point=width_point,
    over="widths",
    budgets={
        "smoke": WidthSettings(
            widths=(4, 16), num_inputs=10, num_examples=50, num_steps=100, seeds=(0, 1)
        ),
        "laptop": WidthSettings(
            widths=(4, 16, 64), num_inputs=30, num_examples=300, num_steps=1000,
            seeds=(0, 1, 2),
        ),
        "paper": WidthSettings(widths=(4, 8, 16, 32, 64, 128)),
    },
)  # fmt: skip
