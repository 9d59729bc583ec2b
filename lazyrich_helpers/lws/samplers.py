"""Samplers of PARTIAL SGD that choose what moves; the gradient is taken as it is.

Each function of options returns a `Sampler`. Plain SGD is what they all drive: the
optimizer of a method's authors is not part of it.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from lazyrich_helpers.lws.partial import Course, Sampler
from lazyrich_helpers.lws.plans import Plan, UpdateSchedule
from lazyrich_helpers.random_streams import generator


def scheduled(schedule: UpdateSchedule) -> Sampler:
    """Go by a schedule of layers, which needs no gradient: SGD, LWS-SGD, ..."""
    return lambda course: _plans(schedule, course)


def by_length(kind: Callable[..., UpdateSchedule], **options: Any) -> Sampler:
    """Go by a schedule of a kind that is made for the training's length."""
    names = inspect.signature(kind).parameters

    def sampler(course: Course) -> Iterator[Plan]:
        lengths = {
            "total_epochs": course.num_epochs,
            "steps_per_epoch": course.steps_per_epoch,
        }
        own = {name: lengths[name] for name in lengths.keys() & names.keys()}
        return _plans(kind(**own, **options), course)

    return sampler


def _plans(schedule: UpdateSchedule, course: Course) -> Iterator[Plan]:
    for step in range(course.num_steps):
        epoch, within = divmod(step, course.steps_per_epoch)
        yield schedule.plan(epoch, within, course.num_layers, course.seed)


def random_entries(share: float) -> Sampler:
    """Let each entry move with a probability: random-k sparsification."""

    def sampler(course: Course) -> Iterator[Plan]:
        for step in range(course.num_steps):

            def mask(layer: int, number: int, p: Tensor, step=step) -> Tensor:
                stream = generator("entries", course.seed, step, layer, number)
                drawn = torch.rand(p.shape[1:], generator=stream) < share
                return drawn.to(p.device).expand_as(p)

            yield Plan(course.every_layer, mask=mask)

    return sampler


def largest_rows(share: float) -> Sampler:
    """Let a hidden unit's weights move where its gradient is among the largest.

    The signal sent down is not cut, as it is in meProp, so that this is the gradient of
    the loss; and the units are chosen for a batch, not for each example.

    Source: after Sun et al. (2017), arXiv:1706.06197 (meProp).
    """

    def sampler(course: Course) -> Iterator[Plan]:
        top = course.num_layers - 1

        def mask(layer: int, number: int, p: Tensor) -> Tensor:
            if layer == top:
                return torch.ones_like(p, dtype=torch.bool)
            weight = next(course.network.layers[layer].parameters())
            assert weight.grad is not None
            size = weight.grad.norm(dim=2)  # (num, units)
            places = size.topk(max(1, round(share * size.shape[1])), dim=1).indices
            rows = torch.zeros_like(size, dtype=torch.bool).scatter_(1, places, True)
            return rows.view(*rows.shape, *[1] * (p.dim() - 2)).expand_as(p)

        for _ in range(course.num_steps):
            yield Plan(course.every_layer, mask=mask)

    return sampler


def _strength(course: Course) -> Tensor:
    """Return each layer's root mean square gradient (layers, num); NaN: frozen."""
    found = []
    for layer in course.network.layers:
        gradient = next(layer.parameters()).grad
        if gradient is None:
            found.append(torch.full_like(course.lr, float("nan")))
        else:
            found.append(gradient.square().mean((1, 2)).sqrt())
    return torch.stack(found)


def _of_runs(chosen: Tensor) -> Plan:
    """Return a plan of layers that differ by network; `chosen`: (layers, num) bool."""
    layers = frozenset(chosen.any(1).nonzero().flatten().tolist())
    if bool((chosen.all(1) | ~chosen.any(1)).all()):
        return Plan(layers)

    def mask(layer: int, number: int, p: Tensor) -> Tensor:
        return chosen[layer].view(-1, *[1] * (p.dim() - 1)).expand_as(p)

    return Plan(layers, mask=mask)


def important_modules(
    num: int, every: int, *, eta: float = 1.0, decay: float = 0.9
) -> Sampler:
    r"""Draw modules by importance, with $P_b \propto \exp(\eta\, G_b)$, without return.

    $G_b$ is a running mean of the root mean square gradient of module b where it was
    trained, here over the mean of those seen so far; one not yet seen counts as the
    mean. Our layers are its modules, and a fixed number is drawn; the authors draw
    until a share of the parameters is reached.

    Source: after Liu et al. (2025), arXiv:2511.00056 (MISA), Algorithm 1; the scaling
    of $G_b$ is ours.
    """

    def sampler(course: Course) -> Iterator[Plan]:
        importance = torch.full((course.num_layers, len(course.lr)), float("nan"))
        chosen = torch.zeros_like(importance, dtype=torch.bool)
        for step in range(course.num_steps):
            if step:
                seen = _strength(course)
                before = importance.where(importance.isfinite(), seen)
                after = decay * before + (1 - decay) * seen
                importance = torch.where(seen.isfinite() & chosen, after, importance)
            if step % every == 0:
                relative = (importance / importance.nanmean(0)).nan_to_num(1.0)
                uniform = torch.rand(
                    course.num_layers, generator=generator("modules", course.seed, step)
                )
                gumbel = -(-uniform.log()).log()  # the largest sums are such a draw
                drawn = eta * relative + gumbel[:, None]
                places = drawn.topk(num, dim=0).indices
                chosen = torch.zeros_like(chosen).scatter_(0, places, True)
            yield _of_runs(chosen)

    return sampler


def below_threshold(tau: float, grace: float, *, decay: float = 0.9) -> Sampler:
    """Freeze a layer for good once its gradient has become small.

    Small is below `tau` times what it was at the end of the first epoch, after a share
    `grace` of the training; running means of the root mean square. The top stays. The
    mean starts at 0 and is not corrected for it, so that the first epoch's is too low:
    of 20 steps at `decay` 0.9, by 12 %, and 0.5 is in effect 0.44.

    Source: after Wen et al. (2025), arXiv:2509.01842 (GradES), which has an absolute
    threshold, for each kind of a Transformer's matrices, on the sum of absolute values,
    in a later version on its change. That it is relative, the root mean square and its
    running mean are ours.
    """

    def sampler(course: Course) -> Iterator[Plan]:
        moves = torch.ones(course.num_layers, len(course.lr), dtype=torch.bool)
        mean = first = torch.zeros(course.num_layers, len(course.lr))
        for step in range(course.num_steps):
            if step:
                seen = _strength(course)
                mean = torch.where(
                    seen.isfinite(), decay * mean + (1 - decay) * seen, mean
                )
            if step == course.steps_per_epoch:
                first = mean
            if step >= max(grace * course.num_steps, course.steps_per_epoch + 1):
                moves = moves & (mean >= tau * first)
                moves[-1] = True
            yield _of_runs(moves)

    return sampler
