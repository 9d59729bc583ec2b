r"""Which parameters are active, and in which layers (Li & Banerjee, 2021, Section 5).

After each epoch, the *active* parameters are the $k = \lfloor \alpha p + 1/2 \rfloor$
with the largest full-batch gradient $|g_i|$, over all layers and with the biases. A
parameter's *frequency* is the share of epochs in which it was active.

An exactly zero gradient is never active (in a net whose units died, nearly all are
zero), and ties go to the earlier parameter, bottom layer first.

Beside it stands the other definition of active, Section 4's: the same share of the
parameters that training moved farthest, $|\theta^T_i - \theta^0_i|$.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from lazyrich_helpers.measures.gradients import full_gradient
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.measures.selection import largest
from lazyrich_helpers.models.spans import Span, spans
from lazyrich_helpers.reinit.reinitialization import num_active
from lazyrich_helpers.training.loop import Epoch, Run, Trained

PERCENTS = (1, 10, 30)
"""Shares α of the parameters that count as active; the paper's."""
MAP_SIZE = 128
"""Largest side of a stored heat map, in pixels."""


def top_percents(magnitudes: Tensor) -> Iterator[Tensor]:
    """Yield a mask (p,), bool, of the largest α % for each of `PERCENTS`."""
    size = len(magnitudes)
    return largest(magnitudes, [num_active(a / 100, size) for a in PERCENTS])


class Activity(Measure):
    """Per layer and α: in how many epochs its parameters were active, summed.

    Weights and biases are counted apart; what else a layer has, such as batch norm's
    scales, counts as biases. `num_zeros` holds a layer's exactly zero gradients after
    each epoch.

    Source: Li & Banerjee (2021), Section 5, Figures 5 and 6.
    """

    name: ClassVar[str] = "activity"
    version: ClassVar[int] = 1
    watches: ClassVar[bool] = True
    has_arrays: ClassVar[bool] = True
    epoch_passes: ClassVar[int] = 1

    def __init__(self) -> None:
        self._counts = torch.zeros(len(PERCENTS), 0, dtype=torch.uint8)
        self._num_zeros: list[list[int]] = []

    def start(self, run: Run) -> None:
        """Begin with no parameter ever active."""
        size, last = len(run.initial), run.config.training.num_epochs
        kinds = (torch.uint8, torch.int16, torch.int32)
        kind = next(kind for kind in kinds if torch.iinfo(kind).max >= last)
        device = run.initial.device
        self._counts = torch.zeros(len(PERCENTS), size, dtype=kind, device=device)

    def after_epoch(self, run: Run, epoch: Epoch) -> None:
        """Count the parameters that are active now."""
        magnitudes = full_gradient(run).abs_()
        for counts, mask in zip(self._counts, top_percents(magnitudes), strict=True):
            counts += mask
        zeros = [0] * len(run.network.layers)
        for span in spans(run.network):
            part = magnitudes[span.place]
            zeros[span.layer] += span.size - int(torch.count_nonzero(part))
        self._num_zeros.append(zeros)

    def result(self, trained: Trained) -> dict[str, Any]:
        moved = list(top_percents((trained.final - trained.initial).abs_()))
        layers = []
        for index in range(len(trained.network.layers)):
            own = [span for span in spans(trained.network) if span.layer == index]
            weights = [span for span in own if span.is_weight]
            biases = [span for span in own if not span.is_weight]
            layers.append(
                {
                    "layer": index,
                    "num_weights": sum(span.size for span in weights),
                    "num_biases": sum(span.size for span in biases),
                    "gradient": _sums(self._counts, weights),
                    "gradient_biases": _sums(self._counts, biases),
                    "movement": _sums(moved, weights),
                    "movement_biases": _sums(moved, biases),
                    "num_zeros": [zeros[index] for zeros in self._num_zeros],
                }
            )
        return {
            "percents": list(PERCENTS),
            "num_epochs": len(self._num_zeros),
            "num_parameters": len(trained.final),
            "layers": layers,
        }

    def arrays(self, trained: Trained) -> dict[str, np.ndarray]:
        """Return `alpha_1/layer_0` → heat map of that layer's frequencies, and so on.

        A map is `heat_map`'s. A layer of several weight matrices, such as a residual
        block, has one for each: `layer_1_0`, `layer_1_1`.
        """
        maps = {}
        weights = [span for span in spans(trained.network) if span.is_weight]
        for span in weights if self._num_zeros else []:
            same = [other for other in weights if other.layer == span.layer]
            name = f"layer_{span.layer}"
            name += f"_{same.index(span)}" if len(same) > 1 else ""
            for alpha, counts in zip(PERCENTS, self._counts, strict=True):
                matrix = counts[span.place].reshape(span.shape[0], -1).cpu().numpy()
                frequency = heat_map(matrix, len(self._num_zeros))
                maps[f"alpha_{alpha}/{name}"] = frequency
        return maps


def _sums(counts: Any, places: list[Span]) -> list[int]:
    return [sum(int(row[span.place].sum()) for span in places) for row in counts]


def heat_map(counts: np.ndarray, num_epochs: int) -> np.ndarray:
    """Return mean frequencies as uint8, 255 for 1, at most `MAP_SIZE` pixels a side.

    Args:
        counts: Epochs in which each weight was active, (out, in); kernels flattened to
            (out, in · height · width).
        num_epochs: Epochs in all, at least 1.

    A pixel is the mean of a block of weights; every weight is in one block.
    """
    height, width = counts.shape
    rows, columns = _block_starts(height), _block_starts(width)
    sums = np.add.reduceat(counts, rows, axis=0, dtype=np.int64)
    sums = np.add.reduceat(sums, columns, axis=1)
    areas = np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
    return np.rint(255 * sums / (areas * num_epochs)).astype(np.uint8)


def _block_starts(size: int) -> np.ndarray:
    num = min(size, MAP_SIZE)
    return np.arange(num) * size // num
