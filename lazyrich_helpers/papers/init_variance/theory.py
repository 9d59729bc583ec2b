r"""What a wide ReLU network's start does to the variance over samples, in formulas.

$\sigma_l^2$ is the total variance of layer $l$'s pre-activations, $v_l^2$ their sample
variance, $m_l^2$ the mean square of their sample means, over weights:
$\sigma_l^2 = m_l^2 + v_l^2$. What counts is $\rho_l = m_l^2 / \sigma_l^2$, the
correlation of one unit's pre-activations of two samples.
"""

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Correlations = NDArray[np.float64]
GRADIENT_GROWTH = math.pi / (math.pi - 1)
r"""Factor per layer, downwards, of a gradient's mean square at `SamplePreserving`'s
start: $n\,\mathrm{Var}(W)\,P(y > 0) = \pi / (\pi - 1)$, 1.47; at He's it is 1."""


def next_correlation(rho: Correlations | float) -> Correlations:
    r"""Return the correlation one layer further up, in a wide ReLU network.

    $$\rho_{l+1} = \frac1\pi \left[\sqrt{1 - \rho_l^2}
    + \rho_l (\pi - \arccos \rho_l)\right]$$

    for weights of mean 0 and any variance, without biases: scale does not count.

    Source: Luther & Seung (2019), in the corrected form: their drafts' print of it does
    not agree with simulation. The kernel itself is Cho & Saul's (2009).
    """
    rho = np.clip(np.asarray(rho, dtype=float), -1, 1)
    return (np.sqrt(1 - rho**2) + rho * (np.pi - np.arccos(rho))) / np.pi


def correlations(depth: int, start: Correlations | float = 0.0) -> Correlations:
    """Return ρ of layers 1 to `depth`, (depth,), whose first is the mean of `start`.

    Args:
        depth: Layers.
        start: Of the inputs, 0 for white noise; or of many pairs of inputs, each of
            which then goes its own way up and is averaged over at each layer.
    """
    pairs, found = np.atleast_1d(np.asarray(start, dtype=float)), []
    for _ in range(depth):
        found.append(pairs.mean())
        pairs = next_correlation(pairs)
    return np.array(found)


def input_correlations(inputs: Tensor) -> Correlations:
    r"""Return $x^T x' / (|x| |x'|)$ of all pairs of inputs (n, ...), (n (n - 1) / 2,).

    What a layer without biases makes of two inputs has this correlation over weights.
    """
    rows = inputs.flatten(1).double()
    rows = rows / rows.norm(dim=1, keepdim=True)
    products = (rows @ rows.T).numpy()
    return products[np.triu_indices(len(rows), k=1)]
