"""Section 6's exhibits of VGG-5, on MNIST.

Source: Li & Banerjee (2021), Figures 7 to 12 and 21 to 23.
"""

from collections.abc import Callable, Sequence
from typing import Any

from lazyrich_helpers.experiments.lws_recipes import (
    FEW,
    all_bottoms,
    ends,
    lws_recipe,
    probabilistic,
    static,
)
from lazyrich_helpers.experiments.recipes import (
    Recipe,
    RecipeFunction,
    images_of,
)
from lazyrich_helpers.experiments.scale import LwsScale
from lazyrich_helpers.lws.schedules import (
    Full,
    UpdateSchedule,
)
from lazyrich_helpers.measures.step_times import StepTimes
from lazyrich_helpers.models.convnets import VGG5, VGG5Blocks
from lazyrich_helpers.models.network import ModelPart

VGG5_SCALES = {
    "smoke": LwsScale(
        dataset="digits",
        widths=(2,),
        seeds=(0,),
        lrs=(0.003,),
        num_epochs=2,
        train_size=200,
        rhos=(0.1, 0.5),
        ks=(4,),
    ),
    "laptop": LwsScale(
        dataset="digits",
        widths=(8,),
        seeds=(0,),
        lrs=(0.003,),
        num_epochs=20,
        rhos=(0.1, 0.5),
        ks=(4,),
    ),
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


def vgg5_recipe(
    name: str,
    budget: str,
    scale: LwsScale,
    updates: Sequence[UpdateSchedule],
    model: Callable[[int], ModelPart] = lambda width: VGG5(width=width),
    **options: Any,
) -> Recipe:
    """Return a recipe of VGG-5; digits are enlarged to 16 pixels a side."""
    return lws_recipe(
        name,
        budget,
        scale,
        updates,
        model=model,
        data=images_of(scale, 16 if scale.dataset == "digits" else None),
        **options,
    )


def figure_7_vgg5(budget: str, **choices: Any) -> Recipe:
    """VGG-5 of which fixed layers are trained: top, bottom, both, or the middle.

    The learning rate is the one best on held-out images; at the paper's 0.1 VGG-5
    without batch norm does not train.
    """
    scale = VGG5_SCALES[budget].choose(choices)
    return vgg5_recipe("figure-7-vgg5", budget, scale, static(scale))


def figure_7_vgg5_blocks(budget: str, **choices: Any) -> Recipe:
    """VGG-5 of which fixed blocks are trained: 1 or 2 at an end, or the middle.

    As `figure_7_vgg5`, with its five blocks for layers.
    """
    scale = VGG5_SCALES[budget].choose({"ks": (1, 2)}).choose(choices)
    return vgg5_recipe(
        "figure-7-vgg5-blocks",
        budget,
        scale,
        static(scale),
        model=lambda width: VGG5Blocks(width=width),
    )


def figure_10_vgg5(budget: str, **choices: Any) -> Recipe:
    """VGG-5 whose top layers are trained always, the others in random epochs."""
    scale = VGG5_SCALES[budget].choose(choices)
    updates = probabilistic(scale, ends(scale))
    return vgg5_recipe("figure-10-vgg5", budget, scale, updates)


def all_bottoms_vgg5(budget: str, **choices: Any) -> Recipe:
    """VGG-5 trained whole, or in random epochs, and its top layers in all of them.

    The runs of figure-10-vgg5 that show its finding: few enough for the full width.
    """
    few = {"rhos": (0.1, 0.5)} if budget == "paper" else {}
    scale = VGG5_SCALES[budget].choose(few).choose(choices)
    return vgg5_recipe("all-bottoms-vgg5", budget, scale, [Full(), *all_bottoms(scale)])


def learning_rates_vgg5(budget: str, **choices: Any) -> Recipe:
    """Adam's learning rate for VGG-5 trained whole; the paper's is 0.1."""
    scale = VGG5_SCALES[budget].choose({"lrs": (0.1, 0.01, 0.001, 0.0001)})
    scale = scale.choose({"seeds": (0,)}).choose(choices)
    return vgg5_recipe("learning-rates-vgg5", budget, scale, [Full()])


def step_times_vgg5(budget: str, **choices: Any) -> Recipe:
    """What a step of VGG-5 takes with every set of layers of Section 6.

    Run it while the machine does nothing else.
    """
    scale = VGG5_SCALES[budget].choose(FEW if budget == "paper" else {})
    scale = scale.choose(choices)
    return vgg5_recipe(
        "step-times-vgg5", budget, scale, [Full()], measures=(StepTimes,)
    )


VGG5_RECIPES: dict[str, RecipeFunction] = {
    "all-bottoms-vgg5": all_bottoms_vgg5,
    "figure-10-vgg5": figure_10_vgg5,
    "figure-7-vgg5": figure_7_vgg5,
    "figure-7-vgg5-blocks": figure_7_vgg5_blocks,
    "learning-rates-vgg5": learning_rates_vgg5,
    "step-times-vgg5": step_times_vgg5,
}
"""Section 6's recipes of VGG-5, by name."""
