"""Section 6's exhibits of VGG-5, on MNIST; and other methods that freeze layers.

Source: Li & Banerjee (2021), Figures 7 to 12 and 21 to 23. The neighbouring methods
are those of `baselines`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from lazyrich_helpers.experiments.lws_recipes import (
    all_bottoms,
    ends,
    probabilistic,
    seed_by_seed,
    static,
)
from lazyrich_helpers.experiments.recipes import (
    Configs,
    exhibit,
    images_of,
    network_configs,
)
from lazyrich_helpers.experiments.scale import LwsScale, at_each
from lazyrich_helpers.lws.baselines import LISA, BAdam, FreezeOut, LayerFreezing
from lazyrich_helpers.lws.plans import UpdateSchedule
from lazyrich_helpers.lws.schedules import Full, TopKAllBottoms
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.times import Clock, StepTimes
from lazyrich_helpers.measures.updates import Updates
from lazyrich_helpers.models.convnets import VGG5, VGG5Blocks
from lazyrich_helpers.models.network import ModelPart
from lazyrich_helpers.training.run_config import Training

VGG5_LAYERS = 12
"""Weight layers of VGG-5."""
LEAST_ROUNDS = 3
"""Times that BAdam visits each of them, however short the training."""

LAPTOP = LwsScale(
    dataset="digits",
    widths=(8,),
    seeds=(0,),
    lrs=(0.003,),
    num_epochs=20,
    rhos=(0.1, 0.5),
    ks=(4,),
)
VGG5_SCALES = {
    "smoke": replace(LAPTOP, widths=(2,), num_epochs=2, train_size=200),
    "laptop": LAPTOP,
    "paper": LwsScale(
        dataset="mnist",
        widths=(64,),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.001,),
        num_epochs=100,
        precision="bf16",
        rhos=(0.1, 0.3, 0.5),
    ),
}
PAPER = VGG5_SCALES["paper"]
ONE_SEED = at_each(VGG5_SCALES, seeds=(0,))
NEIGHBOURS = at_each(VGG5_SCALES, ks=(1,), rhos=(0.1,), seeds=(13,))


def vgg5_configs(
    scale: LwsScale,
    updates: Sequence[UpdateSchedule] = (Full(),),
    model: Callable[..., ModelPart] = VGG5,
) -> Configs:
    """Return VGG-5 by every schedule; digits are enlarged to 16 pixels a side."""
    data = images_of(scale, digits_size=16)
    made = network_configs(model, scale, data=data, updates=updates)
    return seed_by_seed(made, scale)


@exhibit(VGG5_SCALES, Accuracy, Updates)
def figure_7_vgg5(scale: LwsScale) -> Configs:
    """VGG-5 of which fixed layers are trained: top, bottom, both, or the middle.

    The learning rate is the one best on held-out images; at the paper's 0.1 VGG-5
    without batch norm does not train.
    """
    return vgg5_configs(scale, static(scale))


@exhibit(at_each(VGG5_SCALES, ks=(1, 2)), Accuracy, Updates)
def figure_7_vgg5_blocks(scale: LwsScale) -> Configs:
    """VGG-5 of which fixed blocks are trained: 1 or 2 at an end, or the middle.

    As `figure_7_vgg5`, with its five blocks for layers.
    """
    return vgg5_configs(scale, static(scale), VGG5Blocks)


@exhibit(VGG5_SCALES, Accuracy, Updates)
def figure_10_vgg5(scale: LwsScale) -> Configs:
    """VGG-5 whose top layers are trained always, the others in random epochs."""
    return vgg5_configs(scale, probabilistic(scale, ends(scale)))


@exhibit(at_each(VGG5_SCALES, rhos=(0.1, 0.5)), Accuracy, Updates)
def all_bottoms_vgg5(scale: LwsScale) -> Configs:
    """VGG-5 trained whole, or in random epochs, and its top layers in all of them.

    The runs of figure-10-vgg5 that show its finding: few enough for the full width.
    """
    return vgg5_configs(scale, [Full(), *all_bottoms(scale)])


@exhibit(at_each(ONE_SEED, lrs=(0.1, 0.01, 0.001, 0.0001)), Accuracy, Updates)
def learning_rates_vgg5(scale: LwsScale) -> Configs:
    """Adam's learning rate for VGG-5 trained whole; the paper's is 0.1."""
    return vgg5_configs(scale)


FEW = {"train_size": 1280, "num_epochs": 1, "seeds": (0,)}
"""Training enough for a network whose steps are timed: ten steps of it."""


@exhibit(VGG5_SCALES | {"paper": replace(PAPER, **FEW)}, StepTimes)
def step_times_vgg5(scale: LwsScale) -> Configs:
    """What a step of VGG-5 takes with every set of layers of Section 6.

    Run it while the machine does nothing else.
    """
    return vgg5_configs(scale)


def with_baselines(scale: LwsScale) -> list[UpdateSchedule]:
    """Return full training, Layer-Wise Sparse training and its neighbours for VGG-5."""
    epochs = scale.num_epochs
    steps = math.ceil(images_of(scale).train_size / Training.batch_size)
    visit = epochs * steps // (LEAST_ROUNDS * VGG5_LAYERS)
    return [
        Full(),
        *(TopKAllBottoms(k=k, rho=rho) for k in scale.ks for rho in scale.rhos),
        FreezeOut(total_epochs=epochs, steps_per_epoch=steps),
        LayerFreezing(total_epochs=epochs),
        LISA(steps_per_epoch=steps),
        BAdam(
            steps_per_epoch=steps,
            switch_block_every=min(max(visit, 1), BAdam.switch_block_every),
            top_awake=True,
        ),
    ]


@exhibit(NEIGHBOURS, Accuracy, Updates, Clock)
def training_times_vgg5(scale: LwsScale) -> Configs:
    """How long VGG-5 trains whole, by our schedule and by four that freeze layers.

    All have the same images, initial values and optimizer: Adam at the rate best for
    full training. It is LISA's and BAdam's, less the weight decay; FreezeOut's authors
    have SGD. FreezeOut alone lowers its learning rate, to zero: what it gains by that
    is not owed to its frozen layers. The methods' own numbers are their authors', but
    that a short training switches BAdam's blocks sooner; and the top is trained
    throughout, as they advise for one that is not pretrained.

    Run it while the machine does nothing else. Seed 13 is the first that trains the
    bottom in exactly 10 of 100 epochs at ρ = 0.1, which is what ρ says.
    """
    return vgg5_configs(scale, with_baselines(scale))


VGG5_RECIPES = (
    all_bottoms_vgg5,
    figure_10_vgg5,
    figure_7_vgg5,
    figure_7_vgg5_blocks,
    learning_rates_vgg5,
    step_times_vgg5,
    training_times_vgg5,
)
