"""How unequal the components of a mini-batch gradient are (Figure 1)."""

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from lazyrich_helpers.measures.gradients import batch_gradient
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.spans import layer_places
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.reinit.reinitialization import num_active
from lazyrich_helpers.training.loop import Epoch, Run, Trained

EPOCHS = (0, 1, 2, 5, 10, 20, 50, 100)
"""After how many epochs to look, where training comes so far."""
PERCENTS = (0.1, 1.0, 10.0)
"""Shares of the components, largest first, whose part of the norms is recorded."""
NUM_RANKS = 200


class GradientConcentration(Measure):
    """The sorted gradient of one mini-batch, the same one at every look.

    Also of each layer alone: `share`, its part of the whole sum of magnitudes, and
    `l1`, as `concentration` has it, of the layer's own components. Beside unequal
    components a network has unequal layers, and these tell the two apart.

    The batch comes from its own stream, and is of the run's batch size. Batch norm
    works as in training. Values are recorded at `ranks`, about 200 on a logarithmic
    scale from the largest component (1) to the smallest (p).

    Source: Li & Banerjee (2021), Figure 1.
    """

    name: ClassVar[str] = "gradient_skew"  # as in the records
    version: ClassVar[int] = 2
    watches: ClassVar[bool] = True

    def __init__(self) -> None:
        self._looks: list[dict[str, Any]] = []

    def start(self, run: Run) -> None:
        """Look at initialization."""
        self._look(run, 0)

    def after_epoch(self, run: Run, epoch: Epoch) -> None:
        """Look after the epochs named above."""
        if epoch.number in EPOCHS:
            self._look(run, epoch.number)

    def _look(self, run: Run, epoch: int) -> None:
        stream = generator("gradient-skew", run.config.training.seed)
        order = torch.randperm(len(run.data.train), generator=stream)
        batch = order[: run.config.training.batch_size].to(run.data.device)
        gradient = batch_gradient(run, batch).abs_()
        layers = by_layer(gradient, run.network)
        self._looks.append({"epoch": epoch, "layers": layers} | concentration(gradient))

    def result(self, trained: Trained) -> dict[str, Any]:
        size = len(trained.final)
        places = layer_places(trained.network)
        return {
            "num_parameters": size,
            "layer_sizes": [place.stop - place.start for place in places],
            "percents": list(PERCENTS),
            "ranks": ranks(size),
            "looks": self._looks,
        }


def ranks(size: int) -> list[int]:
    """Return about 200 different ranks from 1 to `size`, evenly on a log scale."""
    places = np.logspace(0, np.log10(size), NUM_RANKS)
    return sorted({*np.rint(places).astype(int).clip(1, size).tolist()})


def concentration(magnitudes: Tensor) -> dict[str, Any]:
    """Return how unequal non-negative `magnitudes` (p,) are, ready for JSON.

    `values` at `ranks`; `num_zeros`; `elbow`, a rank; `l1` and `l2`, the shares of the
    sum and of the sum of squares that the largest `PERCENTS` hold (0 if all are zero).
    """
    ordered = magnitudes.sort(descending=True).values
    size = len(ordered)
    chosen = torch.tensor(ranks(size), device=ordered.device) - 1
    return {
        "values": [float(f"{value:.4g}") for value in ordered[chosen].tolist()],
        "num_zeros": size - int(torch.count_nonzero(ordered)),
        "elbow": elbow(ordered),
        "l1": held(ordered.double()),
        "l2": held(ordered.double() ** 2),
    }


def held(ordered: Tensor) -> list[float]:
    """Return the shares of the sum of `ordered` (p,) in its largest `PERCENTS`.

    It is sorted, largest first, and non-negative; 0 if all are zero.
    """
    total = max(float(ordered.sum()), float(np.finfo(float).tiny))
    tops = [num_active(percent / 100, len(ordered)) for percent in PERCENTS]
    return [float(f"{float(ordered[:top].sum()) / total:.5g}") for top in tops]


def by_layer(magnitudes: Tensor, network: Network) -> list[dict[str, Any]]:
    """Return each layer's `share` of the sum of `magnitudes` (p,), and its own `l1`."""
    total = max(float(magnitudes.double().sum()), float(np.finfo(float).tiny))
    return [
        {
            "share": float(f"{float(part.double().sum()) / total:.5g}"),
            "l1": held(part.double().sort(descending=True).values),
        }
        for part in (magnitudes[place] for place in layer_places(network))
    ]


def elbow(ordered: Tensor) -> int:
    r"""Return the rank at which a descending curve bends most.

    With $x = (r - 1) / (p - 1)$ and $y$ the value as a share of the largest, it is the
    rank $r$ farthest below the chord from the first to the last point of $(x, y)$; the
    first such rank. The rule is ours; the paper marks elbows by eye.

    Args:
        ordered: Shape (p,), non-negative, largest first.
    """
    heights = ordered.double() / ordered[0].clamp(min=torch.finfo(ordered.dtype).tiny)
    chord = torch.linspace(1, 0, len(ordered), device=ordered.device).double()
    chord = heights[-1] + (heights[0] - heights[-1]) * chord
    return int((chord - heights).argmax()) + 1
