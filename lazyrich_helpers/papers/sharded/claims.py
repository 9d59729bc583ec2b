"""One network over several processes: what is measured on two of this machine's cores.

The idea is TensorFlow DTensor's: directives for sharding, apart from the model's code.
Source: TensorFlow's guide "DTensor concepts" (2022), and torch.distributed.tensor.
"""

import dataclasses
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.claims.everywhere import over, word_of
from lazyrich_helpers.analysis.claims.verdicts import (
    NOT_RUN,
    Claim,
    Finding,
    Verdict,
    Word,
)
from lazyrich_helpers.experiments.study import Study, read_study
from lazyrich_helpers.papers.sharded.dtensor_study import TENSORFLOW
from lazyrich_helpers.papers.sharded.nets import FP64
from lazyrich_helpers.runner.processes import together

PAPER = "TensorFlow DTensor (2022) and torch.distributed"
PAGE = "book/papers/sharded"
WORKER = "lazyrich_helpers.papers.sharded.worker"
ROWS = "rows.json"
ROUNDED = "rounded"
"""Not a layout: one process, and the last bits of its initial weights changed."""


@dataclass(frozen=True, kw_only=True)
class CurveSettings:
    """Networks that are trained by one process and in every layout."""

    networks: tuple[str, ...]
    """`relu_net` on digits, `vgg11` on CIFAR-10 or digits, or `record`: a network of
    Figure 2, its first epochs; with ` by SGD`, or ` in fp64` to tell rounding from
    errors."""
    num_epochs: int
    width: int
    """Units, or channels, of the networks; Figure 2's has its own."""
    train_size: int
    images: str = "digits"
    """What VGG-11 sees."""
    layouts: tuple[str, ...] = ("dp", "tp", "2d", "fsdp")
    """And `rounded`: one process whose start has other last bits."""
    processes: int = 2
    processes_2d: int = 2
    """Of the 2-D mesh, which two make 1 × 2, the same as `tp`, and four 2 × 2."""


@dataclass(frozen=True, kw_only=True)
class WireSettings:
    """Steps in which is counted what processes send, and which are timed."""

    layouts: tuple[str, ...] = ("dp", "fsdp", "tp")
    width: int
    depth: int = 3
    rhos: tuple[float, ...]
    """Of top 1 all bottoms; 0 is top 1, 1 is full training."""
    num_steps: int
    batch_size: int = 128
    processes: int = 2
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ScalingSettings:
    """Steps of full training that are timed by one process and by two."""

    widths: tuple[int, ...]
    layouts: tuple[str, ...] = ("dp", "tp", "fsdp")
    batch_size: int = 128
    num_steps: int
    num_rounds: int
    """How often one process and two are timed in turn."""
    processes: int = 2


def shared_point(kind: str) -> Callable[[Any, Any, str], pd.DataFrame]:
    """Return a study's point that processes measure together, started by torchrun."""

    def point(settings: Any, value: Any, device: str) -> pd.DataFrame:
        del device  # processes of the CPU
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / ROWS
            asked = json.dumps([kind, dataclasses.asdict(settings), value])
            words = ["-m", WORKER, asked, str(path)]
            with together(settings.processes, words) as processes:
                said, _ = processes.communicate()
            if processes.returncode or not path.exists():
                raise ValueError(f"the processes ended early: {said[-500:]}")
            return pd.DataFrame(json.loads(path.read_text(encoding="utf-8")))

    return point


def _curves(settings: CurveSettings, name: str, device: str) -> pd.DataFrame:
    """Return the curves of all layouts; the 2-D mesh may have processes of its own."""
    measured, layouts = shared_point("curves"), settings.layouts
    if settings.processes_2d == settings.processes or "2d" not in layouts:
        return measured(settings, name, device)
    own = tuple(layout for layout in layouts if layout != "2d")
    others = dataclasses.replace(settings, layouts=own)
    square = dataclasses.replace(
        settings, layouts=("2d",), processes=settings.processes_2d
    )
    return pd.concat([measured(one, name, device) for one in (others, square)])


CURVES = Study(
    name="sharded-curves",
    says="training losses of networks that processes share, beside one process's",
    point=_curves,
    over="networks",
    arithmetic=lambda name: "fp64" if name.endswith(FP64) else "fp32",
    budgets={
        "smoke": CurveSettings(
            networks=("relu_net",), num_epochs=3, width=32, train_size=200
        ),
        "laptop": CurveSettings(
            networks=("relu_net",), num_epochs=10, width=64, train_size=500
        ),
        "paper": CurveSettings(
            networks=(
                *("record", "record in fp64", "record by SGD"),
                *("vgg11", "vgg11 in fp64"),
            ),
            num_epochs=10,
            width=16,
            train_size=1000,
            images="cifar10",
            layouts=("dp", "tp", "2d", "fsdp", ROUNDED),
            processes_2d=4,
        ),
    },
)
WIRE = Study(
    name="sharded-wire",
    says="bytes that processes send in a step, by schedule and layout, and its time",
    point=shared_point("wire"),
    over="layouts",
    budgets={
        "smoke": WireSettings(layouts=("dp",), width=32, rhos=(0, 0.5, 1), num_steps=4),
        "laptop": WireSettings(
            layouts=("dp",), width=256, rhos=(0, 0.1, 0.5, 1), num_steps=20
        ),
        "paper": WireSettings(
            width=1024, rhos=(0, 0.1, 0.3, 0.5, 0.7, 1), num_steps=30
        ),
    },
)
SCALING = Study(
    name="sharded-scaling",
    says="time of a step by one process and by two, on two cores",
    point=shared_point("scaling"),
    over="widths",
    budgets={
        "smoke": ScalingSettings(
            widths=(64,), layouts=("dp",), num_steps=4, num_rounds=2
        ),
        "laptop": ScalingSettings(
            widths=(256,), layouts=("dp",), num_steps=10, num_rounds=3
        ),
        "paper": ScalingSettings(
            widths=(256, 512, 1024, 2048), num_steps=80, num_rounds=5
        ),
    },
)
STUDIES = (CURVES, WIRE, SCALING, TENSORFLOW)


def _same_losses(table: pd.DataFrame, *, line: float) -> Finding:
    if table.empty:
        return Finding(Word.NOT_RUN, "Not run yet.")
    exact, control = table.networks.str.endswith(FP64), table.layout == ROUNDED
    each = ["networks", "layout"]
    # A loss that is no number is none that is the same.
    largest = table[~control].groupby(each).apart.agg(lambda x: x.max(skipna=False))
    in_fp64 = largest.index.get_level_values(0).str.endswith(FP64)
    judged = largest[in_fp64] if exact.any() else largest
    words = {place: word_of(value <= line) for place, value in judged.items()}
    numbers = (
        f"Largest difference in training loss over the whole curves: "
        f"{judged.max(skipna=False):.1e} nats (n = {len(judged)} trainings by several "
        "processes)"
    )
    if exact.any() and not exact.all():
        in_fp32 = largest[~in_fp64]
        numbers += (
            f" in fp64; in fp32, where training amplifies rounding, {in_fp32.max():.1e}"
            f", within the line in {sum(in_fp32 <= line)} of {len(in_fp32)} trainings"
        )
    if control.any():
        away = table[control & ~exact].apart.max()
        numbers += (
            f". One process is {away:.1e} from itself in fp32 where the last bits of "
            "its initial weights are changed"
        )
    numbers += "."
    return over(
        words, lambda good: f"for {len(good)} of {len(words)} trainings", numbers
    )


SAME = Claim(
    "DT1",
    "Directives for sharding stand apart from the model's code and change no result, "
    "up to rounding (we ask: training losses within {line:g} nats of one process's at "
    "each epoch, in fp64 where that was trained)",
    _same_losses,
    {"line": 1e-5},
)
"""About the table of `CURVES`. The line is ours."""


def verdicts() -> tuple[Verdict, ...]:
    """Return the headline claim, asked of the recorded curves."""
    curves = read_study(CURVES)
    return (SAME.given(NOT_RUN) if curves.missing else SAME.verdict_on(curves.table),)
