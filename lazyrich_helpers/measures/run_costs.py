"""What a record says of its run's costs: numbers that follow from the config alone.

Every record has them, so that tables and figures need neither the network nor its
draws. They are no option of a recipe, and are not measured: `run_costs` computes them.
"""

from collections import Counter
from typing import Any

from lazyrich_helpers.measures.costs import (
    backward_cost,
    epoch_costs,
    flops_of,
    forward_cost,
    forward_operations,
    plans_of,
)
from lazyrich_helpers.measures.flops import forward_flops
from lazyrich_helpers.models.layout import Span, spans
from lazyrich_helpers.training.run_config import RunConfig

NAME, VERSION = "costs", 1


def run_costs(config: RunConfig) -> dict[str, Any]:
    """Return a run's costs, ready for JSON; its data need not be there.

    `layers`, bottom first: `num_parameters`, the `shapes` (out, in) of its weight
    matrices, kernels flattened, and the `flops` of each, forward, for one image.
    `plans`: which layers were trained together, and in how many epochs (`num`), or
    steps where a schedule changes within an epoch. `backward` and `forward`: the run's
    operations over full training's, and the same by epoch.
    """
    full = forward_flops(flops_of(config))
    plans = Counter(tuple(sorted(plan.layers)) for plan in plans_of(config))
    return {
        "version": VERSION,
        "layers": _layers(config),
        "plans": [{"layers": [*k], "num": num} for k, num in sorted(plans.items())],
        "backward": backward_cost(config),
        "backward_by_epoch": epoch_costs(config),
        "forward": forward_cost(config),
        "forward_by_epoch": [own / full for own in forward_operations(config)],
    }


def _layers(config: RunConfig) -> list[dict[str, Any]]:
    by_layer: dict[int, list[Span]] = {}
    for span in spans(config.blueprint()):
        by_layer.setdefault(span.layer, []).append(span)
    return [
        {
            "num_parameters": sum(span.size for span in own),
            "shapes": [
                [span.shape[0], span.size // span.shape[0]]
                for span in own
                if span.is_weight
            ],
            "flops": list(flops),
        }
        for own, flops in zip(by_layer.values(), flops_of(config), strict=True)
    ]
