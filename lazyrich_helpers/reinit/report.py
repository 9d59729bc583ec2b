"""A report on the regime that a network was trained in: numbers, verdict, tables."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd
from torch import Tensor

from lazyrich_helpers.reinit.accuracy_curves import ReinitCurves
from lazyrich_helpers.reinit.tangent_kernel import KernelChange


@dataclass(frozen=True)
class TensorMovement:
    """How far training moved the numbers of one parameter tensor."""

    name: str
    num_parameters: int
    initial_std: float
    """σ₀; 0 where all start alike, as most biases and norms' scales do."""
    initial_size: float
    """Root mean square of θ⁰."""
    displacement: float
    """Root mean square of θ − θ⁰."""
    share_moved: float | None
    """Moved by more than σ₀, 0 to 1; None where all start alike."""
    share_unmoved: float
    """Not moved at all, 0 to 1."""

    @property
    def movement(self) -> float | None:
        """Displacement over σ₀; None where all start alike: there is no unit."""
        return self.displacement / self.initial_std if self.initial_std else None


def tensor_movement(name: str, start: Tensor, end: Tensor) -> TensorMovement:
    """Return how far one parameter tensor moved."""
    start, end = start.cpu().double(), end.cpu().double()
    moved = (end - start).abs()
    alike = bool((start == start.flatten()[:1]).all())  # so are scalars
    std = 0.0 if alike else start.std().item()
    return TensorMovement(
        name=name,
        num_parameters=start.numel(),
        initial_std=std,
        initial_size=_rms(start),
        displacement=_rms(moved),
        share_moved=None if alike else (moved > std).double().mean().item(),
        share_unmoved=(moved == 0).double().mean().item(),
    )


def _rms(values: Tensor) -> float:
    return values.square().mean().sqrt().item()


THRESHOLDS = {"movement": (0.1, 1.0), "kernel": (0.1, 1.0), "features": (0.05, 0.2)}
"""Measure → up to which value it says lazy, and from which on rich.

They are ours: no theory draws a line. At a tenth of the initial spread, or of the
initial kernel, what there was at the start still tells what there is; at one, the
change is as large as what it changed. A layer's CKA of 0.95 is hard to tell from 1 on
a few hundred inputs, and one of 0.8 is not."""


@dataclass(frozen=True)
class RegimeReport:
    """What regime a network was trained in, and by which measures.

    Printed it is for a terminal, shown in a notebook a table.
    """

    tensors: list[TensorMovement]
    kernel: KernelChange | None = None
    features: dict[str, float | None] = field(default_factory=dict)
    """Layer, in the order of calls → linear CKA of its outputs before and after: 1 if
    nothing changed, None where they do not vary or are not a row for each input."""
    low_rank: tuple[float | None, float | None] = (None, None)
    """`low_rank_measure` before and after: 0 is rich, 1 is lazy."""
    curves: ReinitCurves | None = None

    @property
    def movement(self) -> float | None:
        """Root mean square of (θ − θ⁰) / σ₀ over all that do not start alike."""
        squares = [(t, t.movement**2) for t in self.tensors if t.movement is not None]
        return math.sqrt(_mean(squares)) if squares else None

    @property
    def share_moved(self) -> float | None:
        """Share of these that moved by more than σ₀."""
        shares = [(t, t.share_moved) for t in self.tensors if t.share_moved is not None]
        return _mean(shares) if shares else None

    @property
    def share_unmoved(self) -> float:
        """Share of all parameters that did not move at all."""
        return _mean([(t, t.share_unmoved) for t in self.tensors])

    @property
    def distance(self) -> float | None:
        """‖θ − θ⁰‖ / ‖θ⁰‖ of all parameters; None if they start at 0."""
        size = _mean([(t, t.initial_size**2) for t in self.tensors])
        moved = _mean([(t, t.displacement**2) for t in self.tensors])
        return math.sqrt(moved / size) if size else None

    @property
    def feature_change(self) -> float | None:
        """One minus the mean CKA of the layers below the last."""
        below = [*self.features.values()][:-1]
        hidden = [value for value in below if value is not None]
        return 1 - sum(hidden) / len(hidden) if hidden else None

    @property
    def votes(self) -> dict[str, str]:
        """Measure → lazy, rich or in between; what was not measured is left out."""
        kernel = self.kernel.relative_change if self.kernel else None
        values = (self.movement, kernel, self.feature_change)
        found = zip(THRESHOLDS, values, strict=True)
        return {name: _vote(v, *THRESHOLDS[name]) for name, v in found if v is not None}

    @property
    def verdict(self) -> str:
        """Lazy or rich if all measures say so, else in between."""
        words = {*self.votes.values()}
        return words.pop() if len(words) == 1 else "in between"

    @property
    def caveats(self) -> list[str]:
        """What to know before the verdict is told to somebody."""
        words, said = {*self.votes.values()}, []
        if len(words) > 1:
            said.append(
                "The measures disagree: parameters can move far and leave the kernel as"
                " it is, and many small moves can change it."
            )
        missing = [name for name in THRESHOLDS if name not in self.votes]
        if missing:
            said.append(f"Not measured: {', '.join(missing)}.")
        if self.kernel and self.kernel.has_only_grown:
            said.append("The tangent kernel has grown more than it has turned.")
        return said

    def summary(self) -> dict[str, str]:
        """Return what is measured of the whole network → its value in words."""
        votes = {name: f": {vote}" for name, vote in self.votes.items()}
        kernel, curves = self.kernel, self.curves
        moved = _number(self.movement) + votes.get("movement", "")
        said = {
            "movement in σ₀ (root mean square)": moved,
            "moved by more than σ₀": _percent(self.share_moved),
            "not moved at all": _percent(self.share_unmoved),
            "‖θ − θ⁰‖ / ‖θ⁰‖": _number(self.distance),
        }
        if kernel:
            changed = _number(kernel.relative_change) + votes.get("kernel", "")
            said["tangent kernel, relative change"] = changed
            said["tangent kernel, distance"] = _number(kernel.distance)
            aligned = _number(kernel.centered_alignment)
            said["tangent kernel, centred alignment"] = aligned
        if self.feature_change is not None:
            changed = _number(self.feature_change) + votes["features"]
            said["features, 1 − CKA"] = changed
        if None not in self.low_rank:
            before, after = map(_number, self.low_rank)
            said["low-rank measure (0 rich, 1 lazy)"] = f"{before} → {after}"
        if curves:
            correct = _percent(curves.active[0])
            said["accuracy"] = f"{correct} of {curves.num_inputs:,}"
            said["smallest γ that costs a point"] = _percent(curves.costly_gamma)
            said["smallest ε within a point"] = _percent(curves.sufficient_epsilon)
        return said

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers and words, ready for JSON."""
        names = ("verdict", "votes", "caveats", "movement", "share_moved")
        names += ("share_unmoved", "distance", "feature_change")
        return {name: getattr(self, name) for name in names} | asdict(self)

    def __str__(self) -> str:
        tensors = self._each_tensor().to_string()
        measured = [f"{name:<38}{value}" for name, value in self.summary().items()]
        lines = [f"Regime: {self.verdict}", *self.caveats, "", *measured, "", tensors]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        measured = pd.DataFrame({"": self.summary()}).to_html(header=False, border=0)
        return (
            f"<p><strong>Regime: {self.verdict}.</strong> {' '.join(self.caveats)}</p>"
            f"{measured}<details><summary>Each parameter tensor</summary>"
            f"{self._each_tensor().to_html(border=0)}</details>"
        )

    def _each_tensor(self) -> pd.DataFrame:
        """Return a row for each parameter tensor; a layer's first has its CKA."""
        left, rows = dict(self.features), {}
        for t in self.tensors:
            rows[t.name] = {
                "numbers": f"{t.num_parameters:,}",
                "σ₀": _number(t.initial_std or None),
                "moved": _number(t.displacement),
                "in σ₀": _number(t.movement),
                "> σ₀": _percent(t.share_moved),
                "unmoved": _percent(t.share_unmoved),
                "CKA": _number(left.pop(t.name.rpartition(".")[0], None)),
            }
        return pd.DataFrame.from_dict(rows, orient="index")


def _mean(pairs: Iterable[tuple[TensorMovement, float]]) -> float:
    """Return the mean over all parameters of what their tensors have."""
    pairs = list(pairs)
    total = sum(tensor.num_parameters for tensor, _ in pairs)
    return sum(tensor.num_parameters * value for tensor, value in pairs) / total


def _vote(value: float, lazy: float, rich: float) -> str:
    return "lazy" if value <= lazy else "rich" if value >= rich else "in between"


def _number(value: float | None) -> str:
    """Return two digits of it."""
    return "–" if value is None else f"{float(f'{value:.2g}'):,g}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{float(f'{100 * share:.2g}'):g} %"
