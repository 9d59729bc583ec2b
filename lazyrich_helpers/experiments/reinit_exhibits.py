"""Section 4's exhibits: ReLU-Nets, re-initialized after training.

Source: Li & Banerjee (2021), Figures 2 to 4 and 13 to 16.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.recipes import (
    Recipe,
    RecipeFunction,
    Scale,
    adam,
    network_configs,
    relu_net_configs,
)
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.measures.random_reset import RandomReset
from lazyrich_helpers.measures.reinit_curves import Reinit, WeightsReinit
from lazyrich_helpers.models.initialization import LITERAL_GAIN, XavierNormal
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.training.optimizers import SGD, DecayedAdam, OptimizerPart

FIGURE_2 = {
    "smoke": Scale(
        dataset="digits", widths=(8, 64), seeds=(0, 1), lrs=(0.1,), num_epochs=5
    ),
    "laptop": Scale(
        dataset="digits",
        widths=(10, 100, 1000),
        seeds=(0, 1, 2),
        lrs=(0.1,),
        num_epochs=20,
    ),
    "paper": Scale(
        dataset="mnist",
        widths=(10, 100, 1000, 10_000, 100_000),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.1, 0.01, 0.001),
        num_epochs=100,
        precision="medium",
    ),
}


def figure_2(budget: str, **choices: Any) -> Recipe:
    """Re-initialization of ReLU-Nets with one hidden layer (d = 1)."""
    scale = FIGURE_2[budget].choose(choices)
    return Recipe(
        name="figure-2",
        budget=budget,
        configs=relu_net_configs(1, scale),
        measures=(Accuracy, Movement, Reinit),
    )


READINGS = {
    "smoke": FIGURE_2["smoke"],
    "laptop": dataclasses.replace(FIGURE_2["laptop"], widths=(10, 1000)),
    "paper": dataclasses.replace(
        FIGURE_2["paper"],
        widths=(10, 1000),
        lrs=(0.1, 0.001),
        precision="highest",
    ),
}


def readings(budget: str, **choices: Any) -> Recipe:
    """Figure 2 by other readings of the text: smaller weights, biases apart.

    Each has `figure_2`'s networks, multiplied by torch's default code: fp32 as there,
    rounded otherwise. Half of them start from the printed variance read literally; and
    in all of them the curves are also taken with the weights alone. The reading in
    bf16 is `figure_2` with that precision.
    """
    scale = READINGS[budget].choose(choices)
    literal = XavierNormal(gain=LITERAL_GAIN)
    return Recipe(
        name="readings",
        budget=budget,
        configs=(
            *relu_net_configs(1, scale),
            *relu_net_configs(1, scale, init=literal),
        ),
        measures=(Accuracy, Movement, Reinit, WeightsReinit),
    )


FIGURE_3 = {
    "smoke": Scale(
        dataset="digits", widths=(8, 32), seeds=(0,), lrs=(0.01,), num_epochs=5
    ),
    "laptop": Scale(
        dataset="digits",
        widths=(10, 100, 500),
        seeds=(0, 1),
        lrs=(0.01,),
        num_epochs=20,
    ),
    "paper": Scale(
        dataset="mnist",
        widths=(10, 100, 1000, 5000),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.1, 0.01, 0.001),
        num_epochs=100,
        precision="medium",
    ),
}


def figure_3(budget: str, **choices: Any) -> Recipe:
    """Re-initialization of ReLU-Nets with four hidden layers (d = 4)."""
    scale = FIGURE_3[budget].choose(choices)
    return Recipe(
        name="figure-3",
        budget=budget,
        configs=relu_net_configs(4, scale),
        measures=(Accuracy, Movement, Reinit),
    )


CAUSES = {
    "smoke": dataclasses.replace(FIGURE_2["smoke"], precision="highest"),
    "laptop": dataclasses.replace(FIGURE_2["laptop"], widths=(10, 1000), seeds=(0,)),
    "paper": dataclasses.replace(
        FIGURE_2["paper"], widths=(10, 100, 1000), precision="highest"
    ),
}
PLAIN_LRS, MOMENTUM_LRS = (0.1, 1.0), (0.01, 0.1)
"""Of SGD without and with momentum: as good as Adam at 0.001, and ten times that."""


def causes(budget: str, **choices: Any) -> Recipe:
    """Why the plunge at large steps: other optimizers, and random parameters reset.

    Adam at the paper's rate and at the one best on held-out images; Adam at the paper's
    decayed to 0; SGD with and without momentum, each at a rate that reaches what Adam
    does at its best, and at ten times that. Choices leave the learning rates alone.
    """
    require("lrs" not in choices, "lrs", "left out: causes has its own", choices)
    scale = CAUSES[budget].choose(choices)

    def nets(lrs: tuple[float, ...], optimizer: Callable[[float], OptimizerPart]):
        return network_configs(
            lambda width: ReluNet(width=width, depth=1),
            scale.choose({"lrs": lrs}),
            optimizer=optimizer,
        )

    def sgd(momentum: float) -> Callable[[float], OptimizerPart]:
        plain = SGD(momentum=momentum, weight_decay=0.0, lr_decay=1.0)
        return lambda lr: dataclasses.replace(plain, lr=lr)

    def decayed(lr: float) -> OptimizerPart:
        return DecayedAdam(lr=lr, decay_epochs=scale.num_epochs)

    return Recipe(
        name="causes",
        budget=budget,
        configs=(
            *nets((0.1, 0.001), adam),
            *nets((0.1,), decayed),
            *nets(PLAIN_LRS, sgd(momentum=0.0)),
            *nets(MOMENTUM_LRS, sgd(momentum=0.9)),
        ),
        measures=(Accuracy, Movement, Reinit, RandomReset),
    )


LEARNING_RATES = {
    "smoke": Scale(
        dataset="digits", widths=(16,), seeds=(0,), lrs=(0.1, 0.001), num_epochs=5
    ),
    "laptop": Scale(
        dataset="digits",
        widths=(10, 100),
        seeds=(0,),
        lrs=(0.1, 0.01, 0.001, 0.0001),
        num_epochs=20,
    ),
    "paper": Scale(
        dataset="mnist",
        widths=(10, 100, 1000),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.1, 0.01, 0.001, 0.0001),
        num_epochs=100,
        precision="medium",
    ),
}


def learning_rates(budget: str, **choices: Any) -> Recipe:
    """Adam's learning rate by width and depth (d = 1 and 4); the paper's is 0.1."""
    scale = LEARNING_RATES[budget].choose(choices)
    return Recipe(
        name="learning-rates",
        budget=budget,
        configs=(*relu_net_configs(1, scale), *relu_net_configs(4, scale)),
        measures=(Accuracy,),
    )


REINIT_RECIPES: dict[str, RecipeFunction] = {
    "causes": causes,
    "figure-2": figure_2,
    "figure-3": figure_3,
    "learning-rates": learning_rates,
    "readings": readings,
}
"""Section 4's recipes, by name."""
