"""Section 6's exhibits of VGG-11, on CIFAR-10.

Source: Li & Banerjee (2021), Figures 7 and 21, and Table 1.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.remaining import remaining
from lazyrich_helpers.experiments.lws_recipes import (
    FEW,
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
from lazyrich_helpers.experiments.vgg5_exhibits import VGG5_SCALES
from lazyrich_helpers.lws.schedules import (
    Full,
    TopKAllBottoms,
    UpdateSchedule,
)
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.step_times import StepTimes
from lazyrich_helpers.models.convnets import VGG11
from lazyrich_helpers.models.imagenet import ImageNetVGG11
from lazyrich_helpers.models.weights_file import UNKNOWN, WeightsFile
from lazyrich_helpers.training.optimizers import SGD
from lazyrich_helpers.training.run_config import RunConfig

VGG11_SCALES = {
    "smoke": VGG5_SCALES["smoke"].choose({"lrs": (0.01,)}),
    "laptop": VGG5_SCALES["laptop"].choose({"lrs": (0.01,)}),
    "paper": LwsScale(
        dataset="cifar10",
        widths=(64,),
        seeds=(0, 1, 2, 3, 4),
        lrs=(0.01,),
        num_epochs=180,
        precision="bf16",
    ),
}


IMAGENET_SCALES = {  # its weights fit one network, and colour images alone
    "smoke": VGG11_SCALES["smoke"].choose(
        {"dataset": "cifar10", "widths": (64,), "num_epochs": 1}
    ),
    "laptop": VGG11_SCALES["laptop"].choose(
        {"dataset": "cifar10", "widths": (64,), "num_epochs": 5, "train_size": 1000}
    ),
    "paper": VGG11_SCALES["paper"],
}


STANDIN_SCALES = {  # at most a fifth of the images: see `PRETRAIN_TIMES`
    "smoke": VGG11_SCALES["smoke"],
    "laptop": VGG11_SCALES["laptop"].choose({"train_size": 240}),
    "paper": VGG11_SCALES["paper"].choose({"train_size": 10_000}),
}


PRETRAIN_TIMES = 3
"""Images that a network is pre-trained on, for each that it is then trained on. With
as many again held out, a fifth of CIFAR-10 is the most that can be trained on."""


STANDINS: dict[str, str] = {}
"""File in `book/weights` → first digits of its SHA-256. None has been made yet."""


def _vgg11(
    name: str,
    budget: str,
    scale: LwsScale,
    updates: Sequence[UpdateSchedule],
    *,
    num_views: int = 0,
    **options: Any,
) -> Recipe:
    """Return a recipe of VGG-11; colour images are shifted, digits are enlarged."""
    data = images_of(scale, 16 if scale.dataset == "digits" else None)
    if scale.dataset == "cifar10":
        fields = {f.name: getattr(data, f.name) for f in dataclasses.fields(data)}
        data = CroppedImages(**fields, num_views=num_views)
    return lws_recipe(
        name,
        budget,
        scale,
        updates,
        model=lambda width: VGG11(width=width),
        data=data,
        optimizer=lambda lr: SGD(lr=lr),
        **options,
    )


def figure_7_vgg11(budget: str, **choices: Any) -> Recipe:
    """VGG-11 of which fixed layers are trained: top, bottom, both, or the middle."""
    scale = VGG11_SCALES[budget].choose(choices)
    return _vgg11("figure-7-vgg11", budget, scale, static(scale))


def table_1(budget: str, **choices: Any) -> Recipe:
    """VGG-11 whose top layers are trained always, the others in random epochs.

    Table 1's rows that start from Xavier's initialization.
    """
    scale = VGG11_SCALES[budget].choose(choices)
    return _vgg11("table-1", budget, scale, probabilistic(scale, [max(scale.ks)]))


def table_1_pretrained(budget: str, **choices: Any) -> Recipe:
    """As table-1, from ImageNet's weights; colour images at width 64 alone.

    Table 1's rows that start from a pre-trained network. The smaller budgets are that
    network on few images: minutes for a run on a CPU.
    """
    scale = IMAGENET_SCALES[budget].choose(choices)
    updates = probabilistic(scale, [max(scale.ks)])
    init = ImageNetVGG11()
    return _vgg11("table-1-pretrained", budget, scale, updates, init=init)


def table_1_standin(budget: str, **choices: Any) -> Recipe:
    """As table-1, from networks pre-trained here: a stand-in for ImageNet's weights.

    They are pre-trained on other images of the same classes, which is not what the
    paper did: see `make_weights`. Their files are listed in `STANDINS`.
    """
    scale = STANDIN_SCALES[budget].choose(choices)
    updates = probabilistic(scale, [max(scale.ks)])
    plain = _vgg11("table-1-standin", budget, scale, updates)
    starts = ((config, _standin(config)) for config in plain.configs)
    configs = tuple(dataclasses.replace(config, init=start) for config, start in starts)
    return dataclasses.replace(plain, configs=configs)


def _standin(config: RunConfig) -> WeightsFile:
    """Return the file made for such a network, and for images that it left out."""
    columns = config.columns()
    parts = (columns["dataset"], columns["train_size"], f"w{columns['width']}")
    file = f"vgg11-{'-'.join(map(str, parts))}.pt"
    return WeightsFile(file=file, sha256=STANDINS.get(file, UNKNOWN))


def pretrain_standin(budget: str, **choices: Any) -> Recipe:
    """VGG-11 trained whole on images that table-1-standin leaves out.

    Its runs' weights are what `make_weights` makes the files of `STANDINS` from.
    """
    scale = STANDIN_SCALES[budget].choose({"seeds": (0,)}).choose(choices)
    plain = _vgg11("pretrain-standin", budget, scale, [Full()], measures=(Accuracy,))
    configs = tuple(
        dataclasses.replace(
            config,
            data=remaining(
                config.data, PRETRAIN_TIMES * config.columns()["train_size"]
            ),
        )
        for config in plain.configs
    )
    return dataclasses.replace(plain, configs=configs)


VIEWS = (0, 4, 16)
"""Fixed draws of each shifted image; 0 draws anew at every step."""


def kept_views_vgg11(budget: str, **choices: Any) -> Recipe:
    """VGG-11 on a few fixed views of each image, of which the bottom's work is kept.

    Table 1's cheapest row, top 4 all bottoms at its smallest probability, from each of
    `VIEWS`. Only colour images are shifted: others have no views.
    """
    scale = VGG11_SCALES[budget].choose(choices)
    updates = [TopKAllBottoms(k=max(scale.ks), rho=min(scale.rhos))]
    made = [
        _vgg11("kept-views-vgg11", budget, scale, updates, num_views=num)
        for num in (VIEWS if scale.dataset == "cifar10" else VIEWS[:1])
    ]
    configs = tuple(config for recipe in made for config in recipe.configs)
    return dataclasses.replace(made[0], configs=configs)


def step_times_vgg11(budget: str, **choices: Any) -> Recipe:
    """What a step of VGG-11 takes with every set of layers of Section 6.

    Run it while the machine does nothing else.
    """
    scale = VGG11_SCALES[budget].choose(FEW if budget == "paper" else {})
    scale = scale.choose(choices)
    return _vgg11("step-times-vgg11", budget, scale, [Full()], measures=(StepTimes,))


VGG11_RECIPES: dict[str, RecipeFunction] = {
    "figure-7-vgg11": figure_7_vgg11,
    "kept-views-vgg11": kept_views_vgg11,
    "pretrain-standin": pretrain_standin,
    "step-times-vgg11": step_times_vgg11,
    "table-1": table_1,
    "table-1-pretrained": table_1_pretrained,
    "table-1-standin": table_1_standin,
}
"""Section 6's recipes of VGG-11, by name."""
