"""Exhibits of gradients and active layers: ReLU-Nets, Conv-Nets, VGG-5, ResNet-18.

Source: Li & Banerjee (2021), Sections 1 and 5, Figures 1, 5, 6 and 17 to 20.
"""

import functools
from dataclasses import replace

from lazyrich_helpers.experiments.recipes import (
    Configs,
    exhibit,
    images_of,
    network_configs,
    relu_net_configs,
)
from lazyrich_helpers.experiments.scale import LAPTOP, PAPER, SMOKE, Scale, at_each
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
    "smoke": replace(SMOKE, widths=(4,), lrs=(0.001,), num_epochs=1),
    "laptop": replace(LAPTOP, widths=(8,), lrs=(0.001,), num_epochs=5),
    "paper": replace(PAPER, widths=(64,), lrs=(0.001,), num_epochs=5),
}
RESNET18 = at_each(FIGURE_1, lrs=(0.01,))
RESNET18["paper"] = replace(RESNET18["paper"], dataset="cifar10", num_epochs=2)
FIGURE_5 = {
    "smoke": replace(SMOKE, widths=(8, 32), lrs=(0.001,)),
    "laptop": replace(LAPTOP, widths=(10, 100, 500)),
    "paper": replace(PAPER, widths=(10, 20, 50, 100, 200, 500, 1000), lrs=(0.001,)),
}
FIGURE_6 = {
    "smoke": replace(FIGURE_5["smoke"], widths=(4, 8)),
    "laptop": replace(LAPTOP, widths=(4, 20), num_epochs=10),
    "paper": replace(FIGURE_5["paper"], widths=(5, 10, 20, 50), precision="highest"),
}


@exhibit(FIGURE_1, Accuracy, GradientConcentration)
def figure_1_vgg5(scale: Scale) -> Configs:
    """The sorted gradient of VGG-5 with batch norm, in the first epochs.

    Digits are enlarged to the 28 pixels that the network is made for.
    """
    data = images_of(scale, digits_size=28)
    return network_configs(functools.partial(VGG5, batch_norm=True), scale, data=data)


@exhibit(RESNET18, Accuracy, GradientConcentration)
def figure_1_resnet18(scale: Scale) -> Configs:
    """The sorted gradient of ResNet-18, in the first epochs; the paper's is CIFAR-10.

    SGD as the paper has it for CIFAR-10: learning rate 0.01, Nesterov momentum. Two
    epochs over a fifth of the images are what two CPU cores do in half an hour; a GPU
    affords more. Digits are enlarged to 16 pixels: at 8 the last maps are one pixel
    each, and most weights of a 3×3 kernel would meet only padding.
    """
    if scale.dataset == "cifar10" and scale.train_size is None:
        scale = replace(scale, train_size=10_000)  # of 50,000
    data = images_of(scale, digits_size=16)
    return network_configs(ResNet18, scale, optimizer=SGD, data=data)


@exhibit(FIGURE_5, Accuracy, Movement, Reinit, Activity, Criticality)
def figure_5(scale: Scale) -> Configs:
    """Where active parameters are in ReLU-Nets with four hidden layers (d = 4).

    The learning rate is the one best on held-out images at this depth.
    """
    return relu_net_configs(4, scale)


@exhibit(FIGURE_6, Accuracy, Movement, Activity, Criticality)
def figure_6(scale: Scale) -> Configs:
    """Where active parameters are in Conv-Nets with two convolutions (d = 2)."""
    return network_configs(functools.partial(ConvNet, depth=2), scale)


@exhibit(FIGURE_6, Accuracy, Movement, Activity, Criticality)
def figure_17(scale: Scale) -> Configs:
    """Where active parameters are in Conv-Nets with four convolutions (d = 4)."""
    return network_configs(functools.partial(ConvNet, depth=4), scale)


ACTIVITY_RECIPES = (figure_1_resnet18, figure_1_vgg5, figure_17, figure_5, figure_6)
