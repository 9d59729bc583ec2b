"""Layer-Wise Sparse training of any torch model with any torch optimizer.

    sparse = LayerwiseSparse(layers, optimizer, TopKAllBottoms(k=1, rho=0.1), seed=0)
    for epoch in range(num_epochs):
        with sparse.epoch(epoch):
            train_one_epoch(model, optimizer)  # your own loop, unchanged

Inside, the layers that the schedule leaves out sleep; `sleeping` says what that is.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from lazyrich_helpers.config import require
from lazyrich_helpers.layer_order import names, order_checked
from lazyrich_helpers.schedules import UpdateSchedule
from lazyrich_helpers.sleeping import forget

Piece = nn.Module | nn.Parameter
Layer = Piece | Sequence[Piece]
"""A module or parameter, or several that sleep and wake together, such as a convolution
and its batch norm, or an embedding and its bare position parameter."""


class LayerwiseSparse:
    """Lets only some layers of a model move, an epoch or a step at a time.

    A sleeping layer has no gradient, so that the optimizer passes it by and what it
    remembers of it (momentum, moments, step count) waits. Where all layers below some
    layer sleep, the backward pass ends there. A sleeping layer computes in eval mode,
    whatever mode the model is in: batch norm's statistics rest, and dropout does
    nothing. A module without parameters that an awake layer holds too, such as one
    dropout for all, is left alone. The sleeping bottom is computed anew at each step;
    the book's own `train` keeps what it makes of the images (`SleepingBottom`).

    Where the schedule scales learning rates, a group's is scaled inside and put back
    afterwards: step torch's own schedulers outside. What the schedule has the optimizer
    forget is dropped on entry.

    A model that `torch.compile` made is compiled anew for each set of layers, and once
    more after layers were awake for the first time; raise
    `torch._dynamo.config.recompile_limit` above twice the number of sets, or it is run
    uncompiled. `DistributedDataParallel` needs `find_unused_parameters=True`, and
    `torch.utils.checkpoint` needs `use_reentrant=False`: the other kind gives layers
    above a sleeping bottom no gradient. Where gradients are accumulated, a context
    stands around whole optimizer steps: what sleeping layers have of an earlier batch
    is dropped on entry.

    Copy or pickle a model outside: inside, a copy's sleeping layers stay frozen and in
    eval mode for good, and `torch.save(model)` fails. Its `state_dict` is the same
    inside; the optimizer's has the scaled learning rates there.

    Args:
        layers: The model's layers, input to output; a forward pass in which an awake
            one feeds one listed before it is refused. Every parameter of the optimizer
            is in one of them; what is not trained need not be.
        optimizer: Any of torch's that leaves a parameter without a gradient alone.
        schedule: One of `schedules`.
        seed: Draws the schedule, if it is a random one.

    Raises:
        ValueError: If the layers can not be told apart or leave parameters out, the
            optimizer moves what has no gradient, or the schedule asks for more layers.
    """

    def __init__(
        self,
        layers: Sequence[Layer] | nn.ModuleList,
        optimizer: torch.optim.Optimizer,
        schedule: UpdateSchedule,
        *,
        seed: int = 0,
    ) -> None:
        if isinstance(layers, nn.Module) and not isinstance(
            layers, nn.ModuleList | nn.Sequential
        ):
            raise ValueError(
                "layers must be a list of the model's layers, input to output, such as "
                f"[model.conv1, model.block1, model.fc]; got a {_name(layers)}, whose "
                "order torch does not know."
            )
        self.schedule, self.seed = schedule, seed
        self.counts: Counter[int] = Counter()
        """Layer → epochs, or steps, in which it was updated."""
        pieces = [_pieces(layer) for layer in layers]
        self._modules = [
            [piece for piece in own if isinstance(piece, nn.Module)] for own in pieces
        ]
        self._parameters = [_parameters(own) for own in pieces]
        _check_layers(self._parameters, pieces)
        self._owner = {
            id(p): index for index, own in enumerate(self._parameters) for p in own
        }
        _check_optimizer(optimizer, self._owner)
        self._optimizer = optimizer
        schedule.plan(0, 0, self.num_layers, seed)  # raises what it would raise later

    @property
    def num_layers(self) -> int:
        """How many layers there are."""
        return len(self._modules)

    @contextlib.contextmanager
    def epoch(self, epoch: int) -> Iterator[frozenset[int]]:
        """Inside, only the layers of this epoch move. Yield them, 0 the bottom.

        Raises:
            ValueError: If the schedule changes within an epoch.
        """
        if self.schedule.per_step:
            raise ValueError(
                "this schedule changes from step to step: use `with sparse.step(epoch, "
                "step)` around each, or make it with draw='epoch'."
            )
        with self.step(epoch, 0) as awake:
            yield awake

    @contextlib.contextmanager
    def step(self, epoch: int, step: int) -> Iterator[frozenset[int]]:
        """Inside, only the layers of this step move. Yield them, 0 the bottom.

        Raises:
            ValueError: If the caller has frozen all of them, the schedule scales
                learning rates and the optimizer's groups are not of one layer each, the
                optimizer was given a parameter of no layer, or, from the model's
                forward pass, a layer reads what one listed after it makes.
        """
        _check_optimizer(self._optimizer, self._owner)  # groups may have been added
        plan = self.schedule.plan(epoch, step, self.num_layers, self.seed)
        awake = plan.layers
        asleep = [i for i in range(self.num_layers) if i not in awake]
        if not any(p.requires_grad for i in awake for p in self._parameters[i]):
            raise ValueError(
                f"layers {sorted(awake)} are to be updated, and all their parameters "
                "are frozen: set requires_grad, or leave these layers out of `layers`."
            )
        parameters = [
            p for i in asleep for p in self._parameters[i] if p.requires_grad
        ]  # a parameter that the caller has frozen stays so afterwards
        with contextlib.ExitStack() as stack:
            if plan.lr_scales:
                stack.enter_context(self._at_scaled_rates(plan.scales))
            for layer in plan.forget:
                forget(self._optimizer, self._parameters[layer])
            stack.enter_context(_in_eval_mode(self._held(asleep) - self._held(awake)))
            if awake - self.counts.keys():  # the graph shows what awake layers make
                stack.enter_context(order_checked(self._modules, self._owner))
            for p in parameters:
                p.requires_grad_(False)
                p.grad = None  # zeros would still let weight decay move it
            stack.callback(lambda: [p.requires_grad_(True) for p in parameters])
            yield awake
        self.counts.update(awake)

    def _held(self, layers: Collection[int]) -> set[nn.Module]:
        """Return the modules in these layers, and all that these hold."""
        return {
            each
            for i in layers
            for module in self._modules[i]
            for each in module.modules()
        }

    @contextlib.contextmanager
    def _at_scaled_rates(self, scales: dict[int, float]) -> Iterator[None]:
        """Inside, each layer's learning rate is multiplied by its factor."""
        groups = self._optimizer.param_groups
        held = [{self._owner[id(p)] for p in group["params"]} for group in groups]
        for layers in held:
            if len(layers) > 1:
                raise ValueError(
                    "this schedule has a learning rate for each layer, and the "
                    f"optimizer has layers {sorted(layers)} in one group: give it a "
                    "group for each layer."
                )
        rates = [group["lr"] for group in groups]
        try:
            for group, layers in zip(groups, held, strict=True):
                for layer in layers & scales.keys():
                    group["lr"] = group["lr"] * scales[layer]
            yield
        finally:
            for group, lr in zip(groups, rates, strict=True):
                group["lr"] = lr

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs beside the model's and optimizer's states.

        It is ready for JSON. A schedule without `to_dict` is told by the name of its
        class and its attributes.
        """
        return {
            "schedule": self._described(),
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
            require(
                state[name] == mine[name], name, f"{mine[name]}, as here", state[name]
            )
        # JSON makes the layers' numbers strings.
        self.counts = Counter({int(i): num for i, num in state["counts"].items()})

    def _described(self) -> Any:
        schedule = self.schedule
        describe = getattr(schedule, "to_dict", None)
        told = describe() if describe else [_name(schedule), schedule.__getstate__()]
        return json.loads(json.dumps(told, default=_plain, skipkeys=True))


def _name(thing: object) -> str:
    return type(thing).__name__


def _plain(value: object) -> Any:
    """Return a set as a list, and what JSON has nothing for as its class's name."""
    is_set = isinstance(value, set | frozenset)
    return sorted(value, key=repr) if is_set else _name(value)


def _pieces(layer: Layer) -> list[Piece]:
    return [layer] if isinstance(layer, nn.Module | nn.Parameter) else list(layer)


def _parameters(pieces: list[Piece]) -> list[nn.Parameter]:
    found: list[nn.Parameter] = []
    for piece in pieces:
        found += [piece] if isinstance(piece, nn.Parameter) else piece.parameters()
    return found


def _check_layers(
    parameters: list[list[nn.Parameter]], pieces: list[list[Piece]]
) -> None:
    """Raise ValueError unless each layer has parameters, all of them its own."""
    require(len(pieces) >= 1, "layers", "at least one layer", [])
    owner: dict[int, int] = {}
    for index, own in enumerate(parameters):
        named = names(pieces[index])
        if not own:
            raise ValueError(
                f"layer {index} ({named}) has no parameters: leave it out, or put it "
                "into one list with the layer it belongs to."
            )
        for p in own:
            if owner.setdefault(id(p), index) != index:
                raise ValueError(
                    f"layers {owner[id(p)]} and {index} ({named}) share a parameter of "
                    f"shape {tuple(p.shape)}, so that one can not sleep while the "
                    "other is awake; put both into one list."
                )


def _check_optimizer(optimizer: torch.optim.Optimizer, owner: dict[int, int]) -> None:
    """Raise ValueError if the optimizer could move a sleeping layer, or break.

    `owner` has the layer of each parameter, by its id.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError(
            f"optimizer must be one of torch's; got a {_name(optimizer)}: for several, "
            "make one LayerwiseSparse each, of the same layers, schedule and seed, and "
            "enter all."
        )
    for group in optimizer.param_groups:
        left_out = [tuple(p.shape) for p in group["params"] if id(p) not in owner]
        if left_out:
            raise ValueError(
                f"the optimizer has {len(left_out)} parameters that are in no layer, "
                f"the first of shape {left_out[0]}: name their modules in `layers`, or "
                "leave them out of the optimizer."
            )
        mixed = len({owner[id(p)] for p in group["params"]}) > 1
        if mixed and group.get("fused") and group.get("momentum"):
            raise ValueError(
                "fused SGD with momentum can not step a group of which some have "
                "momentum and some, still asleep, have not: give it a group for each "
                "layer, or fused=False."
            )
    if isinstance(optimizer, torch.optim.LBFGS):
        raise ValueError(
            "LBFGS moves all its parameters along one direction, sleeping ones too; "
            "use another optimizer."
        )


@contextlib.contextmanager
def _in_eval_mode(modules: Collection[nn.Module]) -> Iterator[None]:
    """Inside, they compute in eval mode, even after `model.train()`.

    Each module has its own hooks: a model may call the parts of a layer one by one.
    """
    hooks = [hook for module in modules for hook in _eval_hooks(module)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _eval_hooks(module: nn.Module) -> list[RemovableHandle]:
    """Return hooks that put a module, not what it holds, into eval mode in a call."""
    modes: list[bool] = []

    def enter(module: nn.Module, inputs: Any) -> None:
        del inputs
        modes.append(module.training)
        module.training = False

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        del inputs, output
        module.training = modes.pop()

    return [
        module.register_forward_pre_hook(enter, prepend=True),
        module.register_forward_hook(leave, always_call=True),
    ]
