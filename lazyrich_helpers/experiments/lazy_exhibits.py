"""VGG-11 from richly to lazily trained, over the scale of its output.

Source: Chizat, Oyallon & Bach (2019), Section 3.3, as we remember its number, and its
code. Nothing of it is recorded here.
"""

import math
from dataclasses import replace

from lazyrich_helpers.experiments.recipes import Configs, exhibit
from lazyrich_helpers.experiments.scale import Scale
from lazyrich_helpers.experiments.vgg11_exhibits import vgg11_configs
from lazyrich_helpers.measures.laziness import Laziness
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.training.objectives import Scaled
from lazyrich_helpers.training.optimizers import HarmonicSGD

ALPHAS = (1.0, 10.0, 100.0, 1000.0)
"""Scales of the output. In fp32: at larger ones a step is lost in a weight's digits."""
LAPTOP = Scale(
    dataset="digits",
    widths=(8,),
    seeds=(0,),
    lrs=(0.1,),
    num_epochs=10,
    train_size=1000,
)
LAZY_SCALES = {
    "smoke": replace(LAPTOP, widths=(2,), num_epochs=1, train_size=200),
    "laptop": LAPTOP,
    "paper": Scale(
        dataset="cifar10",
        widths=(64,),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.2, 0.1, 0.03),
        num_epochs=70,
    ),
}
"""The paper's learning rate of 1, on its loss, is 0.2 on ours.

Its code averages squares over ten outputs; ours is half their sum. The loss is divided
by α², so that one learning rate moves the scaled output alike at every α."""
INIT = XavierNormal(gain=math.sqrt(2))
"""Between layers of one width it is He's rule. The paper's script has a gain of 1, at
which a narrow VGG-11 learned nothing here in ten epochs."""


@exhibit(LAZY_SCALES, Laziness)
def lazy_vgg11(scale: Scale) -> Configs:
    """VGG-11 with its outputs centred and multiplied by α, under the square loss.

    Chizat, Oyallon & Bach (2019) train it so on CIFAR-10, without batch norm and weight
    decay; their classifier is one layer, the one here is three.
    """
    return tuple(
        config
        for alpha in ALPHAS
        for config in vgg11_configs(
            scale,
            optimizer=HarmonicSGD,
            objective=Scaled(output_scale=alpha, loss_kind="square"),
            init=INIT,
        )
    )


LAZY_RECIPES = (lazy_vgg11,)
