"""How much of each layer a plan lets move."""

from typing import Any

from lazyrich_helpers.lws.plans import Plan


def updated_shares(network: Any, plan: Plan) -> list[float]:
    """Return the share of each layer's weights that move, bottom first, 0 to 1.

    The gradients of the step must still be there: some masks are chosen by them.
    """
    part, mask = getattr(plan, "part", None), plan.mask
    found = []
    for layer, module in enumerate(network.layers):
        if layer not in plan.layers:
            found.append(0.0)
        elif part is not None:
            own, full = network.flops(part)[layer], network.flops()[layer]
            found.append(sum(own) / sum(full))
        elif mask is not None:
            weight = next(module.parameters())
            found.append(mask(layer, 0, weight).float().mean().item())
        else:
            found.append(1.0)
    return found
