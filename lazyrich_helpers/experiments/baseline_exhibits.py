"""Layer-Wise Sparse training beside the four methods of `baselines`, on VGG-5."""

import math
from typing import Any

from lazyrich_helpers.experiments.recipes import Recipe, RecipeFunction, images_of
from lazyrich_helpers.experiments.scale import LwsScale
from lazyrich_helpers.experiments.vgg5_exhibits import VGG5_SCALES, vgg5_recipe
from lazyrich_helpers.lws.baselines import LISA, BAdam, FreezeOut, LayerFreezing
from lazyrich_helpers.lws.schedules import Full, TopKAllBottoms, UpdateSchedule
from lazyrich_helpers.measures.clock import Clock
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.updates import Updates
from lazyrich_helpers.training.run_config import Training

VGG5_LAYERS = 12
"""Weight layers of VGG-5."""
LEAST_ROUNDS = 3
"""Times that BAdam visits each of them, however short the training."""


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


def neighbours_vgg5(budget: str, **choices: Any) -> Recipe:
    """VGG-5 by four other methods that leave layers asleep, beside ours.

    All have the same images, initial values and optimizer: Adam at the rate best for
    full training. It is LISA's and BAdam's, less the weight decay; FreezeOut's authors
    have SGD. FreezeOut alone lowers its learning rate, to zero: what it gains by that
    is not owed to its sleeping layers. The methods' own numbers are their authors', but
    that a short training switches BAdam's blocks sooner; and the top is awake
    throughout, as they advise for one that is not pretrained.
    """
    scale = VGG5_SCALES[budget].choose({"ks": (1,), "rhos": (0.1,)}).choose(choices)
    return vgg5_recipe("neighbours-vgg5", budget, scale, with_baselines(scale))


def training_times_vgg5(budget: str, **choices: Any) -> Recipe:
    """How long the trainings of `neighbours_vgg5` take.

    Run it while the machine does nothing else. Seed 13 is the first that wakes the
    bottom in exactly 10 of 100 epochs at ρ = 0.1, which is what ρ says.
    """
    scale = VGG5_SCALES[budget].choose({"ks": (1,), "rhos": (0.1,), "seeds": (13,)})
    scale = scale.choose(choices)
    updates, measures = with_baselines(scale), (Accuracy, Updates, Clock)
    return vgg5_recipe("training-times-vgg5", budget, scale, updates, measures=measures)


BASELINE_RECIPES: dict[str, RecipeFunction] = {
    "neighbours-vgg5": neighbours_vgg5,
    "training-times-vgg5": training_times_vgg5,
}
"""The baselines' recipes, by name."""
