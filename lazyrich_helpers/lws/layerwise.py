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
    Layer,
    check_optimizer,
    check_plan,
    check_same,
    check_trained,
    members_of,
    owners,
    parameters_in,
)
from lazyrich_helpers.lws.layer_freezing import (
    ScaledRates,
    in_eval_mode,
    modules_of,
    without_gradients,
)
from lazyrich_helpers.lws.layer_names import names
from lazyrich_helpers.lws.layer_order import order_checked
from lazyrich_helpers.lws.layer_watch import IdleLayers, LayerWatch
from lazyrich_helpers.lws.plans import Plan, UpdateSchedule
from lazyrich_helpers.models.optimizer_state import forget


class LayerwiseSparse:
    """Lets only some layers of a model move, an epoch or a step at a time.

    A frozen layer has no gradient, so that the optimizer passes it by and what it
    remembers of it (momentum, moments, step count) waits; it computes in eval mode,
    whatever mode the model is in. The backward pass ends at the lowest trainable layer.
    A module without parameters that a trainable layer holds too, such as one dropout
    for all, is left alone. Frozen layers are computed anew at each step; the book's own
    `train` caches their activations (`FrozenPrefixCache`).

    **What is checked.** Where the context of an epoch ends, the values of frozen
    parameters and of buffers in the `state_dict` are those it began with, or ValueError
    says which are not, whatever changed them. The context of a step reads no values: it
    notices writes in place, and gradients of frozen parameters when an optimizer steps;
    writing through `.data` leaves it no trace. A layer that is to be updated and is in
    no optimizer, or has no gradient where others have, is an error too: in an epoch at
    once, in steps after 100 in a row. What was frozen is trainable after every error.

    Where the schedule scales learning rates, a group's is scaled inside and put back
    afterwards: step torch's own schedulers outside. The book's page on your own loop
    says what else to heed: compiled, checkpointed, distributed and sharded models,
    accumulated gradients, copies.

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
        check_plan(schedule.plan(0, 0, self.num_layers, seed))
        self._inside: Generator[None] | None = None
        self._idle = IdleLayers()

    @property
    def num_layers(self) -> int:
        """How many layers there are."""
        return len(self._layers)

    @property
    def active_optimizers(self) -> list[torch.optim.Optimizer]:
        """Those with a trainable parameter: all that a `GradScaler` can step inside."""
        return [
            optimizer
            for optimizer in self._optimizers
            if any(p.requires_grad for g in optimizer.param_groups for p in g["params"])
        ]

    def epoch(self, epoch: int) -> contextlib.AbstractContextManager[frozenset[int]]:
        """Inside, only the layers of this epoch move; yields them, as `begin` does."""
        return self._between(epoch, None)

    def step(
        self, epoch: int, step: int
    ) -> contextlib.AbstractContextManager[frozenset[int]]:
        """Inside, only the layers of this step move; yields them, as `begin` does."""
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
        inside = self._frozen(plan, by_value=step is None)
        next(inside)
        self._inside = inside
        return plan.layers

    def end(self, *, completed: bool = True) -> None:
        """Undo what `begin` did; after that, say what should not have happened.

        After an error, `completed` is False: then nothing is counted or said, and
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
        if completed:
            next(inside, None)
        else:
            inside.close()

    def _frozen(self, plan: Plan, *, by_value: bool) -> Generator[None]:
        """Freeze layers; where it goes on, unfreeze them, and say what went wrong."""
        trained = {i: self._parameters[i] for i in sorted(plan.layers)}
        frozen = [own for i, own in enumerate(self._layers) if i not in plan.layers]
        parameters = [p for own in frozen for p in parameters_in(own)]
        modules = modules_of(frozen)
        modules -= modules_of([self._layers[i] for i in plan.layers])
        with contextlib.ExitStack() as undo:
            rates = None
            if plan.lr_scales:
                rates = ScaledRates(self._optimizers, self._owner, plan.scales)
                undo.callback(rates.put_back)
            for optimizer in self._optimizers:
                for layer in plan.forget:
                    forget(optimizer, self._parameters[layer])
            undo.enter_context(in_eval_mode(modules))
            if plan.layers - self.counts.keys():  # the graph shows what these make
                undo.enter_context(order_checked(self._layers, self._owner))
            undo.enter_context(without_gradients(frozen))
            watch = LayerWatch(trained, parameters, modules, by_value=by_value)
            undo.enter_context(watch.looking())
            yield
            problem = watch.problem() or (rates.problem() if rates else "")
            problem = problem or self._idle.problem(watch, by_step=not by_value)
        if problem:
            raise ValueError(problem)
        check_same(self._layers, self._parameters)
        self.counts.update(watch.updated())

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
        return f"{names([schedule])} {vars(schedule)}"
    return repr(schedule)
