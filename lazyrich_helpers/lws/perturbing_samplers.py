"""Samplers of PARTIAL SGD that take the gradient elsewhere, or of a part alone."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lazyrich_helpers.lws.partial import Course, PartialPlan, Sampler, along
from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.models.stacked import Units
from lazyrich_helpers.random_streams import generator


def extragradient(share: float) -> Sampler:
    r"""Take the gradient ahead: $\delta x = -\gamma'\, g(x)$, of the same batch.

    `share` is $\gamma' / \gamma$, of a step; 1 is Korpelevich's.

    Source: after Korpelevich (1976).
    """

    def sampler(course: Course) -> Iterator[Plan]:
        for _ in range(course.num_steps):
            gradient = course.gradient()

            def ahead(layer: int, number: int, p: Tensor, gradient=gradient) -> Tensor:
                return -share * along(course.lr, p) * gradient[layer][number]

            yield Plan(course.every_layer, perturbation=ahead)

    return sampler


def sharpness_aware(radius: float) -> Sampler:
    r"""Take the gradient uphill: $\delta x = r\, g(x) / \lVert g(x) \rVert$.

    Source: Foret et al. (2021), arXiv:2010.01412 (SAM).
    """

    def sampler(course: Course) -> Iterator[Plan]:
        for _ in range(course.num_steps):
            gradient = course.gradient()
            squares = [g.square().flatten(1).sum(1) for own in gradient for g in own]
            norm = torch.stack(squares).sum(0).sqrt().clamp_min(1e-12)  # (num,)

            def uphill(layer, number, p, gradient=gradient, norm=norm) -> Tensor:
                return along(radius / norm, p) * gradient[layer][number]

            yield Plan(course.every_layer, perturbation=uphill)

    return sampler


def drop_connections(keep: float) -> Sampler:
    r"""Drop single weights for a step: $\delta x = (m / k - 1) \odot x$, $p = m$.

    m has entries 1 with probability k, `keep`; biases stay.

    Source: Wan et al. (2013), DropConnect; there an example has a mask of its own.
    """

    def sampler(course: Course) -> Iterator[Plan]:
        for step in range(course.num_steps):
            stream = generator("connections", course.seed, step)
            kept = {
                (layer, number): torch.rand(p.shape[1:], generator=stream) < keep
                for layer, own in enumerate(course.network.layers)
                for number, p in enumerate(own.parameters())
                if p.dim() == 3
            }

            def mask(layer: int, number: int, p: Tensor, kept=kept) -> Tensor:
                drawn = kept.get((layer, number), torch.tensor(True))
                return drawn.to(p.device).expand_as(p)

            def without(layer: int, number: int, p: Tensor, kept=kept) -> Tensor:
                drawn = kept.get((layer, number))
                if drawn is None:
                    return torch.zeros_like(p)
                return p * (drawn.to(p.device) / keep - 1)

            yield Plan(course.every_layer, mask=mask, perturbation=without)

    return sampler


def _hidden_sizes(course: Course) -> list[int]:
    *lower, _ = course.network.layers
    return [next(layer.parameters()).shape[1] for layer in lower]


def drop_units(keep: float) -> Sampler:
    """Drop hidden units for a step, the others multiplied by 1 / `keep`: dropout.

    A fixed number of each layer is kept, the same for all examples of a batch, so that
    what is dropped need not be computed. As a perturbation: rows of a dropped unit go
    to zero, and columns that read the kept ones are multiplied.

    Source: after Srivastava et al. (2014).
    """

    def sampler(course: Course) -> Iterator[Plan]:
        for step in range(course.num_steps):
            stream = generator("units", course.seed, step)
            kept = tuple(
                torch.randperm(size, generator=stream)[: round(keep * size)].sort()[0]
                for size in _hidden_sizes(course)
            )
            yield PartialPlan(course.every_layer, part=Units(kept, scale=1 / keep))

    return sampler


def independent_subnets(workers: int, every: int) -> Sampler:
    """Split the hidden units between workers, who train their sub-networks alone.

    Each takes `every` steps on its own; then the units are dealt anew. Here the workers
    take turns, which changes nothing for what they do not share (all but the biases of
    the outputs).

    Source: after Yuan et al. (2022), arXiv:1910.02120 (Independent Subnet Training).
    """

    def sampler(course: Course) -> Iterator[Plan]:
        for step in range(course.num_steps):
            turn, within = divmod(step, every * workers)
            worker = within // every
            stream = generator("workers", course.seed, turn)
            kept = tuple(
                torch.randperm(size, generator=stream)[worker::workers].sort()[0]
                for size in _hidden_sizes(course)
            )
            yield PartialPlan(course.every_layer, part=Units(kept))

    return sampler


def first_units(sizes: Sequence[int], share: float) -> Units:
    """Return the sub-network of the first units: one of slimmable widths."""
    return Units(tuple(torch.arange(max(1, round(share * size))) for size in sizes))


def alternating(*parts: Any) -> Sampler:
    """Train parts in turn, a step each; None is the whole network.

    Source: Mohtashami, Jaggi & Stich, arXiv:2106.08895v1: "switches consecutively
    between optimizing only the core part and the full one".
    """

    def sampler(course: Course) -> Iterator[Plan]:
        for step in range(course.num_steps):
            yield PartialPlan(course.every_layer, part=parts[step % len(parts)])

    return sampler


def slimmable(shares: Sequence[float]) -> Sampler:
    """Train sub-networks of the first units and the whole in turn.

    Source: after Yu et al. (2019), arXiv:1812.08928 (slimmable networks), who sum the
    widths' gradients in each step.
    """

    def sampler(course: Course) -> Iterator[Plan]:
        sizes = _hidden_sizes(course)
        parts = [first_units(sizes, share) for share in shares]
        return alternating(*parts, None)(course)

    return sampler
