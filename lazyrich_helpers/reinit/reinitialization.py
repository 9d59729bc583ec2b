r"""γ-active and ε-lazy re-initialization (Li & Banerjee, 2021, Section 4).

Parameters are ranked once, over all layers and with the biases, by how far training
moved them, $|\theta^T_i - \theta^0_i|$, farthest first. At fraction $f$, the first
$k = \lfloor f p + 1/2 \rfloor$ are the *active* ones:

* γ-active at f resets those k to their initial values and keeps the rest;
* ε-lazy at f keeps those k and resets the rest.

**Ties** keep the order of the parameters, bottom layer first, a layer's weights before
its biases, row by row. Parameters that did not move at all thus come last, and
resetting them changes nothing.

`reinitialize` does this to any torch model, given its state before training.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from lazyrich_helpers.config import require

if TYPE_CHECKING:
    from jaxtyping import Float, Int64

SCENARIOS = ("active", "lazy")


Model = TypeVar("Model", bound=nn.Module)


def movement_order(
    initial: Float[Tensor, " p"], final: Float[Tensor, " p"]
) -> Int64[Tensor, " p"]:
    """Return parameter indices, most active first; ties as they lie.

    Raises:
        ValueError: If these are not two vectors (p,) of one kind.
    """
    _check_vectors(initial, final)
    wide = torch.promote_types(final.dtype, torch.float32)  # fp16 ends at 65,504
    movement = (final.to(wide) - initial.to(wide)).abs()
    return torch.sort(movement, descending=True, stable=True).indices


def num_active(fraction: float, num_parameters: int) -> int:
    """Return how many parameters `fraction` of them is, halves rounded up."""
    require(0 <= fraction <= 1, "fraction", "between 0 and 1", fraction)
    return math.floor(fraction * num_parameters + 0.5)


def percent_label(fraction: float) -> str:
    """Return a fraction as a percentage of two significant digits."""
    return f"{float(f'{100 * fraction:.2g}'):g} %"


def reinitialized(
    initial: Float[Tensor, " p"],
    final: Float[Tensor, " p"],
    order: Int64[Tensor, " p"],
    *,
    fraction: float,
    scenario: str,
) -> Float[Tensor, " p"]:
    """Return the parameters after one re-initialization.

    Args:
        initial: Parameters before training.
        final: Parameters after training.
        order: `movement_order(initial, final)`.
        fraction: Share of the parameters counted as active, 0 to 1 (γ or ε).
        scenario: `active` resets the active ones, `lazy` resets all others.

    Raises:
        ValueError: If `fraction` or `scenario` is out of range, these are not two
            vectors of one kind, or `order` is not an order of them.
    """
    require(scenario in SCENARIOS, "scenario", "active or lazy", scenario)
    _check_vectors(initial, final)
    _check_order(order, len(final))
    active = order[: num_active(fraction, len(order))]
    kept, replaced = (final, initial) if scenario == "active" else (initial, final)
    result = kept.clone()
    result[active] = replaced[active]
    return result


def reinitialize(
    model: Model,
    initial: nn.Module | Mapping[str, Tensor],
    fraction: float,
    scenario: str,
    *,
    in_place: bool = False,
    buffers: Collection[str] = (),
    optimizer: torch.optim.Optimizer | None = None,
) -> Model:
    """Return a trained model after one re-initialization, with all it was trained to.

    All its parameters are ranked together, frozen ones too, in the order of
    `model.parameters()`.

    Args:
        model: Any module, trained.
        initial: A copy of it before training, or of its `state_dict()`.
        fraction: Share of the parameters counted as active, 0 to 1 (γ or ε).
        scenario: `active` resets the active ones, `lazy` resets all others.
        in_place: Whether the model itself is changed, and not a copy of it.
        buffers: Names of those that get their initial values, whatever the fraction,
            such as batch norm's statistics. All others stay trained.
        optimizer: The model's own, if it is to forget what it remembers (momentum,
            moments, step count) of the parameters of which a value was reset. It stays
            as it is if not given.

    Raises:
        ValueError: If `initial` is not the state of such a model, or the model's very
            own; if `buffers` has a name that the model has not; if `fraction` or
            `scenario` is out of range; if there is an optimizer for a copy.
    """
    starts = initial_parameters(model, initial)
    named = dict(model.named_parameters())
    if optimizer is not None and not in_place:
        raise ValueError("an optimizer moves the model itself: set in_place=True.")
    known = dict(model.named_buffers())
    for name in buffers:
        require(name in known, "buffers", f"among {', '.join(known) or 'none'}", name)
    resets = values_of(initial, {name: known[name] for name in buffers})
    before, after = vector_of(starts), vector_of(named)
    order = movement_order(before, after)
    vector = reinitialized(before, after, order, fraction=fraction, scenario=scenario)
    values = [torch.empty(p.shape, device=vector.device) for p in named.values()]
    vector_to_parameters(vector, values)
    if not in_place:
        model = copy.deepcopy(model)
    with torch.no_grad():
        for p, value in zip(model.parameters(), values, strict=True):
            if optimizer is not None and not torch.equal(p, value.to(p)):
                optimizer.state.pop(p, None)
            p.copy_(value)
        for name, value in resets.items():
            model.get_buffer(name).copy_(value)
    return model


def initial_parameters(
    model: nn.Module, initial: nn.Module | Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return what `initial` has for each of the model's parameters, by name.

    Raises:
        ValueError: If `initial` is not the state of such a model, or the model's very
            own; if the model has no parameters.
    """
    named = dict(model.named_parameters())
    require(bool(named), "model", "a module with parameters", type(model).__name__)
    starts = values_of(initial, named)
    if all(map(_is_same, starts.values(), named.values())):
        raise ValueError(
            "initial is the model's own state, so that nothing has moved: take "
            "copy.deepcopy(model.state_dict()) before training."
        )
    return starts


def values_of(
    initial: nn.Module | Mapping[str, Tensor], named: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return what `initial` has for each of the names, of the same dtype and device.

    Raises:
        ValueError: If it is no state, lacks a name, or has another shape.
    """
    state = initial.state_dict() if isinstance(initial, nn.Module) else initial
    known = "a copy of the model before training, or of its state_dict()"
    require(isinstance(state, Mapping), "initial", known, type(initial).__name__)
    for name, tensor in named.items():
        if name not in state:
            raise ValueError(
                f"initial must have the model's {name}; its names are "
                f"{', '.join([*state][:4])}{', …' if len(state) > 4 else ''}."
            )
        shape, given = tuple(tensor.shape), tuple(state[name].shape)
        require(given == shape, f"initial's {name}", f"of shape {shape}", given)
    return {name: state[name].to(tensor) for name, tensor in named.items()}


def _is_same(one: Tensor, two: Tensor) -> bool:
    return one.data_ptr() == two.data_ptr()


def vector_of(named: Mapping[str, Tensor]) -> Tensor:
    """Return all as one vector (p,), on the device of the first."""
    device = next(iter(named.values())).device
    # A view as a vector needs them contiguous, which channels-last weights are not.
    return parameters_to_vector(
        [tensor.detach().to(device).contiguous() for tensor in named.values()]
    )


def _check_vectors(initial: Tensor, final: Tensor) -> None:
    """Raise ValueError unless they are two vectors (p,) of one dtype, on one device."""
    for name, vector in (("initial", initial), ("final", final)):
        if not isinstance(vector, Tensor) or vector.dim() != 1:
            raise ValueError(
                f"{name} must be a vector (p,) of all parameters, as "
                "torch.nn.utils.parameters_to_vector(model.parameters()) makes it; got "
                f"{_described(vector)}: for a model, call reinitialize."
            )
    kinds = [f"{_described(v)}, {v.dtype}, on {v.device}" for v in (initial, final)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            "initial and final must be of the same parameters, dtype and device; got "
            f"{kinds[0]}, and {kinds[1]}."
        )


def _check_order(order: Tensor, num_parameters: int) -> None:
    """Raise ValueError unless it has every index once."""
    is_order = (
        isinstance(order, Tensor)
        and order.dtype == torch.int64
        and order.shape == (num_parameters,)
    )
    if is_order and num_parameters:
        found = torch.zeros(num_parameters, dtype=torch.bool, device=order.device)
        low, high = order.aminmax()
        is_order = bool(0 <= low and high < num_parameters)
        is_order = is_order and bool(found.index_fill_(0, order, True).all())
    if not is_order:
        raise ValueError(
            f"order must have each of the {num_parameters} indices once, as "
            f"movement_order(initial, final) has; got {_described(order)}."
        )


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"
