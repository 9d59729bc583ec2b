"""A config's id stands for every field of every part, and for nothing else."""

import dataclasses
import json
from dataclasses import dataclass

import pytest

import lazyrich_helpers.runner.tasks  # noqa: F401  (defines whatever is defined)
from lazyrich_helpers.config import _KINDS, Part, field_names
from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.data.remaining import (
    RemainingCroppedImages,
    RemainingImages,
    remaining,
)
from lazyrich_helpers.lws.baselines import LISA, BAdam, FreezeOut, LayerFreezing
from lazyrich_helpers.lws.schedules import (
    BottomQ,
    TopBottom,
    TopK,
    TopKAllBottoms,
    TopKBottomQ,
)
from lazyrich_helpers.models.convnets import ConvNet
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.models.variance_preserving import LayerSequential
from lazyrich_helpers.models.weights_file import WeightsFile
from lazyrich_helpers.training.objectives import Scaled
from lazyrich_helpers.training.optimizers import SGD, Adam, DecayedAdam, HarmonicSGD
from lazyrich_helpers.training.run_config import KINDS, RunConfig, Training
from tests import tiny

LARGE = images("digits", train_size=100, image_size=32)
CROPPED = CroppedImages(
    dataset="cifar10", train_size=100, subset_seed=0, image_size=32, digest="0"
)
EXAMPLES = {
    "images": LARGE,
    "remaining_images": remaining(LARGE, 200),
    "remaining_cropped_images": remaining(CROPPED, 200),
    "turned_images": remaining(CROPPED, 200, turns=True),
    "relu_net": ReluNet(width=10, depth=2),
    "conv_net": ConvNet(width=10, depth=2),
    "scaled": Scaled(output_scale=3.0),
    "adam": Adam(lr=0.1),
    "decayed_adam": DecayedAdam(lr=0.1, decay_epochs=7),
    "harmonic_sgd": HarmonicSGD(lr=0.1),
    "epochs": Training(num_epochs=5),
    "cropped_images": CROPPED,
    "layer_sequential": LayerSequential(statistics="sample"),
    "weights_file": WeightsFile(file="a.pt", sha256="1" * 8),
    "top_k": TopK(k=2),
    "bottom_q": BottomQ(q=2),
    "top_bottom": TopBottom(k=2, q=2),
    "top_k_bottom_q": TopKBottomQ(k=2, q=2, rho=0.5),
    "top_k_all_bottoms": TopKAllBottoms(k=2, rho=0.5),
    "freeze_out": FreezeOut(total_epochs=5, steps_per_epoch=8),
    "layer_freezing": LayerFreezing(total_epochs=5),
    "lisa": LISA(steps_per_epoch=8, activated_layers=1),
    "badam": BAdam(steps_per_epoch=8),
}
OTHER = {"dataset": "mnist", "digest": "0" * 12, "precision": "medium"}
OTHER |= {"draw": "step", "how_scale": "linear", "forgets": "none"}
OTHER |= {"loss_kind": "square"}
OTHER |= {"switch_mode": "random", "file": "b.pt", "sha256": "2" * 8}
OTHER |= {"statistics": "layer"}
PARTS = (*KINDS, Training)


def example(kind):
    return EXAMPLES[kind.kind] if kind.kind in EXAMPLES else kind()


def changed(part, name):
    """Return `part` with another, valid value in field `name`."""
    value = getattr(part, name)
    tries = (
        [OTHER.get(name)]
        if isinstance(value, str)
        else [value + 1, value + 10, value + 40]
    )
    if isinstance(value, bool):
        tries = [not value]
    if isinstance(value, float):
        tries += [value / 2, 0.25]
    for other in tries:
        try:
            assert type(other) is type(value) and other != value
            return dataclasses.replace(part, **{name: other})
        except (ValueError, AssertionError):
            continue
    pytest.fail(f"teach this test another value for {part.kind}.{name}")


def test_every_field_of_every_kind_has_its_own_id():
    configs = [tiny.config(**{k.slot: example(k)}) for k in PARTS]
    for kind in PARTS:
        part = example(kind)
        for field in dataclasses.fields(part):
            configs.append(tiny.config(**{kind.slot: changed(part, field.name)}))
    different = {repr(config): config.run_id for config in configs}
    assert len(different) > 25
    assert len(set(different.values())) == len(different)


def test_nothing_else_changes_the_id():
    slots = tiny.CONFIG.to_dict()
    backwards = {
        slot: dict(reversed(fields.items()))
        for slot, fields in reversed(list(slots.items()))
    }
    assert RunConfig.from_dict(backwards) == tiny.CONFIG
    assert RunConfig.from_dict(backwards).run_id == tiny.CONFIG.run_id


def test_ids_are_pinned_and_a_new_kind_renames_no_run():
    @dataclass(frozen=True, kw_only=True)
    class Other(Part, slot="optimizer", kind="test_other"):
        lr: float = 0.5

    pinned = {
        "b5485a6a5666": tiny.CONFIG,
        "e592b78c54c1": tiny.config(optimizer=SGD()),
        "4b11db8111e9": tiny.config(data=images("mnist", train_size=10_000)),
    }
    assert list(pinned) == [config.run_id for config in pinned.values()]
    assert tiny.config(optimizer=Other()).run_id not in pinned


def test_a_kind_is_defined_once_but_a_cell_may_be_run_again():
    def define():
        @dataclass(frozen=True, kw_only=True)
        class Mine(Part, slot="updates", kind="test_mine"):
            pass

    define()
    define()
    with pytest.raises(TypeError, match="Mine is the updates of kind 'test_mine'"):

        class Yours(Part, slot="updates", kind="test_mine"):
            pass

    class Half(Part, slot="optimizer", kind="test_half"):
        """A kind that is no dataclass yet."""

    assert {"lr", "momentum", "beta1"} <= field_names()["optimizer"]


def test_a_field_may_be_a_tuple():
    @dataclass(frozen=True, kw_only=True)
    class Picked(Part, slot="updates", kind="test_picked"):
        layers: tuple[int, ...]

    config = tiny.config(updates=Picked(layers=(0, 2)))
    again = RunConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config and again.run_id == config.run_id
    with pytest.raises(ValueError, match=r"layers must be of type int; got '1'"):
        Picked(layers=(0, "1"))


def test_no_two_parts_may_share_a_column():
    @dataclass(frozen=True, kw_only=True)
    class Seeded(Part, slot="updates", kind="test_seeded"):
        seed: int = 0

    with pytest.raises(AssertionError, match="seed"):
        tiny.config(updates=Seeded()).columns()


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Adam(lr=1), Adam(lr=1.0)),  # an int may stand for a float
        (SGD(weight_decay=0.0), SGD(weight_decay=-0.0)),
    ],
)
def test_equal_configs_have_equal_ids(one, two):
    first, second = tiny.config(optimizer=one), tiny.config(optimizer=two)
    assert first == second and first.run_id == second.run_id


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.kind)
def test_a_part_survives_its_dictionary(kind):
    config = tiny.config(**{kind.slot: example(kind)})
    assert RunConfig.from_dict(config.to_dict()) == config


def test_no_column_hides_another():
    own = {"run_id", "status", "stale"}
    for one in PARTS:
        names = {field.name for field in dataclasses.fields(example(one))}
        assert not names & own and not names & set(tiny.CONFIG.to_dict())
        for two in PARTS:
            if one.slot != two.slot:
                others = {field.name for field in dataclasses.fields(example(two))}
                assert not names & others, (one, two)


def test_a_config_cannot_change():
    for part, name in ((tiny.CONFIG.model, "width"), (tiny.CONFIG, "model")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, name, 3)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (ReluNet, "width", 0),
        (ReluNet, "width", 1.0),
        (ReluNet, "width", True),
        (ReluNet, "depth", "2"),
        (Adam, "lr", 0),
        (Adam, "lr", float("nan")),
        (Adam, "lr", float("inf")),
        (Adam, "beta1", 1.0),
        (Adam, "beta2", -0.1),
        (Adam, "eps", 0.0),
        (SGD, "lr", -1.0),
        (SGD, "momentum", 1),
        (SGD, "weight_decay", -1e-9),
        (SGD, "lr_decay", 1.5),
        (SGD, "decay_every", 0),
        (XavierNormal, "gain", 0.0),
        (WeightsFile, "file", ""),
        (WeightsFile, "file", "folder/a.pt"),
        (WeightsFile, "sha256", "1" * 7),
        (WeightsFile, "sha256", "g" * 8),
        (CroppedImages, "padding", -1),
        (CroppedImages, "num_views", -1),
        (RemainingImages, "skipped", -10),
        (RemainingCroppedImages, "skipped", 15),
        (Training, "num_epochs", 0),
        (Training, "batch_size", -1),
        (Training, "seed", -1),
        (Training, "precision", "fp8"),
        (Training, "seed", None),
    ],
)
def test_a_wrong_value_is_named_with_its_remedy(kind, name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be .+; got .*\.$") as raised:
        dataclasses.replace(example(kind), **{name: value})
    shown = repr(float(value) if isinstance(value, int) else value)
    assert repr(value) in str(raised.value) or shown in str(raised.value)


@pytest.mark.parametrize("part", [Adam(lr=0.1), None])
def test_a_slot_holds_only_its_own_kind(part):
    with pytest.raises(ValueError, match=r"hold a model part; got (Adam|N)"):
        tiny.config(model=part)


@pytest.mark.parametrize(
    ("slot", "fields", "words"),
    [
        ("model", {"kind": "spline"}, "'spline'"),
        ("model", {"width": 3, "depth": 1}, "None"),
        ("model", {"kind": "relu_net", "width": 3}, "'depth', 'width'"),
        ("optimizer", {"kind": "relu_net", "width": 3, "depth": 1}, "'adam'"),
    ],
)
def test_an_unknown_kind_or_field_is_named(slot, fields, words):
    with pytest.raises(ValueError, match=words):
        RunConfig.from_dict(tiny.CONFIG.to_dict() | {slot: fields})
    with pytest.raises(ValueError, match="slots"):
        RunConfig.from_dict({"model": fields})


def test_every_kind_of_the_package_is_known_by_name():
    """So that a record can be read by whoever imports no more than `records`."""
    ours = {kind for kind in _KINDS.values() if kind.__module__.startswith("lazyrich")}
    assert ours == {*KINDS, Training}
