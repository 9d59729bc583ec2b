"""Exhibits of gradients and active layers: ReLU-Nets, Conv-Nets, VGG-5, ResNet-18.

Source: Li & Banerjee (2021), Sections 1 and 5, Figures 1, 5, 6 and 17 to 20.
"""

import dataclasses
from typing import Any

from lazyrich_helpers.experiments.recipes import (
    Recipe,
    RecipeFunction,
    Scale,
    images_of,
    network_configs,
    relu_net_configs,
)
from lazyrich_helpers.measures.activity import Activity
from lazyrich_helpers.measures.criticality import Criticality
from lazyrich_helpers.measures.gradient_concentration import GradientConcentration
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.measures.reinit_curves import Reinit
from lazyrich_helpers.models.convnets import VGG5, ConvNet
from lazyrich_helpers.models.resnet import ResNet18
from lazyrich_helpers.training.optimizers import SGD

FIGURE_1 = {
    "smoke": Scale(
        dataset="digits", widths=(4,), seeds=(0,), lrs=(0.001,), num_epochs=1
    ),
    "laptop": Scale(
        dataset="digits", widths=(8,), seeds=(0,), lrs=(0.001,), num_epochs=5
    ),
    "paper": Scale(
        dataset="mnist",
        widths=(64,),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.001,),
        num_epochs=5,
        precision="medium",
    ),
}


def figure_1_vgg5(budget: str, **choices: Any) -> Recipe:
    """The sorted gradient of VGG-5 with batch norm, in the first epochs.

    Digits are enlarged to the 28 pixels that the network is made for.
    """
    scale = FIGURE_1[budget].choose(choices)
    return Recipe(
        name="figure-1-vgg5",
        budget=budget,
        configs=network_configs(
            lambda width: VGG5(width=width, batch_norm=True),
            scale,
            data=images_of(scale, 28 if scale.dataset == "digits" else None),
        ),
        measures=(Accuracy, GradientConcentration),
    )


def figure_1_resnet18(budget: str, **choices: Any) -> Recipe:
    """The sorted gradient of ResNet-18, in the first epochs; the paper's is CIFAR-10.

    SGD as the paper has it for CIFAR-10: learning rate 0.01, Nesterov momentum. Two
    epochs over a fifth of the images are what two CPU cores do in half an hour; a GPU
    affords more. Digits are enlarged to 16 pixels: at 8 the last maps are one pixel
    each, and most weights of a 3×3 kernel would meet only padding.
    """
    scale = FIGURE_1[budget].choose({"lrs": (0.01,)})
    if budget == "paper":
        scale = scale.choose({"dataset": "cifar10", "num_epochs": 2})
    scale = scale.choose(choices)
    if scale.dataset == "cifar10" and scale.train_size is None:
        scale = scale.choose({"train_size": 10_000})  # of 50,000
    return Recipe(
        name="figure-1-resnet18",
        budget=budget,
        configs=network_configs(
            lambda width: ResNet18(width=width),
            scale,
            optimizer=lambda lr: SGD(lr=lr),
            data=images_of(scale, 16 if scale.dataset == "digits" else None),
        ),
        measures=(Accuracy, GradientConcentration),
    )


FIGURE_5 = {
    "smoke": Scale(
        dataset="digits", widths=(8, 32), seeds=(0,), lrs=(0.001,), num_epochs=5
    ),
    "laptop": Scale(
        dataset="digits",
        widths=(10, 100, 500),
        seeds=(0,),
        lrs=(0.01,),
        num_epochs=20,
    ),
    "paper": Scale(
        dataset="mnist",
        widths=(10, 20, 50, 100, 200, 500, 1000),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.001,),
        num_epochs=100,
        precision="medium",
    ),
}


ACTIVITY = (Accuracy, Movement, Reinit, Activity, Criticality)


def figure_5(budget: str, **choices: Any) -> Recipe:
    """Where active parameters are in ReLU-Nets with four hidden layers (d = 4).

    The learning rate is the one best on held-out images at this depth.
    """
    scale = FIGURE_5[budget].choose(choices)
    return Recipe(
        name="figure-5",
        budget=budget,
        configs=relu_net_configs(4, scale),
        measures=ACTIVITY,
    )


FIGURE_6 = {
    "smoke": dataclasses.replace(FIGURE_5["smoke"], widths=(4, 8)),
    "laptop": Scale(
        dataset="digits", widths=(4, 20), seeds=(0,), lrs=(0.01,), num_epochs=10
    ),
    "paper": dataclasses.replace(
        FIGURE_5["paper"],
        widths=(5, 10, 20, 50),
        precision="highest",
    ),
}


def _conv_net_recipe(name: str, depth: int, budget: str, choices: Any) -> Recipe:
    scale = FIGURE_6[budget].choose(choices)
    return Recipe(
        name=name,
        budget=budget,
        configs=network_configs(lambda w: ConvNet(width=w, depth=depth), scale),
        measures=(Accuracy, Movement, Activity, Criticality),
    )


def figure_6(budget: str, **choices: Any) -> Recipe:
    """Where active parameters are in Conv-Nets with two convolutions (d = 2)."""
    return _conv_net_recipe("figure-6", 2, budget, choices)


def figure_17(budget: str, **choices: Any) -> Recipe:
    """Where active parameters are in Conv-Nets with four convolutions (d = 4)."""
    return _conv_net_recipe("figure-17", 4, budget, choices)


ACTIVITY_RECIPES: dict[str, RecipeFunction] = {
    "figure-1-resnet18": figure_1_resnet18,
    "figure-1-vgg5": figure_1_vgg5,
    "figure-17": figure_17,
    "figure-5": figure_5,
    "figure-6": figure_6,
}
"""Recipes of gradients and active layers, by name."""
