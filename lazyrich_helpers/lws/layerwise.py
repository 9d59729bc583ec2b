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
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from lazyrich_helpers.config import require
from lazyrich_helpers.lws.layer_checks import (
    check_optimizer,
    check_plan,
    check_same,
    check_trained,
    order_checked,
)
from lazyrich_helpers.lws.layer_freezing import (
    in_eval_mode,
    scaled_rates,
    without_gradients,
)
from lazyrich_helpers.lws.layer_watch import LayerWatch
from lazyrich_helpers.lws.layers import (
    Layer,
    members_of,
    modules_in,
    names,
    owners,
    parameters_in,
    tensor_names,
)
from lazyrich_helpers.lws.plans import Plan, UpdateSchedule

MOST_IDLE = 100
"""Steps in a row without a gradient after which a layer is refused; one that a model
leaves out at random has had one by then."""


class LayerwiseSparse:
    """Lets only some layers of a model move, an epoch or a step at a time.

    A frozen layer has no gradient, so that the optimizer passes it by and what it
    remembers of it (momentum, moments, step count) waits; it computes in eval mode,
    whatever mode the model is in, but for what a trainable layer holds too, such as one
    dropout for all. The backward pass ends at the lowest trainable layer. Frozen layers
    are computed anew at each step; the book's own `train` caches their activations.

    **What is checked.** Where the context of an epoch ends, the values of frozen
    parameters and of buffers in the `state_dict` are those it began with, or ValueError
    says which are not, whatever changed them. The context of a step reads no values: it
    notices writes in place, and gradients of frozen parameters when an optimizer steps;
    writing through `.data` leaves it no trace. A layer that is to be updated and is in
    no optimizer, or has no gradient where others have, is an error too: in an epoch at
    once, in steps after 100 in a row. What was frozen is trainable after every error.

    Where the schedule scales learning rates, they are put back afterwards: step torch's
    own schedulers outside. The book's page on your own loop says what else to heed.

    Args:
        layers: The model's layers, input to output; a forward pass in which a trainable
            one feeds one listed before it is refused. Every parameter of the optimizer
            is in one of them; what is not trained need not be.
        optimizer: Any of torch's that leaves a parameter without a gradient alone, or
            a list of them.
        schedule: One of `schedules` or `baselines`, or your own.
        seed: Draws a random schedule.

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
        self._parameters = [parameters_in(layer) for layer in self._layers]
        several = isinstance(optimizer, Sequence)
        self._optimizers = list(optimizer) if several else [optimizer]
        for each in self._optimizers:
            check_optimizer(each, self._owner)
        check_plan(schedule.plan(0, 0, self.num_layers, seed), self.num_layers)
        self._inside: Generator[None] | None = None
        self._times_idle: Counter[int] = Counter()  # in a row

    @property
    def num_layers(self) -> int:
        return len(self._layers)

    @property
    def active_optimizers(self) -> list[torch.optim.Optimizer]:
        """Those with a trainable parameter: all that a `GradScaler` can step inside."""

        def is_active(optimizer: torch.optim.Optimizer) -> bool:
            groups = optimizer.param_groups
            return any(p.requires_grad for group in groups for p in group["params"])

        return list(filter(is_active, self._optimizers))

    def epoch(self, epoch: int) -> contextlib.AbstractContextManager[frozenset[int]]:
        """Inside, only the layers of this epoch move; yields them, as `begin` does."""
        return self.step(epoch, None)

    @contextlib.contextmanager
    def step(self, epoch: int, step: int | None) -> Iterator[frozenset[int]]:
        """Inside, only the layers of this step move; yields them, as `begin` does."""
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
            ValueError: If it has begun and not ended, the schedule changes within an
                epoch and there is no step, or parameters and optimizers do not fit the
                plan or are others; and from a forward pass against the layers' order.
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
        check_plan(plan, self.num_layers)
        for optimizer in self._optimizers:
            check_optimizer(optimizer, self._owner)  # groups may have been added
        check_same(self._layers, self._parameters, may_be_gathered=False)
        inside = self._frozen(plan, by_value=step is None)
        next(inside)
        self._inside = inside
        return plan.layers

    def end(self, *, completed: bool = True) -> None:
        """Undo what `begin` did; after that, say what should not have happened.

        After an error, `completed` is False: then nothing is counted or said, and
        nothing done where nothing has begun.

        Raises:
            ValueError: If nothing has begun, or by what the class says is checked.
        """
        inside, self._inside = self._inside, None
        if inside is None and completed:
            raise ValueError("end() without begin(): no layers are frozen here.")
        if inside is not None and completed:
            next(inside, None)
        elif inside is not None:
            inside.close()

    def _frozen(self, plan: Plan, *, by_value: bool) -> Generator[None]:
        """Freeze layers; where it goes on, unfreeze them, and say what went wrong."""
        trained = {i: self._parameters[i] for i in sorted(plan.layers)}
        check_trained(self._optimizers, trained)
        frozen = [own for i, own in enumerate(self._layers) if i not in plan.layers]
        modules = modules_in(frozen) - modules_in([self._layers[i] for i in trained])
        for p in [p for layer in plan.forget for p in self._parameters[layer]]:
            for optimizer in self._optimizers:
                optimizer.state.pop(p, None)
        with contextlib.ExitStack() as inside:
            if plan.lr_scales:
                rates = scaled_rates(self._optimizers, self._owner, plan.scales)
                inside.enter_context(rates)
            inside.enter_context(in_eval_mode(modules))
            if plan.layers - self.counts.keys():  # the graph shows what these make
                inside.enter_context(order_checked(self._layers, self._owner))
            inside.enter_context(without_gradients(frozen))
            parameters = [p for own in frozen for p in parameters_in(own)]
            watch = LayerWatch(trained, parameters, modules, by_value=by_value)
            inside.enter_context(watch.looking())
            yield
        self._check_idle(watch, most=1 if by_value else MOST_IDLE)
        check_same(self._layers, self._parameters, may_be_gathered=True)
        self.counts.update(watch.updated)

    def _check_idle(self, watch: LayerWatch, most: int) -> None:
        """Raise ValueError if a layer was without a gradient `most` times in a row."""
        for layer in watch.with_gradient:
            self._times_idle.pop(layer, None)
        self._times_idle.update(watch.idle)
        refused = [i for i in sorted(watch.idle) if self._times_idle[i] >= most]
        if refused:
            parameters = [p for i in refused for p in self._parameters[i]]
            raise ValueError(
                f"layers {refused} were to be updated and had no gradient where others "
                f"had, {tensor_names(parameters)}: make the optimizer and "
                "LayerwiseSparse anew after replacing a module, and freeze what the "
                "loss does not use, or list it together with what it does."
            )

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs beside model and optimizer, ready for JSON."""
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
        settings = getattr(schedule, "__dict__", {})  # __slots__ leave none
        return f"{names([schedule])} {settings}"
    return repr(schedule)
