"""Many seeds trained as one: each step is one step of a stack of networks."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from lazyrich_helpers.config import require
from lazyrich_helpers.data.datasets import Dataset
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.training.arithmetic import arithmetic
from lazyrich_helpers.training.loop import Epoch
from lazyrich_helpers.training.run_config import RunConfig, without_seed
from lazyrich_helpers.training.stack import Stack, orders_of


class EnsembleState:
    """What several networks trained as one carry on: as `train.TrainingState`.

    From here on, the networks' parameters are views of common tensors: they may be
    read and written between epochs, but not rebound. The configs are alike but for the
    seed.
    """

    def __init__(
        self, networks: Sequence[Network], configs: Sequence[RunConfig]
    ) -> None:
        self.num_done = 0
        """Epochs."""
        self.going = [True] * len(networks)
        """Whose loss is finite."""
        self.stack = Stack.of(networks)
        _bind_(networks, self.stack)
        parameters = self.stack.parameters.values()
        self.optimizer = configs[0].optimizer.build(parameters)  # type: ignore[arg-type]

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs, by reference: tensors, numbers, text."""
        return {
            "num_done": self.num_done,
            "going": self.going,
            "parameters": {n: p.detach() for n, p in self.stack.parameters.items()},
            "optimizer": self.optimizer.state_dict(),
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put networks, optimizer and epoch back to where they were.

        Raises:
            KeyError, RuntimeError, ValueError: If it is other networks' state.
        """
        for name, values in self.stack.parameters.items():
            values.copy_(state["parameters"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.num_done, self.going = state["num_done"], list(state["going"])


def train_ensemble(
    networks: Sequence[Network],
    data: Dataset,
    configs: Sequence[RunConfig],
    *,
    eval_every: int = 1,
    state: EnsembleState | None = None,
) -> Iterator[list[Epoch | None]]:
    """Train each network in place as `train` would alone, up to rounding.

    After each epoch, yield one `Epoch` per network; None for those whose training has
    ended, because their loss was no longer finite. The seconds of an epoch are shared
    out evenly. Networks do not disturb each other: the sum of their losses is
    minimized, and every parameter is in one of them.

    The networks' parameters become views of common tensors, as in `EnsembleState`. With
    `state`, which is theirs and is kept up to date, it goes on from there.

    Raises:
        ValueError: If the configs differ by more than the seed, do not update every
            layer at every step, the networks have buffers, or the images change.
        RuntimeError: If a parameter was rebound between two epochs.
    """
    _check(configs)
    same = data.shift is None and not data.views
    require(same, "data", "images that are the same in every epoch", data.digest)
    first, num = configs[0], len(configs)
    if state is None:
        state = EnsembleState(networks, configs)
    stack, optimizer = state.stack, state.optimizer
    settings = first.training
    for epoch in range(state.num_done, settings.num_epochs):
        _require_bound(networks, stack)
        start = time.perf_counter()
        with arithmetic(settings.precision, data.device):
            losses = _train_epoch(stack, data, configs, optimizer, epoch)
        share = (time.perf_counter() - start) / num
        done = epoch + 1
        due = done % eval_every == 0 or done == settings.num_epochs
        correct: list[int] | list[None] = [None] * num
        if due:
            correct = stack.count_correct(data.test, settings.precision)
        row = [
            Epoch(done, loss, n, share) if goes else None
            for goes, loss, n in zip(state.going, losses, correct, strict=True)
        ]
        state.num_done = done
        state.going = [
            goes and math.isfinite(loss)
            for goes, loss in zip(state.going, losses, strict=True)
        ]
        yield row
        if not any(state.going):
            return


def _check(configs: Sequence[RunConfig]) -> None:
    alike = len({without_seed(config) for config in configs}) == 1
    require(alike, "configs", "equal but for the seed, at least one", configs)
    updates, objective = configs[0].updates, configs[0].objective
    require(type(updates) is Full, "updates", "of the kind full", updates)
    require(objective.of_logits, "objective", "one of logits alone", objective)


def _bind_(networks: Sequence[Network], stack: Stack) -> None:
    """Make the networks' parameters views of the stack's: writing moves both."""
    for name, values in stack.parameters.items():
        values.requires_grad_()
        for network, row in zip(networks, values.detach(), strict=True):
            network.get_parameter(name).data = row


def _require_bound(networks: Sequence[Network], stack: Stack) -> None:
    for name, values in stack.parameters.items():
        for network, row in zip(networks, values.detach(), strict=True):
            if network.get_parameter(name).data_ptr() != row.data_ptr():
                raise RuntimeError(
                    f"parameter {name} was rebound during training; write to it "
                    "in place instead."
                )


def _train_epoch(
    stack: Stack,
    data: Dataset,
    configs: Sequence[RunConfig],
    optimizer: torch.optim.Optimizer,
    epoch: int,
) -> list[float]:
    """Take every step of one epoch; return each network's mean training loss."""
    settings, images = configs[0].training, data.train.images
    seeds = [config.training.seed for config in configs]
    orders = orders_of("order", seeds, epoch, len(data.train)).to(data.device)
    total = torch.zeros(stack.num, device=data.device)
    # Filled again at every step: fresh memory would cost as much as the filling.
    room = images.new_empty(stack.num * settings.batch_size, *images.shape[1:])
    nothing = torch.empty(0)  # θ⁰, which an objective of logits does not see
    for step, batch in enumerate(orders.split(settings.batch_size, dim=1)):
        for group in optimizer.param_groups:
            group["lr"] = configs[0].optimizer.lr_at(epoch, step)
        inputs = room[: batch.numel()]
        torch.index_select(images, 0, batch.reshape(-1), out=inputs)
        losses = configs[0].objective.loss(
            stack,  # type: ignore[arg-type]  # such an objective only calls it
            inputs.unflatten(0, batch.shape),
            data.train.labels[batch],
            nothing,
        )
        optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        optimizer.step()
        total += losses.detach() * batch.shape[1]
    return [loss / orders.shape[1] for loss in total.tolist()]
