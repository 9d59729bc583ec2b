r"""Starts that keep a variance from layer to layer, each another one.

Of a unit's pre-activation $y$, with means over samples, the *total* variance is the
mean of $y^2$ over samples and units, the *sample* variance the variance of $y$ over
samples, averaged over units. He's rule keeps the first; the second then decays.

The top layer, which gives the logits, starts by He's rule in all of them: ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor, nn

from lazyrich_helpers.config import Part, one_of, require
from lazyrich_helpers.models.initialization import draw_normal_
from lazyrich_helpers.models.network import Network

if TYPE_CHECKING:
    from jaxtyping import Float

SAMPLE_PRESERVING_GAIN = math.sqrt(math.pi / (math.pi - 1))
"""Of He's standard deviation, in `SamplePreserving`."""
RELU_MEAN = 1 / math.sqrt(2 * math.pi)
"""Of relu(z), z standard normal."""


@dataclass(frozen=True, kw_only=True)
class HeNormal(Part, slot="init", kind="he_normal"):
    r"""Gaussian weights of variance $2 / n_{in}$, biases zero.

    If the entries of $z$ are symmetric about 0, then those of $W\,\mathrm{relu}(z)$
    have the same mean square as those of $z$: the total variance is kept.

    Source: He et al. (2015), Eq. 10; "Kaiming" in Luther & Seung (2019).
    """

    def require_ready(self, network: Network) -> None:
        """Every network is fine, and no file is needed."""

    def initialize_(self, network: Network, seed: int, inputs: Tensor) -> None:
        del inputs
        draw_normal_(network, seed, he_std)


@dataclass(frozen=True, kw_only=True)
class LayerSequential(Part, slot="init", kind="layer_sequential"):
    r"""He's start, each layer then shifted and scaled to normal pre-activations.

    From the lowest layer upwards, on the images at hand: $W_i \leftarrow W_i / s_i$ and
    $b_i \leftarrow (b_i - \mu_i) / s_i$, where $\mu_i$ and $s_i$ are mean and standard
    deviation of what the layer makes of them. Training then goes on without any
    normalization.

    Source: Luther & Seung (2019); the control, `layer`, keeps the total variance.
    """

    statistics: Annotated[str, one_of(("sample", "layer"))]
    """`sample`: of each unit or channel over samples (and places). `layer`: of all
    units together."""

    def require_ready(self, network: Network) -> None:
        """Refuse batch norm, which would undo it; no file is needed."""
        require_no_batch_norm(network)

    def initialize_(self, network: Network, seed: int, inputs: Tensor) -> None:
        draw_normal_(network, seed, he_std)
        for module, made in pre_activations(network, inputs):
            normalize_(module, made, self.statistics)


@dataclass(frozen=True, kw_only=True)
class SamplePreserving(Part, slot="init", kind="sample_preserving"):
    r"""A closed form that keeps the sample variance of a wide network.

    If $z$ has mean 0 and variance 1 over samples, relu(z) has mean
    $\mu = 1/\sqrt{2\pi}$ and variance $(1 - 1/\pi)/2$. Weights of variance
    $2\pi / ((\pi - 1)\,n_{in})$ and biases $b_i = -\mu \sum_j W_{ij}$ make it mean 0
    and variance 1 again. The lowest layer, whose inputs have no such form, is
    normalized as by `LayerSequential`.

    Derived here; Luther & Seung (2019) train with the other.
    """

    def require_ready(self, network: Network) -> None:
        """Refuse batch norm, which would undo it; no file is needed."""
        require_no_batch_norm(network)

    @torch.no_grad()
    def initialize_(self, network: Network, seed: int, inputs: Tensor) -> None:
        draw_normal_(network, seed, he_std)
        for place, (module, made) in enumerate(pre_activations(network, inputs)):
            if place == 0:
                normalize_(module, made, "sample")
                continue
            weight, bias = module.weight, module.bias
            assert bias is not None
            weight *= SAMPLE_PRESERVING_GAIN
            bias.copy_(-RELU_MEAN * weight.flatten(1).sum(1))


def he_std(weight: Float[Tensor, "fan_out fan_in *kernel"]) -> float:
    """Return the standard deviation He's rule gives `weight`."""
    return math.sqrt(2.0 / weight[0].numel())


@torch.no_grad()
def pre_activations(
    network: Network, inputs: Float[Tensor, "batch channels h w"]
) -> Iterator[tuple[nn.Linear | nn.Conv2d, Float[Tensor, "units samples"]]]:
    """Yield the weights below the top layer, lowest first, with what each makes.

    What a convolution makes at each place counts as a sample. A caller may change the
    weights before it goes on: the layers above then read what they make.
    """
    for layer in list(network.layers)[:-1]:
        for module in layer.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                yield module, _made(layer, module, inputs)
        inputs = layer(inputs)


def _made(layer: nn.Module, module: nn.Module, inputs: Tensor) -> Tensor:
    """Return (units, samples): what `module` makes while `layer` reads `inputs`."""
    seen: list[Tensor] = []
    with module.register_forward_hook(lambda *call: seen.append(call[-1])):
        layer(inputs)
    return seen[-1].transpose(0, 1).flatten(1)


@torch.no_grad()
def normalize_(
    module: nn.Linear | nn.Conv2d, made: Float[Tensor, "units samples"], statistics: str
) -> None:
    """Shift and scale weights and biases until what was `made` has mean 0, variance 1.

    Args:
        module: With a bias.
        made: From these weights.
        statistics: As in `LayerSequential`.

    Raises:
        ValueError: If something to be scaled does not vary.
    """
    dims = 1 if statistics == "sample" else (0, 1)
    deviation, mean = torch.std_mean(made, dim=dims, correction=0)
    varies = bool((deviation > 0).all() and deviation.isfinite().all())
    wanted = "images on which every unit varies: more of them, or a wider network"
    require(varies, "inputs", wanted, f"{made.shape[1]} samples")
    weight, bias = module.weight, module.bias
    assert bias is not None
    weight /= deviation.reshape(-1, *[1] * (weight.dim() - 1))
    bias.copy_((bias - mean) / deviation)


def require_no_batch_norm(network: Network) -> None:
    """Refuse a network whose layers are normalized at each step anyway."""
    norms = [
        m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)
    ]
    require(not norms, "model", "one without batch norm for this start", "batch norm")
