"""Floating-point operations of a step, by what is recorded of each layer's weights.

Going forward a layer of weights W costs some F operations, as `layer_flops` counts
them. Going backward it costs F for the gradient of W, where the layer is trained, and F
for the gradient of its input, which the layers below need: not where none of those is
trained. A layer may hold several weights, one after the other, such as a block of
convolutions.

Source: Li & Banerjee (2021), Section 6.1, say the like in words; the count is ours.
"""

from collections.abc import Collection

from lazyrich_helpers.models.flops import Flops


def forward_flops(flops: Flops) -> int:
    """Return a step's operations forward, for one image; `flops` as `layer_flops`."""
    return sum(map(sum, flops))


def backward_flops(flops: Flops, trainable: Collection[int]) -> int:
    """Return a step's operations backward where only these layers are updated.

    In a residual block a second weight reads what the first does; then this counts a
    gradient of it too many in the lowest trainable layer.
    """
    weights = sum(sum(flops[layer]) for layer in trainable)
    lowest = min(trainable)
    inputs = sum(flops[lowest][1:]) + forward_flops(flops[lowest + 1 :])
    return weights + inputs


def backward_share(flops: Flops, trainable: Collection[int]) -> float:
    """Return `backward_flops` as a share of those of full training, 0 to 1."""
    return backward_flops(flops, trainable) / backward_flops(flops, range(len(flops)))


def step_share(flops: Flops, backward: float) -> float:
    """Return a step's operations as a share of full training's, from `backward`'s."""
    forward, full = forward_flops(flops), backward_flops(flops, range(len(flops)))
    return (forward + full * backward) / (forward + full)
