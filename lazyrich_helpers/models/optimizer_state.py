"""What an optimizer remembers of parameters: momentum, moments, step counts."""

from collections.abc import Iterable

import torch
from torch import Tensor


def forget(optimizer: torch.optim.Optimizer, parameters: Iterable[Tensor]) -> None:
    """Drop what `optimizer` remembers of `parameters`: they go on as at its start."""
    for p in parameters:
        optimizer.state.pop(p, None)
