"""Layer-Wise Sparse training of any torch model with any torch optimizer.

    sparse = LayerwiseSparse(layers, optimizer, TopKAllBottoms(k=1, rho=0.1), seed=0)
    for epoch in range(num_epochs):
        with sparse.epoch(epoch):
            train_one_epoch(model, optimizer)  # your own loop, unchanged

Inside, the layers that the schedule leaves out are frozen. Callbacks of other people's
trainers have `begin` and `end`; the book's page on your own loop shows two.
"""

import contextlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lazyrich_helpers.config import require
from lazyrich_helpers.lws.layer_checks import (
    Layer,
    check_optimizer,
    check_plan,
    check_same,
    check_trained,
    members_of,
    owners,
    parameters_of,
)
from lazyrich_helpers.lws.layer_names import names, tensor_names
from lazyrich_helpers.lws.layer_order import order_checked
from lazyrich_helpers.lws.layer_watch import LayerWatch, in_eval_mode
from lazyrich_helpers.lws.plans import UpdateSchedule
from lazyrich_helpers.models.optimizer_state import forget

MOST_IDLE = 100
"""Steps in a row without a gradient after which a layer is refused; one that a model
leaves out at random has had one by then."""


@dataclass(frozen=True, slots=True, eq=False)
class _Inside:
    """What has to be undone, and looked at, where a context ends."""

    watch: LayerWatch
    rates: list[tuple[dict[str, Any], float]]
    """Each of the optimizers' groups with its learning rate, where some are scaled."""
    most_idle: int
    """How often in a row a layer may be without a gradient."""
    undo: contextlib.ExitStack


class LayerwiseSparse:
    """Lets only some layers of a model move, an epoch or a step at a time.

    A frozen layer has no gradient, so that the optimizer passes it by and what it
    remembers of it (momentum, moments, step count) waits. Where all layers below some
    layer are frozen, the backward pass ends there. A frozen layer computes in eval
    mode, whatever mode the model is in: batch norm's statistics rest, and dropout does
    nothing. A module without parameters that a trainable layer holds too, such as one
    dropout for all, is left alone. Frozen layers are computed anew at each step; the
    book's own `train` caches their activations (`FrozenPrefixCache`).

    **What is checked.** Where the context of an epoch ends, the values of frozen
    parameters and of buffers in the `state_dict` are those it began with, or ValueError
    says which are not, whatever changed them: an optimizer that takes no gradient for
    zero, a library that sets `requires_grad`, batch norm called by its `forward()`. The
    context of a step reads no values. It notices writes in place, also those that were
    undone, and gradients of frozen parameters when an optimizer steps; writing through
    `.data` leaves it no trace. A layer that is to be updated and is in no optimizer, or
    has no gradient where others have, is an error too: in an epoch at once, in steps
    after 100 in a row. What was frozen is trainable again after every error.

    Where the schedule scales learning rates, a group's is scaled inside and put back
    afterwards: step torch's own schedulers outside. What the schedule has the optimizer
    forget is dropped on entry. An optimizer that keeps two versions of the parameters
    (schedule-free ones, averages) changes between them outside.

    A model that `torch.compile` made is compiled anew for each set of layers, and once
    more after layers were trained for the first time; raise
    `torch._dynamo.config.recompile_limit` above twice the number of sets, or it is run
    uncompiled. `DistributedDataParallel` needs `find_unused_parameters=True`, and
    `torch.utils.checkpoint` needs `use_reentrant=False`: the other kind gives layers
    above a frozen bottom no gradient. After `fully_shard`, which puts other parameters
    into a model, make the optimizer and then this; what it shards as a whole is to
    `reshard()` after a look at the loss, before a context begins. Where gradients are
    accumulated, a context stands around whole optimizer steps: what frozen layers have
    of an earlier batch is dropped on entry.

    Copy or pickle a model outside: inside, a copy's frozen layers stay so and in eval
    mode for good, and `torch.save(model)` fails. Its `state_dict` is the same inside;
    the optimizer's has the scaled learning rates there.

    Args:
        layers: The model's layers, input to output; a forward pass in which a trainable
            one feeds one listed before it is refused. Every parameter of the optimizer
            is in one of them; what is not trained need not be.
        optimizer: Any of torch's that leaves a parameter without a gradient alone, or
            a list of them.
        schedule: One of `schedules` or `baselines`, or your own.
        seed: Draws the schedule, if it is a random one.

    Raises:
        ValueError: If the layers can not be told apart or leave parameters out, the
            optimizer moves what has no gradient, or the schedule asks for more layers.
    """

    def __init__(
        self,
        layers: Sequence[Layer] | nn.ModuleList,
        optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer],
        schedule: UpdateSchedule,
        *,
        seed: int = 0,
    ) -> None:
        self.schedule, self.seed = schedule, seed
        self.counts: Counter[int] = Counter()
        """Layer → epochs, or steps, in which it was updated."""
        self._layers = members_of(layers)
        self._owner = owners(self._layers)
        self._parameters = [parameters_of(layer) for layer in self._layers]
        several = isinstance(optimizer, Sequence)
        self._optimizers = list(optimizer) if several else [optimizer]
        for each in self._optimizers:
            check_optimizer(each, self._owner)
        check_plan(schedule.plan(0, 0, self.num_layers, seed))
        self._inside: _Inside | None = None
        self._idle: Counter[int] = Counter()  # steps in a row without a gradient

    @property
    def num_layers(self) -> int:
        """How many layers there are."""
        return len(self._layers)

    @property
    def active_optimizers(self) -> list[torch.optim.Optimizer]:
        """The optimizers with something to do: those with a trainable parameter.

        `torch.amp.GradScaler` breaks off at any other: `scaler.step` and
        `scaler.unscale_` these alone, inside.
        """
        return [
            optimizer
            for optimizer in self._optimizers
            if any(p.requires_grad for g in optimizer.param_groups for p in g["params"])
        ]

    def epoch(self, epoch: int) -> contextlib.AbstractContextManager[frozenset[int]]:
        """Inside, only the layers of this epoch move. Yields them, 0 the bottom.

        Raises:
            ValueError: As `begin` and `end`.
        """
        return self._between(epoch, None)

    def step(
        self, epoch: int, step: int
    ) -> contextlib.AbstractContextManager[frozenset[int]]:
        """Inside, only the layers of this step move. Yields them, 0 the bottom.

        Raises:
            ValueError: As `begin` and `end`.
        """
        return self._between(epoch, step)

    @contextlib.contextmanager
    def _between(self, epoch: int, step: int | None) -> Iterator[frozenset[int]]:
        trainable = self.begin(epoch, step)
        try:
            yield trainable
        except BaseException:
            self.end(completed=False)
            raise
        self.end()

    def begin(self, epoch: int, step: int | None = None) -> frozenset[int]:
        """Let only the layers of this epoch or step move; return them, 0 the bottom.

        For callbacks: a loop of your own has `with sparse.epoch(epoch)`, or `step`.

        Raises:
            ValueError: If it has begun and not ended; the schedule changes within an
                epoch and there is no step, or plans what this does not do; parameters
                and optimizers are not as they were, or do not fit the plan; or, from
                the model's forward pass, a layer reads what one listed after it makes.
        """
        if self._inside is not None:
            raise ValueError(
                "this LayerwiseSparse has begun and not ended: leave its context, or "
                "call end(completed=False) after an error, before it begins again."
            )
        if step is None and self.schedule.per_step:
            raise ValueError(
                "this schedule changes from step to step: use `with sparse.step(epoch, "
                "step)` around each, or make it with draw='epoch'."
            )
        plan = self.schedule.plan(epoch, step or 0, self.num_layers, self.seed)
        check_plan(plan)
        for optimizer in self._optimizers:
            check_optimizer(optimizer, self._owner)  # groups may have been added
        check_same(self._layers, self._parameters, may_be_gathered=False)
        trained = {i: self._parameters[i] for i in sorted(plan.layers)}
        check_trained(self._optimizers, trained)
        with contextlib.ExitStack() as undo:
            rates = self._scale_rates(plan.scales, undo) if plan.lr_scales else []
            for optimizer in self._optimizers:
                for layer in plan.forget:
                    forget(optimizer, self._parameters[layer])
            frozen, modules = self._freeze(plan.layers, undo)
            watch = LayerWatch(trained, frozen, modules, by_value=step is None)
            undo.enter_context(watch.looking())
            most_idle = 1 if step is None else MOST_IDLE
            self._inside = _Inside(watch, rates, most_idle, undo.pop_all())
        return plan.layers

    def end(self, *, completed: bool = True) -> None:
        """Undo what `begin` did; after that, say what should not have happened.

        Args:
            completed: False after an error: nothing is counted or said then, and
                nothing done where nothing has begun.

        Raises:
            ValueError: If nothing has begun, a frozen layer moved or was unfrozen, a
                layer was to be updated and had no gradient, or a learning rate that
                the schedule scaled was changed.
        """
        inside, self._inside = self._inside, None
        if inside is None:
            if completed:
                raise ValueError("end() without begin(): no layers are frozen here.")
            return
        try:
            problem = self._problem(inside) if completed else ""
        finally:
            inside.undo.close()
        if problem:
            raise ValueError(problem)
        if completed:
            check_same(self._layers, self._parameters)
            self.counts.update(inside.watch.updated())

    def _freeze(
        self, trainable: frozenset[int], undo: contextlib.ExitStack
    ) -> tuple[list[nn.Parameter], set[nn.Module]]:
        """Freeze all other layers until `undo`; return their parameters and modules."""
        frozen = [i for i in range(self.num_layers) if i not in trainable]
        modules = self._modules(frozen) - self._modules(trainable)
        parameters = [p for i in frozen for p in self._parameters[i]]
        undo.enter_context(in_eval_mode(modules))
        if trainable - self.counts.keys():  # the graph shows what these layers make
            undo.enter_context(order_checked(self._layers, self._owner))
        unfrozen = {id(p) for p in parameters if p.requires_grad}  # not by the caller
        undo.callback(self._unfreeze, frozen, unfrozen)
        for p in parameters:
            p.requires_grad_(False)
            p.grad = None  # zeros would still let weight decay move it
        return parameters, modules

    def _unfreeze(self, layers: Collection[int], which: set[int]) -> None:
        for i in layers:
            now = parameters_of(self._layers[i])  # others, if they were assigned inside
            for p, same in zip(self._parameters[i], now, strict=False):
                if id(p) in which:
                    p.requires_grad_(True)
                    same.requires_grad_(True)

    def _modules(self, layers: Collection[int]) -> set[nn.Module]:
        """Return the modules in these layers, and all that these hold."""
        members = [member for i in layers for member in self._layers[i]]
        held = [m.modules() for m in members if isinstance(m, nn.Module)]
        return {module for modules in held for module in modules}

    def _scale_rates(
        self, scales: dict[int, float], undo: contextlib.ExitStack
    ) -> list[tuple[dict[str, Any], float]]:
        """Multiply each layer's learning rate by its factor until `undo`.

        Return all groups of the optimizers, with the learning rates they have now.
        """
        groups = [g for optimizer in self._optimizers for g in optimizer.param_groups]
        held = [{self._owner[id(p)] for p in group["params"]} for group in groups]
        for layers in held:
            if len(layers) > 1:
                raise ValueError(
                    "this schedule has a learning rate for each layer, and the "
                    f"optimizer has layers {sorted(layers)} in one group: give it a "
                    "group for each layer."
                )
        for group, layers in zip(groups, held, strict=True):
            undo.callback(group.__setitem__, "lr", group["lr"])
            for layer in layers & scales.keys():
                group["lr"] = group["lr"] * scales[layer]
        return [(group, float(group["lr"])) for group in groups]

    def _problem(self, inside: _Inside) -> str:
        """Return what should not have happened inside, in a sentence, or nothing."""
        problem = inside.watch.problem()
        if problem:
            return problem
        for group, lr in inside.rates:
            now = float(group["lr"])
            if now != lr:
                return (
                    f"a learning rate was changed inside from {lr:g} to {now:g}, which "
                    "is lost, since the schedule scales it: step torch's schedulers "
                    "outside."
                )
        for layer in inside.watch.with_gradient:
            self._idle.pop(layer, None)
        without = sorted(inside.watch.without_gradient())
        self._idle.update(without)
        idle = [i for i in without if self._idle[i] >= inside.most_idle]
        if not idle:
            return ""
        parameters = [p for i in idle for p in self._parameters[i]]
        return (
            f"layers {idle} were to be updated and had no gradient where others had, "
            f"{tensor_names(parameters)}: make the optimizer and LayerwiseSparse anew "
            "after replacing a module, and freeze what the loss does not use, or list "
            "it together with what it does."
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs beside the model's and optimizer's states.

        It is ready for JSON.
        """
        return {
            "schedule": _described(self.schedule),
            "seed": self.seed,
            "num_layers": self.num_layers,
            "counts": dict(self.counts),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`: the plans ahead are those of an uninterrupted run.

        Raises:
            ValueError: If it is of another schedule, seed or number of layers.
        """
        mine = self.state_dict()
        for name in ("schedule", "seed", "num_layers"):
            known = f"{mine[name]}, as here"
            require(state[name] == mine[name], name, known, state[name])
        # JSON makes the layers' numbers strings.
        self.counts = Counter({int(i): num for i, num in state["counts"].items()})


def _described(schedule: UpdateSchedule) -> str:
    """Return a schedule's class and settings; a bare `repr` may be an address."""
    if type(schedule).__repr__ is object.__repr__:
        return f"{names([schedule])} {vars(schedule)}"
    return repr(schedule)
