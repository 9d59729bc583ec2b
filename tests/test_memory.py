"""Bytes by hand, and as the process that runs it has them."""

import dataclasses
import re
import weakref

import pytest

from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.lws.frozen_prefix import FrozenPrefixCache
from lazyrich_helpers.lws.schedules import Full, RandomBeta, TopK, TopKAllBottoms
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.measures.reinit_curves import Reinit
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.runner import memory
from lazyrich_helpers.runner.activation_memory import input_bytes, kept_bytes
from lazyrich_helpers.runner.memory import (
    data_bytes,
    layer_parameters,
    num_states,
    peak_bytes,
    sleeping_bytes,
    step_bytes,
)
from lazyrich_helpers.training.loop import EVAL_BATCH, new_network, train
from lazyrich_helpers.training.optimizers import SGD
from tests import tiny


@pytest.mark.parametrize("train_size", [200, 1000])
def test_data_is_as_large_as_it_loads(train_size):
    config = tiny.config(data=images("digits", train_size=train_size))
    data = config.data.load()
    splits = (data.train, data.held_out, data.test)
    loaded = sum(split.images.nbytes for split in splits)
    # A class that runs out leaves a few fewer held out than there are images.
    assert data_bytes(config) == pytest.approx(loaded, rel=0.1)


def test_views_and_what_they_were_made_of_are_there_as_well():
    config = make_recipe("figure-7-vgg11", "paper").configs[0]
    image = 4 * 3 * 32 * 32
    assert data_bytes(config) == 2 * (50_000 + 0 + 10_000) * image
    views = with_views(config, 3)
    assert data_bytes(views) == data_bytes(config) + 3 * 50_000 * image


def with_views(config, num_views):
    """Return the config with so many fixed draws of its cropped images."""
    fields = dataclasses.asdict(config.data) | {"num_views": num_views}
    return dataclasses.replace(config, data=CroppedImages(**fields))


def test_a_step_by_hand():
    config = tiny.config(model=ReluNet(width=5, depth=1))
    bottom, top = layer_parameters(config)
    passing = 32 * 4 * (5 + 10)
    kept = kept_bytes(config, frozenset({0, 1}))
    assert step_bytes(config) == 4 * 3 * (bottom + top) + kept + passing
    sparse = dataclasses.replace(config, updates=TopK(k=1))
    kept = kept_bytes(config, frozenset({1}))
    assert step_bytes(sparse) == 4 * 3 * top + kept + passing
    plain = dataclasses.replace(sparse, optimizer=SGD(lr=0.1, momentum=0.0))
    assert num_states(plain) == 0 and num_states(tiny.config(optimizer=SGD())) == 1
    assert step_bytes(plain) == 4 * top + kept + passing


def test_sleeping_layers_are_kept_for_training_and_test_images():
    config = tiny.config(updates=TopK(k=1))  # 12 numbers of each image
    assert sleeping_bytes(config) == (200 + 500) * 12 * 4
    assert sleeping_bytes(tiny.CONFIG) == 0
    several = tiny.config(updates=tiny.Cyclic(), model=ReluNet(width=12, depth=3))
    assert sleeping_bytes(several) == 0  # by step; the bottom is awake in every epoch
    wide = tiny.config(model=ReluNet(width=600_000, depth=1), updates=TopK(k=1))
    # Of the test images it would be more than `MOST_BYTES`.
    assert sleeping_bytes(wide) == 200 * 600_000 * 4


def test_each_view_is_kept():
    config = make_recipe("figure-7-vgg11", "paper", widths=[2]).configs[1]
    assert config.updates == TopK(k=1)
    *_, size = input_bytes(config)
    for num_views in (0, 1, 3):  # where they are always new, the test images alone
        views = with_views(config, num_views)
        assert sleeping_bytes(views) == (num_views * 50_000 + 10_000) * size


@pytest.mark.parametrize("most", [2**20, 50_000, 24_000])
@pytest.mark.parametrize("updates", [RandomBeta(), tiny.Cuts(cuts=(3, 9, 5))])
def test_what_a_training_keeps_stays_below_it(updates, most, monkeypatch):
    num_epochs = len(updates.cuts) if isinstance(updates, tiny.Cuts) else 30
    config = dataclasses.replace(
        tiny.training(num_epochs=num_epochs),
        model=ReluNet(width=12, depth=11),
        updates=updates,
    )
    monkeypatch.setattr(memory, "MOST_BYTES", most)
    kept, fullest, plain = [], [0], FrozenPrefixCache._room

    def spy(*args):
        outputs = plain(*args)
        kept.append(weakref.ref(outputs))
        there = [values for each in kept if (values := each()) is not None]
        fullest.append(sum(values.nbytes for values in there))
        return outputs

    monkeypatch.setattr(FrozenPrefixCache, "_room", spy)
    data = config.data.load()
    for _ in train(new_network(config, data), data, config, cache_bytes=most):
        pass
    # Training and test images are not at their fullest at the same moment.
    assert 0.8 * sleeping_bytes(config) < max(fullest) <= sleeping_bytes(config)


def _training(width: int) -> float:
    """Return the bytes of a run in training, less the images, by hand."""
    config = tiny.config(model=ReluNet(width=width, depth=2))
    evaluating = EVAL_BATCH * 4 * 2 * width
    parameters = 4 * sum(layer_parameters(config))
    return 2 * parameters + max(step_bytes(config), evaluating)


def test_grows_with_width_with_measures_and_with_runs_trained_as_one():
    def peak(width, measures=(Accuracy,), **options):
        config = tiny.config(model=ReluNet(width=width, depth=2))
        return peak_bytes(config, measures, **options)

    assert peak(500) < peak(1000) < peak(1000, (Accuracy, Movement))
    assert peak(1000, (Movement,)) == peak(1000, (Reinit,))
    assert peak(500) < peak(500, num=4)
    # Enough of them are fuller in training than one is when it is measured.
    assert peak(500, num=40) - peak(500, num=20) == 20 * _training(500)
    sparse, full = (
        peak_bytes(tiny.config(model=ReluNet(width=1000, depth=2), updates=updates))
        for updates in (TopKAllBottoms(k=1, rho=0.0), Full())
    )
    assert sparse < full


MEASURED = """
import pathlib, re, sys, torch
from lazyrich_helpers.runner.batch import complete
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.runner.memory import peak_bytes
from lazyrich_helpers.runner.progress import Lines
from lazyrich_helpers.experiments.records import Store
from tests import tiny
torch.set_num_threads(1)
def status(name):
    text = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(re.search(name + r":\\s+(\\d+)", text)[1])
name, width = sys.argv[1], int(sys.argv[2])
few = {"train_size": 250, "num_epochs": 1, "seeds": [0], "widths": [width]}
recipe = make_recipe(name, "smoke", **few)
recipe = tiny.recipe(recipe.configs[0], measures=recipe.measures)
folder = pathlib.Path(sys.argv[3])
tiny.finish(Store(folder / "first", folder))  # what torch takes the first time
before = status("VmRSS")
complete(recipe, Store(folder / "r", folder), device="cpu", progress=Lines())
peak = peak_bytes(recipe.configs[0], recipe.measures)
print("RATIO", (status("VmHWM") - before) / peak)
"""


@pytest.mark.parametrize(
    ("name", "width"), [("figure-2", 20_000), ("learning-rates-vgg5", 48)]
)
def test_near_what_the_process_takes(name, width, tmp_path):
    process = tiny.python("-c", MEASURED, name, str(width), str(tmp_path))
    out, err = process.communicate(timeout=300)
    found = re.search(r"RATIO (\S+)", out)
    assert found, err
    assert 0.5 < float(found[1]) < 2


def test_evaluation_counts_where_it_is_fuller_than_a_step():
    config = tiny.training(batch_size=1)
    wide = dataclasses.replace(config, model=ReluNet(width=3000, depth=1))
    results = EVAL_BATCH * 4 * (3000 + 3000)
    parameters = 4 * sum(layer_parameters(wide))
    expected = data_bytes(wide) + 3 * parameters + results
    assert peak_bytes(wide, [Accuracy]) == pytest.approx(expected)


def test_free_memory_is_what_the_system_and_its_limits_leave(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.free("cpu") == memory.room("cpu") == float("inf")
    total = "MemTotal:       8000 kB\nMemAvailable:   5000 kB\n"
    (tmp_path / "meminfo").write_text(total)
    assert memory.room("cpu") == 8000 * 1024
    assert memory.free("cpu") == 5000 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free("cpu") == 5000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    assert memory.room("cpu") == 3_000_000
    (tmp_path / "memory.current").write_text("2500000\n")
    stat = "anon 900000\ninactive_file 500000\nactive_file 70000\n"
    (tmp_path / "memory.stat").write_text(stat)
    assert memory.free("cpu") == 3_000_000 - 2_500_000 + 570_000
