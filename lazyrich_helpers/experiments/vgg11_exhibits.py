"""Section 6's exhibits of VGG-11, on CIFAR-10.

Source: Li & Banerjee (2021), Figures 7 and 21, and Table 1.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import replace

from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.remaining import remaining
from lazyrich_helpers.experiments.lws_recipes import (
    all_bottoms,
    probabilistic,
    seed_by_seed,
    static,
)
from lazyrich_helpers.experiments.recipes import (
    CROSS_ENTROPY,
    XAVIER,
    Configs,
    exhibit,
    images_of,
    network_configs,
)
from lazyrich_helpers.experiments.scale import LwsScale, Scale, at_each
from lazyrich_helpers.experiments.vgg5_exhibits import FEW, VGG5_SCALES
from lazyrich_helpers.lws.plans import UpdateSchedule
from lazyrich_helpers.lws.schedules import Full, TopKAllBottoms, TopKBottomQ
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.times import StepTimes
from lazyrich_helpers.measures.updates import Updates
from lazyrich_helpers.models.convnets import VGG11
from lazyrich_helpers.models.imagenet import ImageNetVGG11
from lazyrich_helpers.models.initialization import InitPart
from lazyrich_helpers.models.weights_file import UNKNOWN, WeightsFile
from lazyrich_helpers.training.objectives import Objective
from lazyrich_helpers.training.optimizers import SGD, OptimizerPart
from lazyrich_helpers.training.run_config import RunConfig

SMOKE, LAPTOP = (replace(VGG5_SCALES[b], lrs=(0.01,)) for b in ("smoke", "laptop"))
PAPER = LwsScale(
    dataset="cifar10",
    widths=(64,),
    seeds=(0, 1, 2, 3, 4),
    lrs=(0.01,),
    num_epochs=180,
    precision="bf16",
)
VGG11_SCALES = {"smoke": SMOKE, "laptop": LAPTOP, "paper": PAPER}
COLOUR = {"dataset": "cifar10", "widths": (64,)}  # alone fit ImageNet's weights
IMAGENET_SCALES = {
    "smoke": replace(SMOKE, **COLOUR, num_epochs=1),
    "laptop": replace(LAPTOP, **COLOUR, num_epochs=5, train_size=1000),
    "paper": PAPER,
}
STANDIN_SCALES = {  # at most a fifth of the images: see `PRETRAIN_TIMES`
    "smoke": SMOKE,
    "laptop": replace(LAPTOP, train_size=240),
    "paper": replace(PAPER, train_size=10_000, seeds=(0, 1, 2), rhos=(0.1, 0.2, 0.5)),
}
PRETRAIN_TIMES = 3
"""Images that a network is pre-trained on, for each that it is then trained on. With
as many again held out, a fifth of CIFAR-10 is the most that can be trained on."""
TASKS = ("turns", "classes")
"""What a stand-in is pre-trained to tell of those images: by how many quarter turns one
is turned, which needs no label; or its class, which the table's networks learn, too."""

STANDINS = {
    "vgg11-cifar10-10000-w16-turns.pt": "8bd3c578",
    "vgg11-cifar10-10000-w16-classes.pt": "26722c16",
}
"""File in `book/weights` → first digits of its SHA-256; others have not been made."""


def vgg11_configs(
    scale: Scale,
    updates: Sequence[UpdateSchedule] = (Full(),),
    *,
    num_views: int = 0,
    init: InitPart = XAVIER,
    optimizer: Callable[..., OptimizerPart] = SGD,
    objective: Objective = CROSS_ENTROPY,
) -> Configs:
    """Return VGG-11 by every schedule.

    Colour images are shifted: anew at each step, or `num_views` times. Digits are
    enlarged to 16 pixels a side.
    """
    data = images_of(scale, digits_size=16)
    if scale.dataset == "cifar10":
        fields = {f.name: getattr(data, f.name) for f in dataclasses.fields(data)}
        data = CroppedImages(**fields, num_views=num_views)
    made = network_configs(
        VGG11,
        scale,
        data=data,
        optimizer=optimizer,
        updates=updates,
        init=init,
        objective=objective,
    )
    return seed_by_seed(made, scale)


@exhibit(VGG11_SCALES, Accuracy, Updates)
def figure_7_vgg11(scale: LwsScale) -> Configs:
    """VGG-11 of which fixed layers are trained: top, bottom, both, or the middle."""
    return vgg11_configs(scale, static(scale))


@exhibit(VGG11_SCALES, Accuracy, Updates)
def table_1(scale: LwsScale) -> Configs:
    """VGG-11 whose top layers are trained always, the others in random epochs.

    Table 1's rows that start from Xavier's initialization.
    """
    return vgg11_configs(scale, probabilistic(scale, [max(scale.ks)]))


@exhibit(IMAGENET_SCALES, Accuracy, Updates)
def table_1_pretrained(scale: LwsScale) -> Configs:
    """As table-1, from ImageNet's weights; colour images at width 64 alone.

    Table 1's rows that start from a pre-trained network. The smaller budgets are that
    network on few images: minutes for a run on a CPU.
    """
    updates = probabilistic(scale, [max(scale.ks)])
    return vgg11_configs(scale, updates, init=ImageNetVGG11())


@exhibit(STANDIN_SCALES, Accuracy, Updates)
def table_1_standin(scale: LwsScale) -> Configs:
    """Rows of table-1, from networks pre-trained here: stand-ins for ImageNet's.

    They are pre-trained on other images of the same data set, which is not what the
    paper did: see `make_weights`. Their files are listed in `STANDINS`.
    """
    k = max(scale.ks)
    partly = [TopKBottomQ(k=k, q=k, rho=rho) for rho in scale.rhos]
    plain = vgg11_configs(scale, [Full(), *all_bottoms(scale), *partly])
    started = [
        replace(config, init=_standin(config, task))
        for task in _tasks(scale)
        for config in plain
    ]
    return seed_by_seed(tuple(started), scale)


def _tasks(scale: LwsScale) -> tuple[str, ...]:
    """Return what can be pre-trained: digits are too few to be turned as well."""
    return TASKS if scale.dataset == "cifar10" else ("classes",)


def _standin(config: RunConfig, task: str) -> WeightsFile:
    """Return the file made for such a network, and for images that it left out."""
    columns = config.columns()
    parts = (columns["dataset"], columns["train_size"], f"w{columns['width']}", task)
    file = f"vgg11-{'-'.join(map(str, parts))}.pt"
    return WeightsFile(file=file, sha256=STANDINS.get(file, UNKNOWN))


@exhibit(at_each(STANDIN_SCALES, seeds=(0,)), Accuracy)
def pretrain_standin(scale: LwsScale) -> Configs:
    """VGG-11 trained whole on images that table-1-standin leaves out, for each task.

    Its runs' weights are what `make_weights` makes the files of `STANDINS` from. They
    see as many images as a row of the table does.
    """
    own_size = images_of(scale).train_size
    return tuple(
        _pretrained(config, task, own_size)
        for task in _tasks(scale)
        for config in vgg11_configs(scale)
    )


def _pretrained(config: RunConfig, task: str, own_size: int) -> RunConfig:
    data = remaining(config.data, PRETRAIN_TIMES * own_size, turns=task == "turns")
    num_epochs = max(1, config.training.num_epochs * own_size // data.train_size)
    training = replace(config.training, num_epochs=num_epochs)
    return replace(config, data=data, training=training)


VIEWS = (0, 4, 16)
"""Fixed draws of each shifted image; 0 draws anew at every step."""


@exhibit(VGG11_SCALES, Accuracy, Updates)
def kept_views_vgg11(scale: LwsScale) -> Configs:
    """VGG-11 on a few fixed views of each image, of which the bottom's work is cached.

    Table 1's cheapest row, top 4 all bottoms at its smallest probability, from each of
    `VIEWS`. Only colour images are shifted: others have no views.
    """
    updates = [TopKAllBottoms(k=max(scale.ks), rho=min(scale.rhos))]
    return tuple(
        config
        for num in (VIEWS if scale.dataset == "cifar10" else VIEWS[:1])
        for config in vgg11_configs(scale, updates, num_views=num)
    )


@exhibit(VGG11_SCALES | {"paper": replace(PAPER, **FEW)}, StepTimes)
def step_times_vgg11(scale: LwsScale) -> Configs:
    """What a step of VGG-11 takes with every set of layers of Section 6.

    Run it while the machine does nothing else.
    """
    return vgg11_configs(scale)


VGG11_RECIPES = (
    figure_7_vgg11,
    kept_views_vgg11,
    pretrain_standin,
    step_times_vgg11,
    table_1,
    table_1_pretrained,
    table_1_standin,
)
