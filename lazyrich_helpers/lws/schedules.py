"""Which layers each epoch or step updates: Layer-Wise Sparse (LWS) SGD.

Source: Li & Banerjee (2021), Section 6.1 (static) and 6.2 (probabilistic).

A probabilistic schedule draws from a stream of its own, keyed by the run's seed and the
epoch. Schedules of one seed share their draws: an epoch that updates all layers at
ρ = 0.1 also does at every larger ρ.
"""

from dataclasses import dataclass
from typing import Annotated

import torch

from lazyrich_helpers.config import Count, Part, UnitInterval, one_of, require
from lazyrich_helpers.lws.plans import Plan, UpdateSchedule
from lazyrich_helpers.random_streams import generator


def top(k: int, num_layers: int) -> frozenset[int]:
    """Return the `k` layers next to the output."""
    there = f"from 1 to the {num_layers} layers there are"
    require(1 <= k <= num_layers, "k", there, k)
    return frozenset(range(num_layers - k, num_layers))


def bottom(q: int, num_layers: int) -> frozenset[int]:
    """Return the `q` layers next to the input."""
    there = f"from 1 to the {num_layers} layers there are"
    require(1 <= q <= num_layers, "q", there, q)
    return frozenset(range(q))


class _Fixed:
    """Of a schedule whose layers are the same everywhere."""

    per_step = False

    def layers(self, num_layers: int) -> frozenset[int]:
        raise NotImplementedError

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        del epoch, step, seed
        return Plan(self.layers(num_layers))


@dataclass(frozen=True, kw_only=True)
class Full(_Fixed, Part, slot="updates", kind="full"):
    """Every layer at every step: ordinary training."""

    def layers(self, num_layers: int) -> frozenset[int]:
        return frozenset(range(num_layers))


@dataclass(frozen=True, kw_only=True)
class TopK(_Fixed, Part, slot="updates", kind="top_k"):
    """Only the top k layers, always."""

    k: int
    """Layers next to the output."""

    def layers(self, num_layers: int) -> frozenset[int]:
        return top(self.k, num_layers)


@dataclass(frozen=True, kw_only=True)
class BottomQ(_Fixed, Part, slot="updates", kind="bottom_q"):
    """Only the bottom q layers, always."""

    q: int
    """Layers next to the input."""

    def layers(self, num_layers: int) -> frozenset[int]:
        return bottom(self.q, num_layers)


@dataclass(frozen=True, kw_only=True)
class TopBottom(_Fixed, Part, slot="updates", kind="top_bottom"):
    """Only the top k and the bottom q layers, always."""

    k: int
    """Layers next to the output."""
    q: int
    """Layers next to the input; where they meet the top ones, each counts once."""

    def layers(self, num_layers: int) -> frozenset[int]:
        return top(self.k, num_layers) | bottom(self.q, num_layers)


@dataclass(frozen=True, kw_only=True)
class Middle(_Fixed, Part, slot="updates", kind="middle"):
    """All layers but the top one and the bottom one, always."""

    def layers(self, num_layers: int) -> frozenset[int]:
        require(num_layers >= 3, "the network", "of at least 3 layers", num_layers)
        return frozenset(range(1, num_layers - 1))


Draw = Annotated[str, one_of(("epoch", "step"))]


class _Drawn:
    """Of a schedule that is drawn, each epoch or each step."""

    draw: str

    @property
    def per_step(self) -> bool:
        return self.draw == "step"

    def stream(self, seed: int, epoch: int, step: int) -> torch.Generator:
        """Return the random stream of an epoch, or of a step of it."""
        key = (epoch, step) if self.per_step else (epoch,)
        return generator("schedule", seed, *key)


class _DeepAtTimes(_Drawn):
    """Of a schedule that updates the bottom, too, with probability `rho`."""

    rho: float

    def is_deep(self, seed: int, epoch: int, step: int) -> bool:
        """Return what was drawn; at a larger `rho` it is true wherever it is here."""
        drawn = torch.rand((), generator=self.stream(seed, epoch, step))
        return drawn.item() < self.rho


@dataclass(frozen=True, kw_only=True)
class TopKBottomQ(_DeepAtTimes, Part, slot="updates", kind="top_k_bottom_q"):
    """The top k layers; with probability ρ the bottom q as well.

    At ρ = 0 it is `TopK`, at ρ = 1 `TopBottom`. One draw decides for all q layers.
    """

    k: int
    """Layers next to the output."""
    q: int
    """Layers next to the input."""
    rho: UnitInterval
    """Probability of updating the bottom layers."""
    draw: Draw = "epoch"
    """How often it is drawn: `epoch`, as in the paper, or `step`."""

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        upper, lower = top(self.k, num_layers), bottom(self.q, num_layers)
        deep = self.is_deep(seed, epoch, step)
        return Plan(upper | lower if deep else upper)


@dataclass(frozen=True, kw_only=True)
class TopKAllBottoms(_DeepAtTimes, Part, slot="updates", kind="top_k_all_bottoms"):
    """The top k layers; with probability ρ the whole network.

    At ρ = 0 it is `TopK`, at ρ = 1 `Full`.
    """

    k: int
    """Layers next to the output."""
    rho: UnitInterval
    """Probability of updating all layers."""
    draw: Draw = "epoch"
    """How often it is drawn: `epoch`, as in the paper, or `step`."""

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        upper = top(self.k, num_layers)
        deep = self.is_deep(seed, epoch, step)
        return Plan(frozenset(range(num_layers)) if deep else upper)


@dataclass(frozen=True, kw_only=True)
class RandomUniform(_Drawn, Part, slot="updates", kind="random_uniform"):
    """The top k layers, k drawn evenly from 1 to the number of layers."""

    draw: Draw = "epoch"
    """How often it is drawn: `epoch`, as in the paper, or `step`."""

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        stream = self.stream(seed, epoch, step)
        k = 1 + torch.randint(num_layers, (), generator=stream).item()
        return Plan(top(int(k), num_layers))


@dataclass(frozen=True, kw_only=True)
class RandomBeta(_Drawn, Part, slot="updates", kind="random_beta"):
    r"""The top k layers, $k = \mathrm{round}(1 + (d - 1) B)$, $B$ from Beta(a, b).

    d is the number of layers. The paper maps the distribution "over the interval [1, d]
    [...] by rounding"; that its 0 is the top layer alone is the reading that reproduces
    the paper's times.
    """

    a: Count = 2
    """First shape, whole so that B is the a-th smallest of a + b - 1 even draws."""
    b: Count = 5
    """Second shape."""
    draw: Draw = "epoch"
    """How often it is drawn: `epoch`, as in the paper, or `step`."""

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        stream = self.stream(seed, epoch, step)
        draws = torch.rand(self.a + self.b - 1, generator=stream)
        share = draws.sort().values[self.a - 1].item()
        return Plan(top(round(1 + (num_layers - 1) * share), num_layers))


def in_words(schedule: UpdateSchedule) -> str:
    """Return a schedule's name as the paper has it, such as `top 1 all bottoms`.

    Its kind, k and q as numbers, without its probability. What is not of this module
    names itself, by `str`.
    """
    if isinstance(schedule, TopBottom):
        return f"top {schedule.k} bottom {schedule.q}"
    if not isinstance(schedule, Part) or not isinstance(schedule, _Fixed | _Drawn):
        return str(schedule)
    fields = schedule.to_dict()
    words = [str(fields.get(word, word)) for word in schedule.kind.split("_")]
    if isinstance(schedule, RandomBeta):
        words.append(f"({schedule.a}, {schedule.b})")
    name = " ".join(words)
    return f"{name}, drawn each step" if fields.get("draw") == "step" else name
