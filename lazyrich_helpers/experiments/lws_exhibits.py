"""Section 6's exhibits: Layer-Wise Sparse training of VGG-5 and VGG-11.

Source: Li & Banerjee (2021), Figures 7 to 12 and 21 to 23, and Table 1.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.datasets import DataPart
from lazyrich_helpers.data.remaining import remaining
from lazyrich_helpers.experiments.recipes import (
    XAVIER,
    Recipe,
    RecipeFunction,
    adam,
    images_of,
    network_configs,
)
from lazyrich_helpers.experiments.scale import LwsScale
from lazyrich_helpers.lws.schedules import (
    BottomQ,
    Full,
    Middle,
    RandomBeta,
    RandomUniform,
    TopBottom,
    TopK,
    TopKAllBottoms,
    TopKBottomQ,
    UpdateSchedule,
)
from lazyrich_helpers.measures.measure import Accuracy, Measure
from lazyrich_helpers.measures.step_times import StepTimes
from lazyrich_helpers.measures.updates import Updates
from lazyrich_helpers.models.convnets import VGG5, VGG11, VGG5Blocks
from lazyrich_helpers.models.imagenet import ImageNetVGG11
from lazyrich_helpers.models.initialization import InitPart
from lazyrich_helpers.models.network import ModelPart
from lazyrich_helpers.models.weights_file import UNKNOWN, WeightsFile
from lazyrich_helpers.training.optimizers import SGD, OptimizerPart
from lazyrich_helpers.training.run_config import RunConfig


def static(scale: LwsScale) -> list[UpdateSchedule]:
    """Return full training and the schedules of Section 6.1."""
    return [
        Full(),
        *(TopK(k=k) for k in scale.ks),
        *(BottomQ(q=q) for q in scale.ks),
        *(TopBottom(k=k, q=k) for k in scale.ks),
        Middle(),
    ]


def all_bottoms(scale: LwsScale) -> list[UpdateSchedule]:
    """Return top k all bottoms at each ρ, k the ends of `ks`."""
    return [TopKAllBottoms(k=k, rho=rho) for k in ends(scale) for rho in scale.rhos]


def probabilistic(scale: LwsScale, qs: Iterable[int]) -> list[UpdateSchedule]:
    """Return full training and the schedules of Section 6.2, k the ends of `ks`."""
    return [
        Full(),
        RandomUniform(),
        RandomBeta(),
        *all_bottoms(scale),
        *(
            TopKBottomQ(k=k, q=q, rho=rho)
            for k in ends(scale)
            for q in qs
            for rho in scale.rhos
        ),
    ]


def ends(scale: LwsScale) -> list[int]:
    """Return the smallest and the largest of `ks`, once where they are the same."""
    return sorted({min(scale.ks), max(scale.ks)})


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


def _recipe(
    name: str,
    budget: str,
    scale: LwsScale,
    updates: Sequence[UpdateSchedule],
    *,
    model: Callable[[int], ModelPart],
    data: DataPart,
    optimizer: Callable[[float], OptimizerPart] = adam,
    measures: tuple[type[Measure], ...] = (Accuracy, Updates),
    init: InitPart = XAVIER,
) -> Recipe:
    """Return every schedule with the first seed, then with the next."""
    configs = [
        config
        for seed in scale.seeds
        for config in network_configs(
            model,
            dataclasses.replace(scale, seeds=(seed,)),
            data=data,
            optimizer=optimizer,
            updates=updates,
            init=init,
        )
    ]
    return Recipe(name=name, budget=budget, configs=tuple(configs), measures=measures)


def vgg5_recipe(
    name: str,
    budget: str,
    scale: LwsScale,
    updates: Sequence[UpdateSchedule],
    model: Callable[[int], ModelPart] = lambda width: VGG5(width=width),
    **options: Any,
) -> Recipe:
    """Return a recipe of VGG-5; digits are enlarged to 16 pixels a side."""
    return _recipe(
        name,
        budget,
        scale,
        updates,
        model=model,
        data=images_of(scale, 16 if scale.dataset == "digits" else None),
        **options,
    )


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
    return _recipe(
        name,
        budget,
        scale,
        updates,
        model=lambda width: VGG11(width=width),
        data=data,
        optimizer=lambda lr: SGD(lr=lr),
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


def figure_7_vgg11(budget: str, **choices: Any) -> Recipe:
    """VGG-11 of which fixed layers are trained: top, bottom, both, or the middle."""
    scale = VGG11_SCALES[budget].choose(choices)
    return _vgg11("figure-7-vgg11", budget, scale, static(scale))


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


def learning_rates_vgg5(budget: str, **choices: Any) -> Recipe:
    """Adam's learning rate for VGG-5 trained whole; the paper's is 0.1."""
    scale = VGG5_SCALES[budget].choose({"lrs": (0.1, 0.01, 0.001, 0.0001)})
    scale = scale.choose({"seeds": (0,)}).choose(choices)
    return vgg5_recipe("learning-rates-vgg5", budget, scale, [Full()])


FEW = {"train_size": 1280, "num_epochs": 1, "seeds": (0,)}
"""Training enough for a network whose steps are timed: ten steps of it."""


def step_times_vgg5(budget: str, **choices: Any) -> Recipe:
    """What a step of VGG-5 takes with every set of layers of Section 6.

    Run it while the machine does nothing else.
    """
    scale = VGG5_SCALES[budget].choose(FEW if budget == "paper" else {})
    scale = scale.choose(choices)
    return vgg5_recipe(
        "step-times-vgg5", budget, scale, [Full()], measures=(StepTimes,)
    )


def step_times_vgg11(budget: str, **choices: Any) -> Recipe:
    """What a step of VGG-11 takes with every set of layers of Section 6.

    Run it while the machine does nothing else.
    """
    scale = VGG11_SCALES[budget].choose(FEW if budget == "paper" else {})
    scale = scale.choose(choices)
    return _vgg11("step-times-vgg11", budget, scale, [Full()], measures=(StepTimes,))


LWS_RECIPES: dict[str, RecipeFunction] = {
    "all-bottoms-vgg5": all_bottoms_vgg5,
    "figure-10-vgg5": figure_10_vgg5,
    "figure-7-vgg11": figure_7_vgg11,
    "figure-7-vgg5": figure_7_vgg5,
    "figure-7-vgg5-blocks": figure_7_vgg5_blocks,
    "kept-views-vgg11": kept_views_vgg11,
    "learning-rates-vgg5": learning_rates_vgg5,
    "pretrain-standin": pretrain_standin,
    "step-times-vgg11": step_times_vgg11,
    "step-times-vgg5": step_times_vgg5,
    "table-1": table_1,
    "table-1-pretrained": table_1_pretrained,
    "table-1-standin": table_1_standin,
}
"""Section 6's recipes, by name."""
