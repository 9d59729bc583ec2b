"""How much a trained network needs each layer's training: reset it and see."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from lazyrich_helpers.measures.activity import PERCENTS, top_percents
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.spans import layer_places
from lazyrich_helpers.models.vectors import bind_
from lazyrich_helpers.training.loop import Trained, count_correct


class Criticality(Measure):
    """Correct test images with one layer at its initial values, all others trained.

    Per layer: `whole` resets all of it, biases included; `active` resets those of its
    parameters that are among the α % that moved farthest in the whole network, for
    each α, and `num_reset` says how many these are.

    Source: Zhang, Bengio & Singer (2019), "Are all layers created equal?",
    arXiv:1902.01996; restricting it to active parameters is ours.
    """

    name: ClassVar[str] = "criticality"
    version: ClassVar[int] = 1
    test_passes: ClassVar[int] = 1
    layer_passes: ClassVar[int] = 1 + len(PERCENTS)

    def result(self, trained: Trained) -> dict[str, Any]:
        masks = list(top_percents((trained.final - trained.initial).abs_()))
        nothing = torch.zeros_like(masks[0])
        layers = []
        for index, place in enumerate(layer_places(trained.network)):
            own = nothing.clone()
            own[place] = True
            active = [own & mask for mask in masks]
            layers.append(
                {
                    "layer": index,
                    "num_parameters": int(own.sum()),
                    "whole": correct_after_reset(trained, own),
                    "active": [correct_after_reset(trained, mask) for mask in active],
                    "num_reset": [int(mask.sum()) for mask in active],
                }
            )
        return {
            "percents": list(PERCENTS),
            "num_test": len(trained.data.test),
            "unchanged": correct_after_reset(trained, nothing),
            "layers": layers,
        }


def correct_after_reset(trained: Trained, mask: Tensor) -> int:
    """Return correct test images with the marked parameters (p,) as they began.

    The network is left as it was.
    """
    bind_(trained.network, torch.where(mask, trained.initial, trained.final))
    precision = trained.config.training.precision
    correct = count_correct(trained.network, trained.data.test, precision)
    bind_(trained.network, trained.final.clone())
    return correct
