"""Numbers change only where a numerics version was raised.

Each component has a tiny run whose numbers lie in `golden/<component>.json`, with the
version they belong to. No component's run rests on another's code, so that a drift
points at its cause. After raising a version: `python -m tests.test_golden`.
"""

import dataclasses
import hashlib
import json
import sys
from pathlib import Path

import pytest
import torch

from lazyrich_helpers.config import Part
from lazyrich_helpers.data import datasets
from lazyrich_helpers.data.augmentation import CroppedImages, normalized, shifted
from lazyrich_helpers.data.datasets import Dataset, Split, images
from lazyrich_helpers.data.remaining import (
    RemainingCroppedImages,
    RemainingImages,
    TurnedImages,
    remaining,
    turned,
)
from lazyrich_helpers.data.sources import source_of
from lazyrich_helpers.data.subsets import balanced_subsets
from lazyrich_helpers.experiments.exhibits import RECIPES, make_recipe
from lazyrich_helpers.experiments.recipes import BUDGETS
from lazyrich_helpers.lws.baselines import LISA, BAdam, FreezeOut, LayerFreezing
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
)
from lazyrich_helpers.measures.activity import Activity
from lazyrich_helpers.measures.criticality import Criticality
from lazyrich_helpers.measures.gradient_concentration import GradientConcentration
from lazyrich_helpers.measures.laziness import Laziness
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.measures.reinit_curves import RandomReset, Reinit, WeightsReinit
from lazyrich_helpers.measures.times import Clock, StepTimes
from lazyrich_helpers.measures.updates import Updates
from lazyrich_helpers.models import initialization
from lazyrich_helpers.models.convnets import VGG5, VGG11, ConvNet, VGG5Blocks
from lazyrich_helpers.models.imagenet import ImageNetVGG11
from lazyrich_helpers.models.initialization import XavierNormal, convolutions, transfer_
from lazyrich_helpers.models.network import ReluNet, relu_net
from lazyrich_helpers.models.resnet import ResNet18
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.models.weights_file import WeightsFile
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training import loop
from lazyrich_helpers.training.loop import Trained
from lazyrich_helpers.training.objectives import Scaled
from lazyrich_helpers.training.optimizers import SGD, Adam, DecayedAdam, HarmonicSGD
from tests import tiny

FOLDER = Path(__file__).parent / "golden"
REFRESH = "then refresh with `python -m tests.test_golden`"
INITS = {"gain_1": XavierNormal(), "gain_3": XavierNormal(gain=3.0)}
SCALED = Scaled(output_scale=3.0)
TRAININGS = {  # fp32 only: bf16 sums differ between processors
    "adam": tiny.config(batch_size=64),
    "sgd": tiny.config(optimizer=SGD(lr=0.1, decay_every=2)),
    "decayed_adam": tiny.config(optimizer=DecayedAdam(lr=0.1, decay_epochs=3)),
    "scaled": tiny.config(objective=SCALED, optimizer=HarmonicSGD(lr=0.1)),
    "lws": tiny.config(
        optimizer=SGD(lr=0.1), updates=TopKAllBottoms(k=1, rho=0.5, draw="step")
    ),
    "freeze_out": tiny.config(
        optimizer=SGD(lr=0.1),
        updates=FreezeOut(total_epochs=3, steps_per_epoch=4, t_0=0.5),
    ),
    "badam": tiny.config(updates=BAdam(steps_per_epoch=4, switch_block_every=2)),
}
NETWORKS = {
    "conv_net": ConvNet(width=3, depth=2),
    "vgg5": VGG5(width=2, batch_norm=True),
    "vgg5_blocks": VGG5Blocks(width=2),
    "vgg5_printed": VGG5(width=2, fig13=True),
    "vgg11": VGG11(width=2),
    "resnet18": ResNet18(width=2),
}
SCHEDULES = [
    TopK(k=1),
    BottomQ(q=1),
    TopBottom(k=1, q=1),
    Middle(),
    TopKBottomQ(k=1, q=1, rho=0.4),
    TopKAllBottoms(k=1, rho=0.4),
    RandomUniform(),
    RandomBeta(),
    RandomBeta(draw="step"),
    FreezeOut(total_epochs=40, steps_per_epoch=4),
    LayerFreezing(total_epochs=40),
    LISA(steps_per_epoch=4, interval_steps=6),
    BAdam(steps_per_epoch=4, switch_block_every=6, switch_mode="random"),
]
KINDS = {
    Adam,
    DecayedAdam,
    HarmonicSGD,
    SGD,
    Full,
    XavierNormal,
    ReluNet,
    datasets.Images,
    CroppedImages,
}
KINDS |= {type(part) for part in [*NETWORKS.values(), *SCHEDULES]}
KINDS |= {RemainingImages, RemainingCroppedImages, TurnedImages}
KINDS |= {ImageNetVGG11, WeightsFile}
"""Kinds whose numbers are traced below."""


def made_data() -> Dataset:
    """Return ten blurred points in 16 dimensions as images, from torch's own stream."""
    stream = torch.Generator().manual_seed(0)
    centres = torch.randn(10, 16, generator=stream)
    labels = torch.arange(300) % 10
    noise = 1.2 * torch.randn(300, 16, generator=stream)
    pixels = (centres[labels] + noise).reshape(300, 1, 4, 4)
    splits = (Split(pixels[i : i + 100], labels[i : i + 100]) for i in (0, 100, 200))
    return Dataset(*splits, digest="made", num_classes=10)


def made_network():
    """Return a small network whose parameters come from torch's own stream."""
    network = relu_net(width=8, depth=2, num_inputs=16, num_classes=10)
    stream = torch.Generator().manual_seed(1)
    for p in network.parameters():
        p.data = 0.3 * torch.randn(p.shape, generator=stream)
    return network


def made_trained() -> Trained:
    """Return a network that plain gradient descent trained."""
    network, made = made_network(), made_data()
    initial = flat_parameters(network)
    for _ in range(100):
        logits = network(made.train.images)
        torch.nn.functional.cross_entropy(logits, made.train.labels).backward()
        for p in network.parameters():
            p.data -= 0.3 * p.grad
            p.grad = None
    return Trained(tiny.CONFIG, made, network, initial, flat_parameters(network))


def digest(array) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()[:12]


def facts(dataset: str) -> str:
    """Return what is written down of a data set whose files are not in the package."""
    source = source_of(dataset)
    sizes = [source.image_size, source.channels, source.num_train, source.num_test]
    return f"{dataset} {source.max_pixel} {sizes}"


def data_numbers():
    digits = images("digits", train_size=1000).load()
    other = remaining(images("digits", train_size=200), 100).load()
    large = images("digits", train_size=10, image_size=28).load().train.images
    shift = shifted(digits.train.images[:8], 2, generator("golden"))
    ramp = torch.linspace(0, 1, 3 * 5 * 5 * 2).reshape(2, 3, 5, 5)
    colours = normalized(Split(ramp, torch.zeros(2))).images
    cropped = CroppedImages.__dataclass_fields__
    labels = (torch.arange(1000) // 3 % 10).byte().numpy()
    chosen, rest = balanced_subsets(labels, 100, seed=3)
    return {
        "digits": digits.digest,
        "remaining": other.digest,
        "turned": turned(Split(ramp, torch.zeros(2))).images.flatten()[::19].tolist(),
        "labels": digest(digits.train.labels.numpy()),
        "pixels": digest((digits.train.images * 16).round().byte().numpy()),
        "subset": digest(chosen),
        "held_out": digest(rest),
        "shifted": shift.flatten()[::37].tolist(),
        "normalized": colours.flatten()[::7].tolist(),
        "cropped": f"{cropped['padding'].default} {cropped['num_views'].default}",
        "sources": [facts(name) for name in ("mnist", "fashion_mnist", "cifar10")],
        "enlarged": [
            large.mean().item(),
            large.std().item(),
            large[3, 0, 9, 11].item(),
        ],
    }


def init_numbers():
    numbers = {}
    for name, init in INITS.items():
        network = ReluNet(width=5, depth=2).build((1, 2, 2), 10)
        init.initialize_(network, seed=7, inputs=tiny.NO_IMAGES)
        vectors = [flat_parameters(layer)[[0, 1, -1]] for layer in network.layers]
        numbers[name] = torch.cat(vectors).tolist()
    for name, part in NETWORKS.items():
        network = part.build((1, 8, 8), 10)
        XavierNormal().draw_(network, seed=7)
        pixels = torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)
        with torch.no_grad():
            numbers[name] = network.eval()(pixels).flatten().tolist()
    network = NETWORKS["vgg11"].build((1, 8, 8), 10)
    trained = [p for layer in convolutions(network) for p in layer.parameters()]
    stream = torch.Generator().manual_seed(1)
    transfer_(network, 7, [torch.randn(p.shape, generator=stream) for p in trained])
    with torch.no_grad():
        numbers["transferred"] = network(pixels).flatten().tolist()
    return numbers


def train_numbers():
    numbers = {}
    for name, config in TRAININGS.items():
        epochs = list(loop.train(made_network(), made_data(), config))
        numbers[f"{name}_loss"] = [epoch.train_loss for epoch in epochs]
        numbers[f"{name}_num_correct"] = [epoch.num_correct for epoch in epochs]
    return numbers


def updates_numbers():
    """Return how often each schedule of 40 epochs updates each of five layers."""
    trained = made_trained()
    network = relu_net(2, 4, 16, 10)
    numbers = {}
    for schedule in SCHEDULES:
        settings = dataclasses.replace(trained.config.training, num_epochs=40)
        config = dataclasses.replace(
            trained.config, updates=schedule, training=settings
        )
        run = dataclasses.replace(trained, config=config, network=network)
        result = Updates().result(run)
        name = schedule.kind + getattr(schedule, "draw", "")
        numbers[name] = [*result["layers"], result["num_full"], *result["lowest"]]
    return numbers


def activity_numbers():
    """Return what is active under two gradient steps of another, larger size."""
    trained = made_trained()
    measure = Activity()
    measure.start(trained)
    for _ in range(2):
        measure.after_epoch(trained, loop.Epoch(1, 0.5, None, 0.0))
        for p in trained.network.parameters():
            p.data += 0.1
    sums = {n: int(a.sum()) for n, a in measure.arrays(trained).items()}
    return measure.result(trained) | {"maps": sums}


def concentration_numbers():
    trained = made_trained()
    measure = GradientConcentration()
    measure.start(trained)
    result = measure.result(trained)
    (look,) = result["looks"]
    picked = look["values"][::20]
    own = {f"layer_{i}": layer["l1"] for i, layer in enumerate(look["layers"])}
    own["shares"] = [layer["share"] for layer in look["layers"]]
    for number in range(1, 102):
        measure.after_epoch(trained, loop.Epoch(number, 0.5, None, 0.0))
    own["looks"] = str([each["epoch"] for each in measure.result(trained)["looks"]])
    return {name: look[name] for name in ("l1", "l2")} | {"values": picked} | own


def laziness_numbers():
    trained = made_trained()
    config = dataclasses.replace(trained.config, objective=SCALED)
    return Laziness().result(dataclasses.replace(trained, config=config))


def measured(measure):
    return lambda: measure().result(made_trained())


COMPONENTS = {
    "data": (data_numbers, datasets),
    "init": (init_numbers, initialization),
    "train": (train_numbers, loop),
    "accuracy": (measured(Accuracy), Accuracy),
    "activity": (activity_numbers, Activity),
    "criticality": (measured(Criticality), Criticality),
    "gradient_skew": (concentration_numbers, GradientConcentration),
    "laziness": (laziness_numbers, Laziness),
    "movement": (measured(Movement), Movement),
    "updates": (updates_numbers, Updates),
    "random_reset": (measured(RandomReset), RandomReset),
    "reinit": (measured(Reinit), Reinit),
    "reinit_weights": (measured(WeightsReinit), WeightsReinit),
}
"""Component → its numbers, and what holds its version."""


def place(component: str) -> str:
    """Return where a component's version stands."""
    holder = COMPONENTS[component][1]
    if isinstance(holder, type):
        name, module = f"version of {holder.__name__}", holder.__module__
    else:
        name, module = "NUMERICS_VERSION", holder.__name__
    return f"{name} in {module.rpartition('.')[2]}.py"


def version(component: str) -> int:
    holder = COMPONENTS[component][1]
    name = "version" if isinstance(holder, type) else "NUMERICS_VERSION"
    return getattr(holder, name)


def close(now, then) -> bool:
    """Return whether numbers agree: counts within 2, others to 1 in 1000.

    Another processor adds up in another order. With AVX2 and with AVX-512 all counts
    were the same, and numbers differed by at most 1 in 10,000: by one in the last of
    the five digits that are kept. Ten times that leaves room for other machines. What
    is exact is written as text.
    """
    if isinstance(then, dict):
        return set(now) == set(then) and all(close(now[key], then[key]) for key in then)
    if isinstance(then, list):
        return len(now) == len(then) and all(map(close, now, then))
    if isinstance(then, int) and isinstance(now, int):
        return abs(now - then) <= 2
    if isinstance(then, float):
        return now == pytest.approx(then, rel=1e-3, abs=1e-9)
    return now == then


def verdict(component: str) -> str:
    """Return what is wrong with a component's trace, or nothing."""
    numbers, _ = COMPONENTS[component]
    golden = json.loads((FOLDER / f"{component}.json").read_text())
    if golden["version"] != version(component):
        return (
            f"the {place(component)} is {version(component)}, the golden trace is of "
            f"{golden['version']}; refresh with `python -m tests.test_golden`."
        )
    now = json.loads(json.dumps(numbers()))
    for name, value in golden["numbers"].items():
        if name not in now or not close(now[name], value):
            return (
                f"{component}: {name} was {value}, is {now.get(name)}. If it was meant "
                f"to change: raise {place(component)}, {REFRESH}."
            )
    return "" if set(now) == set(golden["numbers"]) else f"{component}: {REFRESH}"


@pytest.mark.parametrize("component", COMPONENTS)
def test_numbers_are_those_of_their_version(component):
    assert verdict(component) == ""


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_raised_version_asks_for_a_refresh(component, monkeypatch):
    _, holder = COMPONENTS[component]
    name = "version" if isinstance(holder, type) else "NUMERICS_VERSION"
    monkeypatch.setattr(holder, name, version(component) + 1)
    assert "refresh with `python -m tests.test_golden`" in verdict(component)


@pytest.mark.parametrize(
    ("component", "drift"),
    [
        ("updates", {"parse_int": lambda text: int(text) + 3}),
        ("init", {"parse_float": lambda text: 1.01 * float(text)}),
    ],
)
def test_a_drift_asks_for_a_version(component, drift, monkeypatch):
    numbers, holder = COMPONENTS[component]
    drifted = json.loads(json.dumps(numbers()), **drift)
    monkeypatch.setitem(COMPONENTS, component, (lambda: drifted, holder))
    assert f"raise {place(component)}, {REFRESH}" in verdict(component)


def test_every_component_has_a_trace():
    recipes = [make_recipe(name, budget) for name in RECIPES for budget in BUDGETS]
    configs = [config for recipe in recipes for config in recipe.configs]
    measures = {measure for recipe in recipes for measure in recipe.measures}
    timed = {Clock, StepTimes}  # another number each time
    assert measures - timed <= {holder for _, holder in COMPONENTS.values()}
    used = {
        type(getattr(config, slot))
        for config in configs
        for slot in ("data", "model", "init", "optimizer", "updates")
    }
    assert used <= KINDS, "a recipe uses a kind that no golden trace has"
    assert all(issubclass(kind, Part) for kind in KINDS)
    assert {path.stem for path in FOLDER.iterdir()} == set(COMPONENTS)


def refresh() -> int:
    """Write the traces of raised versions; return how many drifted without one."""
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    num_refused = 0
    for component, (numbers, _) in COMPONENTS.items():
        path = FOLDER / f"{component}.json"
        there = json.loads(path.read_text())["version"] if path.exists() else None
        wrong = verdict(component) if there == version(component) else ""
        only_added = wrong == f"{component}: {REFRESH}"  # no number has changed
        if there == version(component) and not only_added:
            num_refused += bool(wrong)
            print(f"{component}: {wrong or 'unchanged'}")
            continue
        content = {"version": version(component), "numbers": numbers()}
        path.write_text(json.dumps(content) + "\n")
        print(f"{component}: now of version {version(component)}")
    return num_refused


if __name__ == "__main__":
    sys.exit(1 if refresh() else 0)
