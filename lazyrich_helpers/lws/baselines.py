"""Four baselines: other methods that freeze layers, as schedules of ours.

They are written from the authors' papers and code; where these differ, a docstring says
which is followed. The authors' optimizer is not part of a schedule. What their layers
are, a network's `layers` are here, frozen as all layers are here: with their batch
norm, which Composer's layer freezing would let go on.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import torch

from lazyrich_helpers.config import (
    BelowOne,
    Count,
    Natural,
    Part,
    UnitInterval,
    UpToOne,
    one_of,
    require,
)
from lazyrich_helpers.lws.plans import Ending, Plan, Stepped
from lazyrich_helpers.random_streams import generator

SPACINGS = {"linear": 1, "squared": 2, "cubic": 3}
"""How FreezeOut spaces the ends of its layers → the power it takes."""


@dataclass(frozen=True, kw_only=True)
class FreezeOut(Stepped, Ending, Part, slot="updates", kind="freeze_out"):
    r"""Layers that leave for good, bottom first, at learning rates that fall to zero.

    Layer i of d, 0 the bottom, moves for a share
    $t_i = (t_0 + (1 - t_0)\, i / (d - 1))^n$ of the training, n from `SPACINGS`. At a
    share t of the training its learning rate is the optimizer's times
    $\frac{1}{2} (1 + \cos(\pi t / t_i))$, over $t_i$ if it is scaled: then the sum of
    the factors is the same for all layers. The authors' optimizer is SGD with Nesterov
    momentum, at a rate that nothing else lowers (`lr_decay` 1).

    Source: Brock et al. (2017), arXiv:1706.04983, and its code (ajbrock/FreezeOut),
    which gives the factor 1/2 that the paper's formula lacks. That code takes an epoch
    for 1,000 steps, whatever the data; here it has as many as it has.
    """

    total_epochs: Count
    """Epochs of the training."""
    steps_per_epoch: Count
    """Steps of each of them."""
    t_0: UpToOne = 0.8
    """Share of the training after which the bottom leaves, before the power."""
    how_scale: Annotated[str, one_of(SPACINGS)] = "cubic"
    """Spacing of the ends: `linear`, `squared` or `cubic`."""
    scale_lr: bool = True
    """Whether a layer that leaves early moves at a higher learning rate."""

    def check_length(self, num_epochs: int, num_steps: int) -> None:
        Stepped.check_length(self, num_epochs, num_steps)
        Ending.check_length(self, num_epochs, num_steps)

    def ends(self, num_layers: int) -> list[float]:
        """Return the share of the training for which each layer moves, bottom first."""
        if num_layers == 1:
            return [1.0]  # it is the top, which never leaves
        power, top = SPACINGS[self.how_scale], num_layers - 1
        return [
            (self.t_0 + (1 - self.t_0) * layer / top) ** power
            for layer in range(num_layers)
        ]

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        del seed
        self.check_epoch(epoch)
        before = self.steps_before(epoch, step)
        total = self.total_epochs * self.steps_per_epoch
        scales = {
            layer: (1 + math.cos(math.pi * before / (total * end)))
            / (2 * end if self.scale_lr else 2)
            for layer, end in enumerate(self.ends(num_layers))
            if before <= total * end
        }
        return Plan(frozenset(scales), lr_scales=tuple(scales.values()))

    def __str__(self) -> str:
        scaled = "" if self.scale_lr else ", unscaled"
        return f"FreezeOut {self.how_scale} from {self.t_0:g}{scaled}"


@dataclass(frozen=True, kw_only=True)
class LayerFreezing(Ending, Part, slot="updates", kind="layer_freezing"):
    r"""Layers that leave for good, bottom first, at the end of an epoch.

    After a share t of the training, beyond `freeze_start` s, the lowest
    $\lfloor l\, (t - s) / (1 - s)\, (d - 1) \rfloor$ of d layers have left, l being
    `freeze_level`. The top never leaves.

    Source: MosaicML's Composer, `composer.algorithms.layer_freezing`, 0.32.1. Its class
    is followed; the loop in its README counts epochs from 0, so that all leave an epoch
    later. Its layers are the modules that hold parameters themselves: a convolution and
    its batch norm leave one after the other.
    """

    total_epochs: Count
    """Epochs of the training."""
    freeze_start: BelowOne = 0.5
    """Share of the training before the first layer leaves."""
    freeze_level: UnitInterval = 1.0
    """Share of the layers below the top that have left at the training's end."""
    per_step = False

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        del step, seed
        self.check_epoch(epoch)
        late = max(epoch / self.total_epochs - self.freeze_start, 0.0)
        share = self.freeze_level * (late / (1 - self.freeze_start))
        return Plan(frozenset(range(int(share * (num_layers - 1)), num_layers)))

    def __str__(self) -> str:
        return f"layer freezing from {self.freeze_start:g} to {self.freeze_level:g}"


FORGETS = ("middle", "all", "none")


@dataclass(frozen=True, kw_only=True)
class LISA(Stepped, Part, slot="updates", kind="lisa"):
    """The bottom, the top, and a few layers between them, drawn every so many steps.

    The authors' bottom is an embedding, their top a language model's head. The layers
    between are drawn evenly, without replacement.

    Source: Pan et al. (2024), arXiv:2403.17919, Algorithm 1, and OptimalScale/LMFlow.
    The paper derives a probability for each layer, and adds that in practice
    a fixed number is drawn, as here. What becomes of the optimizer's state: see
    `forgets`.
    """

    steps_per_epoch: Count
    """Steps of an epoch."""
    activated_layers: Count = 2
    """Layers drawn; the paper's γ."""
    interval_steps: Count = 20
    """Steps between two draws; the paper's K."""
    forgets: Annotated[str, one_of(FORGETS)] = "middle"
    """What the optimizer forgets at a draw: `middle`, all layers between bottom and
    top, as the authors say (LMFlow's issue 729) and their trainer for shards does
    (`lisa_trainer_fsdp.py`, ffd2b1d); `all`, as in the paper's runs, each interval of
    which was a run of its own (the same issue); or `none`, as with LMFlow's callback
    (`lisa_trainer.py`, 7791f15; issue 768)."""

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        num, asked = max(num_layers - 2, 0), self.activated_layers
        most = f"at most {num}, the layers between bottom and top"
        require(asked <= num, "activated_layers", most, asked)
        interval, since = divmod(self.steps_before(epoch, step), self.interval_steps)
        order = torch.randperm(num, generator=generator("schedule", seed, interval))
        drawn = (1 + order[:asked]).tolist()
        forgotten = {
            "middle": range(1, num_layers - 1),
            "all": range(num_layers),
            "none": (),
        }
        return Plan(
            frozenset({0, *drawn, num_layers - 1}),
            forget=frozenset(forgotten[self.forgets] if since == 0 else ()),
        )

    def __str__(self) -> str:
        return f"LISA {self.activated_layers} every {self.interval_steps}"


ORDERS = ("random", "ascending", "descending", "fixed")


@dataclass(frozen=True, kw_only=True)
class BAdam(Stepped, Part, slot="updates", kind="badam"):
    """One layer at a time, for a number of steps; then the optimizer forgets it.

    Our layers are the authors' blocks. With `random`, each round visits all of them in
    a new order. The authors' blocks leave out a language model's embedding and head,
    which stay frozen; here all layers are visited.

    Source: Luo et al. (2024), arXiv:2404.02827, Algorithm 1, and the package `badam`,
    1.4, whose defaults these are. Its first block has a step less than the others; here
    each has `switch_block_every`, as in the paper.
    """

    steps_per_epoch: Count
    """Steps of an epoch."""
    switch_block_every: Count = 50
    """Steps of a visit; the paper's K."""
    switch_mode: Annotated[str, one_of(ORDERS)] = "descending"
    """Order of the visits: `random`, `ascending` from the bottom, `descending` from the
    top, or `fixed`, which stays at one layer."""
    fixed_block: Natural = 0
    """The layer that `fixed` stays at."""
    top_awake: bool = False
    """Whether the top is no block but moves throughout, as the authors advise for one
    that is not pretrained (their `active_modules`). It is forgotten with the others.
    "Awake" is trainable: the field keeps its name, by which runs are recorded."""

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        num_blocks = num_layers - self.top_awake
        require(num_blocks >= 1, "the network", "of at least 2 layers", num_layers)
        before = self.steps_before(epoch, step)
        visit, since = divmod(before, self.switch_block_every)
        always = {num_layers - 1} if self.top_awake else set()
        return Plan(
            frozenset({self._block(visit, num_blocks, seed)} | always),
            forget=frozenset(range(num_layers) if since == 0 else ()),
        )

    def _block(self, visit: int, num_blocks: int, seed: int) -> int:
        turn, place = divmod(visit, num_blocks)
        match self.switch_mode:
            case "ascending":
                return place
            case "descending":
                return num_blocks - 1 - place
            case "random":
                stream = generator("schedule", seed, turn)
                return int(torch.randperm(num_blocks, generator=stream)[place])
        known = f"below the {num_blocks} blocks there are"
        require(self.fixed_block < num_blocks, "fixed_block", known, self.fixed_block)
        return self.fixed_block

    def __str__(self) -> str:
        top = ", top always" if self.top_awake else ""
        return f"BAdam {self.switch_mode} every {self.switch_block_every}{top}"
