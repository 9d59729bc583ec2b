"""What determines a run's numbers, and nothing else.

A `RunConfig` has seven slots. Each slot holds a *part*: a small frozen dataclass that
lives beside the code that reads it (`models.ReluNet`, `optimizers.Adam`, ...) and names
its slot and kind. A new kind is a new class; no existing run is renamed by it.
"""

import dataclasses
import functools
import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Self

from lazyrich_helpers.config import Count, Natural, Part, one_of, part_of
from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.datasets import DataPart, Images
from lazyrich_helpers.data.remaining import (
    RemainingCroppedImages,
    RemainingImages,
    TurnedImages,
)
from lazyrich_helpers.lws.baselines import LISA, BAdam, FreezeOut, LayerFreezing
from lazyrich_helpers.lws.plans import UpdateSchedule
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
    in_words,
)
from lazyrich_helpers.models.convnets import VGG5, VGG11, ConvNet, VGG5Blocks
from lazyrich_helpers.models.imagenet import ImageNetVGG11
from lazyrich_helpers.models.initialization import InitPart, XavierNormal
from lazyrich_helpers.models.network import ModelPart, Network, ReluNet, blueprint
from lazyrich_helpers.models.resnet import ResNet18
from lazyrich_helpers.models.variance_preserving import (
    HeNormal,
    LayerSequential,
    SamplePreserving,
)
from lazyrich_helpers.models.weights_file import WeightsFile
from lazyrich_helpers.training.objectives import CrossEntropy, Objective, Scaled
from lazyrich_helpers.training.optimizers import (
    SGD,
    Adam,
    DecayedAdam,
    HarmonicSGD,
    OptimizerPart,
)

KINDS: tuple[type[Part], ...] = (
    *(Images, CroppedImages, RemainingImages, RemainingCroppedImages, TurnedImages),
    *(ReluNet, ConvNet, VGG5, VGG5Blocks, VGG11, ResNet18),
    *(XavierNormal, HeNormal, LayerSequential, SamplePreserving),
    *(ImageNetVGG11, WeightsFile),
    *(CrossEntropy, Scaled, Adam, DecayedAdam, SGD, HarmonicSGD),
    *(Full, TopK, BottomQ, TopBottom, Middle, TopKBottomQ, TopKAllBottoms),
    *(RandomUniform, RandomBeta, FreezeOut, LayerFreezing, LISA, BAdam),
)
"""Every kind that a record may name; a reader's own are known by being defined."""
FP32 = ("highest", "medium")
"""Settings of `Training.precision` at which products are fp32's."""


@dataclass(frozen=True, kw_only=True)
class Training(Part, slot="training", kind="epochs"):
    """A fixed number of epochs, in minibatches, at one arithmetic precision."""

    num_epochs: Count
    """Passes over the training set."""
    batch_size: Count = 128
    """Examples per step; the last batch of an epoch may be smaller."""
    seed: Natural = 0
    """Draws the initial parameters, the order of the data and the update schedule."""
    precision: Annotated[str, one_of((*FP32, "bf16", "tf32"))] = "highest"
    """`highest` or `medium` (fp32, by the code that torch prefers at this setting),
    `bf16` (autocast) or `tf32` (on a GPU). See `arithmetic`."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that determines a run's numbers. Equal settings, equal `run_id`."""

    data: DataPart
    model: ModelPart
    init: InitPart
    objective: Objective
    optimizer: OptimizerPart
    updates: UpdateSchedule
    training: Training

    def __post_init__(self) -> None:
        for slot, part in self._parts():
            if not isinstance(part, Part) or part.slot != slot:
                raise ValueError(f"{slot} must hold a {slot} part; got {part!r}.")

    def _parts(self) -> list[tuple[str, Part]]:
        return [(f.name, getattr(self, f.name)) for f in dataclasses.fields(self)]

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return slot → kind and fields, ready for JSON."""
        return {slot: part.to_dict() for slot, part in self._parts()}

    @classmethod
    def from_dict(cls, slots: dict[str, dict[str, Any]]) -> Self:
        """Rebuild a config from `to_dict`.

        Raises:
            ValueError: If a slot, kind or field is missing or unknown.
        """
        expected = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(slots, dict) or set(slots) != expected:
            raise ValueError(f"a config has the slots {sorted(expected)}; got {slots}.")
        parts: dict[str, Any] = {}
        for slot, fields in slots.items():
            parts[slot] = part_of(slot, fields)
        return cls(**parts)

    @functools.cached_property
    def run_id(self) -> str:
        """Twelve hex digits: the same for equal configs, different otherwise."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def blueprint(self) -> Network:
        """Return the run's network without numbers; its data need not be there."""
        return blueprint(self.model, self.data.image_shape, self.data.num_classes)

    def columns(self) -> dict[str, Any]:
        """Return the flat columns of a table: one per slot's kind and per field."""
        flat: dict[str, Any] = {}
        for slot, part in self._parts():
            fields = part.to_dict()
            fields = {slot: fields.pop("kind")} | fields
            twice = flat.keys() & fields.keys()
            assert not twice, f"two parts have a field {twice}: rename one"
            flat |= fields
        return flat


def num_steps(config: RunConfig) -> int:
    """Return how many steps the run's training takes."""
    num_train, settings = config.columns()["train_size"], config.training
    return -(-num_train // settings.batch_size) * settings.num_epochs


def without_seed(config: RunConfig) -> RunConfig:
    """Return the config with seed 0: equal for configs that differ only by seed."""
    training = dataclasses.replace(config.training, seed=0)
    return dataclasses.replace(config, training=training)


def label(config: RunConfig) -> str:
    """Return what tells a run from its neighbours: "mnist relu_net w=10 d=1 ..."."""
    return f"{label_without_seed(config)} seed={config.training.seed}"


def label_without_seed(config: RunConfig) -> str:
    """Return what tells a setting from its neighbours; seeds repeat a setting."""
    columns = config.columns()
    images = [columns["dataset"]] + (["(rest)"] if "skipped" in columns else [])
    images += ["turned"] if columns["data"] == TurnedImages.kind else []
    short = {"width": "w", "depth": "d", "lr": "lr", "momentum": "momentum"}
    short |= {"output_scale": "alpha"}
    settings = [f"{short[k]}={columns[k]:g}" for k in short if k in columns]
    settings += [columns["optimizer"]] if columns["optimizer"] != Adam.kind else []
    if not isinstance(config.updates, Full):
        settings += [in_words(config.updates)]
        settings += [f"rho={columns['rho']:g}"] if "rho" in columns else []
    if columns.get("num_views"):
        settings += [f"{columns['num_views']} views"]
    if columns["init"] != XavierNormal.kind:
        own = f" ({columns['statistics']})" if "statistics" in columns else ""
        settings += [f"from {columns.get('file', columns['init'])}{own}"]
    elif columns["gain"] != 1:
        settings += [f"gain={columns['gain']:.3g}"]
    return " ".join([*images, columns["model"], *settings])
