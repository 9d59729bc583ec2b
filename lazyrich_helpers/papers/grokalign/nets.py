"""ReLU networks without biases, many computed as one, as Walker et al. (2025) train.

A network is a list of weights (num, fan_out, fan_in), the lowest layer's first; `num`
networks of one shape are multiplied at once.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from lazyrich_helpers.random_streams import generator

Weights = list[Tensor]


def drawn_weights(
    sizes: Sequence[int], seeds: Sequence[int], *, gain: float = 1.0
) -> Weights:
    r"""Return weights of a network for each seed, fp32, which need gradients.

    They are uniform in $\pm g / \sqrt{n}$, with $n$ the fan_in and $g$ the `gain`: at 1
    as `torch.nn.Linear` has them.

    Args:
        sizes: Of inputs, hidden layers and outputs.
        seeds: One a network.
        gain: The paper's 8 is what makes networks generalize late.
    """
    weights = []
    for place, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        drawn = [
            torch.rand(
                fan_out, fan_in, generator=generator("grokalign_weights", seed, place)
            )
            for seed in seeds
        ]
        weight = (2 * torch.stack(drawn) - 1) * gain / fan_in**0.5
        weights.append(weight.requires_grad_())
    return weights


def hidden(weights: Weights, inputs: Tensor) -> list[Tensor]:
    """Return what each hidden layer makes of inputs (..., n, d), before the ReLU."""
    found = []
    for weight in weights[:-1]:
        inputs = inputs @ weight.mT
        found.append(inputs)
        inputs = inputs.relu()
    return found


def outputs(weights: Weights, inputs: Tensor) -> Tensor:
    """Return outputs (num, n, C) of inputs (n, d), or of each network's (num, n, d)."""
    return hidden(weights, inputs)[-1].relu() @ weights[-1].mT


def own_inputs(weights: Weights, inputs: Tensor) -> Tensor:
    """Return inputs (n, d) once a network (num, n, d), so that they have gradients."""
    num = len(weights[0])
    return inputs.detach().expand(num, *inputs.shape).clone().requires_grad_()
