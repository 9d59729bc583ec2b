"""What is read off stacked networks before and after training: one row for each."""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.papers.dial.nets import LabeledRows, Nets
from lazyrich_helpers.reinit.features import low_rank_measure
from lazyrich_helpers.reinit.tangent_kernel import kernel_change

SHARES = tuple(10 ** (k / 3) for k in range(-9, 1))
"""Of parameters, 0.1 % to 100 %, three a decade."""
NUM_LOOKED_AT = 64
"""Images of which the tangent kernel is taken."""
ENOUGH = 0.99
"""Of the trained accuracy: what the smallest share of parameters must keep."""


def instrument_table(
    nets: Nets, weights: Sequence[Tensor], train: LabeledRows, test: LabeledRows
) -> pd.DataFrame:
    """Return a row for each network, in their order.

    `movement` is the root mean square of (θ − θ⁰)/σ₀; `flipped` the share of ReLUs of
    both hidden layers that are in the other state, over test images; `kernel` the
    relative change of the tangent kernel of what is trained and `turned` one minus its
    centred alignment; `needed` the smallest share of parameters, those that moved most,
    that keeps `ENOUGH` of the accuracy when all others are reset; `lost` what resetting
    the 1 % that moved most costs, in points; `richness` one minus the low-rank measure.

    Args:
        nets: The networks.
        weights: Theirs after training; where not finite the row has NaN alone.
        train: For the loss.
        test: For everything else.
    """
    accuracy = nets.accuracy(test, weights)
    kept = kept_accuracies(nets, weights, test)
    finite = torch.stack([w.isfinite().all((1, 2)) for w in weights]).all(0)
    table = pd.DataFrame(
        {
            "train_loss": nets.loss(train, weights).tolist(),
            "accuracy": (100 * accuracy).tolist(),
            "movement": movement(nets, weights).tolist(),
            "flipped": flipped(nets, weights, test).tolist(),
            "needed": _needed(kept, accuracy).tolist(),
            "lost": (100 * (accuracy - reset_accuracy(nets, weights, test))).tolist(),
        }
    )
    table[["kernel", "turned"]] = _kernel_changes(nets, weights, test, finite)
    table["richness"] = _richness(nets, weights, test, finite)
    table.loc[~finite.numpy()] = float("nan")
    return table


def movement(nets: Nets, weights: Sequence[Tensor]) -> Tensor:
    """Return the root mean square of (θ − θ⁰)/σ₀ of each network (M,)."""
    moved = _flat([w - w0 for w, w0 in zip(weights, nets.initial, strict=True)])
    return moved.norm(dim=1) / _flat(nets.initial).norm(dim=1)


def flipped(nets: Nets, weights: Sequence[Tensor], split: LabeledRows) -> Tensor:
    """Return the share of ReLUs that are in another state than before (M,)."""
    before = nets.hidden(split.inputs[None], nets.initial)
    after = nets.hidden(split.inputs[None], weights)
    changed = [
        ((one > 0) != (two > 0)).float().mean((1, 2))
        for one, two in zip(before, after, strict=True)
    ]
    return torch.stack(changed).mean(0)


def kept_accuracies(
    nets: Nets, weights: Sequence[Tensor], split: LabeledRows
) -> Tensor:
    """Return accuracies (len(SHARES), M) with all but the most active shares reset."""
    rank = _rank(nets, weights)
    return torch.stack(
        [
            nets.accuracy(split, _mixed(nets, weights, rank < round(s * rank.shape[1])))
            for s in SHARES
        ]
    )


def reset_accuracy(
    nets: Nets, weights: Sequence[Tensor], split: LabeledRows, share: float = 0.01
) -> Tensor:
    """Return accuracies (M,) with the share of parameters that moved most reset."""
    rank = _rank(nets, weights)
    stays = rank >= round(share * rank.shape[1])
    return nets.accuracy(split, _mixed(nets, weights, stays))


def tangent_kernels(nets: Nets, weights: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """Return the kernels (M, n, n) of h, summed over outputs, of what is trained.

    Layer by layer it is the product of two kernels, of what a layer is given and of
    what comes back to it. Source: Jacot et al. (2018).
    """
    first, second = nets.hidden(inputs[None], weights)
    num, classes = len(first), weights[2].shape[2]
    given = (inputs[None].expand(num, -1, -1), first.relu(), second.relu())
    top = weights[2][:, None].transpose(2, 3) * nets.scales[2]  # (M, 1, C, N)
    back = top * (second > 0)[:, :, None]  # (M, n, C, N)
    low = back.flatten(1, 2) @ weights[1].transpose(1, 2) * nets.scales[1]
    low = low.unflatten(1, (len(inputs), classes)) * (first > 0)[:, :, None]
    returned = (_summed(low), _summed(back), float(classes))
    kernels = torch.zeros(num, len(inputs), len(inputs))
    for layer, (a, b) in enumerate(zip(given, returned, strict=True)):
        part = (a @ a.transpose(1, 2)) * b * nets.scales[layer] ** 2
        if nets.trained is not None:
            part = part * nets.trained[:, layer, None, None]
        kernels += part
    return kernels


def _summed(back: Tensor) -> Tensor:
    """Return the kernels (M, n, n) of what comes back (M, n, C, N), over outputs."""
    return torch.einsum("micn,mjcn->mij", back, back)


def _flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.flatten(1) for part in parts], dim=1)


def _rank(nets: Nets, weights: Sequence[Tensor]) -> Tensor:
    """Return each parameter's place (M, P) by how far it moved, 0 for the farthest.

    Distances are those of a network whose layers hold their scales in their weights.
    """
    moved = [
        (w - w0).abs() * scale
        for w, w0, scale in zip(weights, nets.initial, nets.scales, strict=True)
    ]
    return _flat(moved).argsort(dim=1, descending=True, stable=True).argsort(dim=1)


def _mixed(nets: Nets, weights: Sequence[Tensor], stays: Tensor) -> list[Tensor]:
    """Return the trained weights where they stay (M, P), the initial ones elsewhere."""
    sizes = [w[0].numel() for w in weights]
    parts = stays.split(sizes, dim=1)
    return [
        torch.where(part.view_as(w), w, w0)
        for part, w, w0 in zip(parts, weights, nets.initial, strict=True)
    ]


def _needed(kept: Tensor, accuracy: Tensor) -> Tensor:
    """Return the smallest of `SHARES` that keeps enough (M,)."""
    enough = kept >= ENOUGH * accuracy
    first = enough.float().argmax(0)  # all parameters always are enough
    return torch.tensor(SHARES)[first]


def _kernel_changes(
    nets: Nets, weights: Sequence[Tensor], test: LabeledRows, finite: Tensor
) -> list[tuple[float, float]]:
    inputs = test.inputs[:NUM_LOOKED_AT]
    before = tangent_kernels(nets, nets.initial, inputs).double()
    after = tangent_kernels(nets, weights, inputs).double()
    found = []
    for one, two, is_finite in zip(before, after, finite.tolist(), strict=True):
        change = kernel_change(one, two) if is_finite else None
        relative = change and change.relative_change
        aligned = change and change.centered_alignment
        found.append(
            (
                float("nan") if relative is None else relative,
                float("nan") if aligned is None else 1 - aligned,
            )
        )
    return found


def _richness(
    nets: Nets, weights: Sequence[Tensor], test: LabeledRows, finite: Tensor
) -> list[float]:
    _, second = nets.hidden(test.inputs[None], weights)
    made = nets.outputs(test.inputs[None], weights)
    measures = [
        low_rank_measure(features, outputs) if is_finite else None
        for features, outputs, is_finite in zip(
            second.relu(), made, finite.tolist(), strict=True
        )
    ]
    return [float("nan") if one is None else 1 - one for one in measures]
