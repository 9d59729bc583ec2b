"""Section 4's exhibits: ReLU-Nets, re-initialized after training.

Source: Li & Banerjee (2021), Figures 2 to 4 and 13 to 16.
"""

import functools
from dataclasses import replace

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.recipes import Configs, exhibit, relu_net_configs
from lazyrich_helpers.experiments.scale import LAPTOP, PAPER, SMOKE, Scale
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.measures.reinit_curves import RandomReset, Reinit, WeightsReinit
from lazyrich_helpers.models.initialization import LITERAL_GAIN, XavierNormal
from lazyrich_helpers.training.optimizers import SGD, Adam, DecayedAdam

FIGURE_2 = {
    "smoke": replace(SMOKE, widths=(8, 64), seeds=(0, 1), lrs=(0.1,)),
    "laptop": replace(LAPTOP, widths=(10, 100, 1000), seeds=(0, 1, 2), lrs=(0.1,)),
    "paper": replace(PAPER, widths=(10, 100, 1000, 10_000, 100_000)),
}
FIGURE_3 = {
    "smoke": replace(SMOKE, widths=(8, 32)),
    "laptop": replace(LAPTOP, widths=(10, 100, 500), seeds=(0, 1)),
    "paper": replace(PAPER, widths=(10, 100, 1000, 5000)),
}
ADAM_LRS, PLAIN_LRS, MOMENTUM_LRS = (0.1, 0.001), (0.1, 1.0), (0.01, 0.1)
"""Of Adam in `causes`, and of SGD without and with momentum: as good as Adam at 0.001,
and ten times that."""
READINGS = {
    "smoke": FIGURE_2["smoke"],
    "laptop": replace(FIGURE_2["laptop"], widths=(10, 1000)),
    "paper": replace(PAPER, widths=(10, 1000), lrs=(0.1, 0.001), precision="highest"),
}
CAUSES = {
    "smoke": replace(FIGURE_2["smoke"], lrs=ADAM_LRS),
    "laptop": replace(READINGS["laptop"], seeds=(0,), lrs=ADAM_LRS),
    "paper": replace(PAPER, lrs=ADAM_LRS, precision="highest"),
}
LEARNING_RATES = {
    "smoke": replace(SMOKE, widths=(16,), lrs=(0.1, 0.001)),
    "laptop": replace(LAPTOP, lrs=(0.1, 0.01, 0.001, 0.0001)),
    "paper": replace(PAPER, lrs=(0.1, 0.01, 0.001, 0.0001)),
}


@exhibit(FIGURE_2, Accuracy, Movement, Reinit)
def figure_2(scale: Scale) -> Configs:
    """Re-initialization of ReLU-Nets with one hidden layer (d = 1)."""
    return relu_net_configs(1, scale)


@exhibit(FIGURE_3, Accuracy, Movement, Reinit)
def figure_3(scale: Scale) -> Configs:
    """Re-initialization of ReLU-Nets with four hidden layers (d = 4)."""
    return relu_net_configs(4, scale)


@exhibit(READINGS, Accuracy, Movement, Reinit, WeightsReinit)
def readings(scale: Scale) -> Configs:
    """Figure 2 by other readings of the text: smaller weights, biases apart.

    Each has `figure_2`'s networks, multiplied by torch's default code: fp32 as there,
    rounded otherwise. Half of them start from the printed variance read literally; and
    in all of them the curves are also taken with the weights alone. The reading in
    bf16 is `figure_2` with that precision.
    """
    literal = XavierNormal(gain=LITERAL_GAIN)
    return relu_net_configs(1, scale) + relu_net_configs(1, scale, init=literal)


@exhibit(LEARNING_RATES, Accuracy)
def learning_rates(scale: Scale) -> Configs:
    """Adam's learning rate by width and depth (d = 1 and 4); the paper's is 0.1."""
    return relu_net_configs(1, scale) + relu_net_configs(4, scale)


@exhibit(CAUSES, Accuracy, Movement, Reinit, RandomReset)
def causes(scale: Scale) -> Configs:
    """Why the plunge at large steps: other optimizers, and random parameters reset.

    Adam at the paper's rate and at the one best on held-out images; Adam at the paper's
    decayed to 0; SGD with and without momentum, each at a rate that reaches what Adam
    does at its best, and at ten times that. Choices leave the learning rates alone.
    """
    require(scale.lrs == ADAM_LRS, "lrs", "left out: causes has its own", scale.lrs)
    sgd = functools.partial(SGD, weight_decay=0.0, lr_decay=1.0)
    trainings = (
        (Adam, ADAM_LRS),
        (functools.partial(DecayedAdam, decay_epochs=scale.num_epochs), ADAM_LRS[:1]),
        (functools.partial(sgd, momentum=0.0), PLAIN_LRS),
        (functools.partial(sgd, momentum=0.9), MOMENTUM_LRS),
    )
    return tuple(
        config
        for optimizer, lrs in trainings
        for config in relu_net_configs(1, replace(scale, lrs=lrs), optimizer=optimizer)
    )


REINIT_RECIPES = (causes, figure_2, figure_3, learning_rates, readings)
