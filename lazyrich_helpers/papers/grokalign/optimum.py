"""The best linear map of bounded size at one image: its rows are along the image."""

import math

from torch import Tensor

LOSSES = ("cross-entropy", "squared error")


def best_rows(
    inputs: Tensor, label: int, *, num_classes: int, budget: float, loss: str
) -> Tensor:
    r"""Return the Jacobian (C, d) that has the least loss at one input (d,).

    Among all J with $\|J\|_F^2 \le \alpha$, the `budget`, and outputs $J x$: rows
    $a x^\top$ for the label and $b x^\top$ for all others, with

    * cross-entropy: $a = \sqrt{\alpha (C - 1) / C} / \|x\|$ and
      $b = -\sqrt{\alpha / (C (C - 1))} / \|x\|$, so that the rows sum to zero;
    * squared error to one-hot labels: $a = \sqrt\alpha / \|x\|$ and $b = 0$, if
      $\alpha \|x\|^2 \le 1$. With a larger budget there are other optima.

    Raises:
        ValueError: If there is no such loss, or its budget does not bind.

    Source: Walker et al. (2025), Theorem 2; that the budget has to bind is ours.
    """
    size = inputs.norm().item()
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}; got {loss!r}.")
    if loss == "squared error" and budget * size**2 > 1:
        raise ValueError(
            f"budget must be at most 1 / |x|² = {1 / size**2:.3g}, or the best rows "
            f"are not unique; got {budget}."
        )
    own, other = math.sqrt(budget) / size, 0.0
    if loss == "cross-entropy":
        own = math.sqrt(budget * (num_classes - 1) / num_classes) / size
        other = -math.sqrt(budget / (num_classes * (num_classes - 1))) / size
    factors = inputs.new_full((num_classes, 1), other)
    factors[label] = own
    return factors * inputs
