"""How lazily a scaled network was trained, and what its scaled outputs classify."""

import contextlib
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.vectors import named_parts
from lazyrich_helpers.training.arithmetic import arithmetic
from lazyrich_helpers.training.loop import EVAL_BATCH, Trained, num_correct
from lazyrich_helpers.training.objectives import Scaled


class Laziness(Measure):
    r"""Accuracies, ReLUs that never flip and movement, under the objective `Scaled`.

    `num_correct` of each split is by `Scaled.outputs`, what was trained: where they are
    centred, the network's own logits classify otherwise. Under another objective the
    outputs are the network's own. `kept_states` is as the function's, on test images;
    `moved` is $\|w - w_0\| / \|w_0\|$.

    Source: Chizat, Oyallon & Bach (2019), Section 3.3, as we remember its number.
    """

    name: ClassVar[str] = "laziness"
    version: ClassVar[int] = 1
    test_passes: ClassVar[int] = 8

    def result(self, trained: Trained) -> dict[str, Any]:
        objective = trained.config.objective
        if not isinstance(objective, Scaled):
            objective = Scaled(output_scale=1.0, centred=False)
        network, data, start = trained.network, trained.data, trained.initial

        @torch.no_grad()
        def outputs(images: Tensor) -> Tensor:
            return objective.outputs(network, images, start)

        with arithmetic(trained.config.training.precision, data.device):
            counts = {
                name: {
                    "num_correct": int(num_correct(outputs, split)),
                    "num": len(split),
                }
                for name, split in data.splits.items()
            }
            kept = kept_states(network, start, data.test.images)
        moved = (trained.final - start).norm() / start.norm()
        return counts | {"kept_states": kept, "moved": moved.item()}


@torch.no_grad()
def kept_states(network: Network, start: Tensor, images: Tensor) -> float:
    """Return the share of ReLUs that are on, or off, as they were at the start.

    Of each ReLU with each image. One that was given exactly 0 at the start is not
    counted: black patches give it, as biases are 0, and any step flips it. ReLUs are
    modules of the network; `start` is θ⁰.
    """
    first, kept, num = named_parts(network, start), 0, 0
    for batch in images.split(EVAL_BATCH):
        before = _relu_inputs(network, first, batch)
        for old, new in zip(before, _relu_inputs(network, {}, batch), strict=True):
            counted = old != 0
            kept += int(((old > 0) == (new > 0))[counted].sum())
            num += int(counted.sum())
    return kept / num


def _relu_inputs(
    network: Network, parameters: dict[str, Tensor], images: Tensor
) -> list[Tensor]:
    """Return what each ReLU is given, with `parameters` for the network's own."""
    found: list[Tensor] = []

    def look(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        found.append(given[0])

    with contextlib.ExitStack() as hooks:
        for module in network.modules():
            if isinstance(module, nn.ReLU):
                hooks.enter_context(module.register_forward_pre_hook(look))
        functional_call(network, parameters, (images,))
    return found
