"""How far training moved the parameters, in units of their initial spread."""

from typing import Any, ClassVar

import torch

from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.initialization import xavier_std
from lazyrich_helpers.models.spans import spans
from lazyrich_helpers.training.loop import Trained

BINS_PER_DECADE = 4
DECADES = (-6, 4)
"""Histogram range: 10^-6 to 10^4 initial standard deviations."""
QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999)


class Movement(Measure):
    r"""Per weight matrix: distribution of $|\theta^T - \theta^0| / \sigma_0$.

    $\sigma_0$ is the weight's own initial standard deviation (Xavier's, gain 1).
    Biases and batch norm's scales start alike and have no such unit: they are left out.
    """

    name: ClassVar[str] = "movement"
    version: ClassVar[int] = 1

    def result(self, trained: Trained) -> dict[str, Any]:
        low, high = DECADES
        num_bins = (high - low) * BINS_PER_DECADE
        layers = []
        each = zip(spans(trained.network), trained.network.parameters(), strict=True)
        for span, parameter in each:
            if not span.is_weight:
                continue
            difference = trained.final[span.place] - trained.initial[span.place]
            sigma_0 = xavier_std(parameter)
            moved = difference.abs().cpu() / sigma_0
            logs = moved[moved > 0].log10().clamp(low, high - 1e-6)
            ranked = moved.sort().values
            places = [round(q * (len(ranked) - 1)) for q in QUANTILES]
            layers.append(
                {
                    "layer": span.layer,
                    "num_weights": len(moved),
                    "num_unmoved": int((moved == 0).sum()),
                    "sigma_0": sigma_0,
                    "quantiles": [float(f"{ranked[i]:.5g}") for i in places],
                    "histogram": torch.histc(logs, num_bins, low, high).int().tolist(),
                }
            )
        return {
            "quantile_levels": list(QUANTILES),
            "histogram_decades": list(DECADES),
            "layers": layers,
        }
