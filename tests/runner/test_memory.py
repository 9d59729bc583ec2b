"""An estimate of memory by hand, and beside what a process takes."""

import re

import pytest

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.lws.schedules import TopK
from lazyrich_helpers.models.convnets import ConvNet
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.runner import memory
from lazyrich_helpers.runner.memory import peak_bytes
from tests import tiny

IMAGES = (200 + 200 + 500) * 64
"""Numbers of the tiny run's images: trained on, held out, tested on."""


def test_a_run_by_hand():
    config = tiny.config(model=ReluNet(width=3000, depth=1))
    each = 9 * (3000 * 65 + 10 * 3001) + 1000 * 4 * 3000  # evaluating
    assert peak_bytes(config) == 4 * (IMAGES + each)
    assert peak_bytes(config, num=20) == 4 * (IMAGES + 20 * each)
    sparse = tiny.config(model=ReluNet(width=3000, depth=1), updates=TopK(k=1))
    assert peak_bytes(sparse) == pytest.approx(peak_bytes(config) + 4 * 900 * 3000)
    sizes = (100_000, 200_000)  # where a batch is fuller than an evaluation
    some, twice = (peak_bytes(tiny.training(batch_size=size)) for size in sizes)
    numbers = 64 + 2 * 2 * 12 + 10  # the images in a row, two layers with ReLU, classes
    assert twice - some == 4 * 100_000 * numbers
    conv = tiny.config(model=ConvNet(width=500, depth=2))
    assert peak_bytes(conv) > 4 * 1000 * 4 * 64 * 500  # all places of four maps


def test_views_and_what_they_were_made_of_are_there_as_well():
    config = make_recipe("figure-7-vgg11", "paper").configs[0]
    image = 4 * 3 * 32 * 32
    numbers = memory._image_numbers(config)
    views = (2 + config.data.num_views) * 50_000
    assert 4 * numbers == (views + 2 * 10_000) * image


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
peak = peak_bytes(recipe.configs[0])
print("RATIO", (status("VmHWM") - before) / peak)
"""


@pytest.mark.parametrize(
    ("name", "width"), [("figure-2", 20_000), ("learning-rates-vgg5", 48)]
)
def test_it_is_rather_too_much(name, width, tmp_path):
    process = tiny.python("-c", MEASURED, name, str(width), str(tmp_path))
    out, err = process.communicate(timeout=300)
    found = re.search(r"RATIO (\S+)", out)
    assert found, err
    assert 0.3 < float(found[1]) < 1.1


def test_free_memory_is_what_the_system_and_its_limits_leave(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.free("cpu") == float("inf")
    total = "MemTotal:       8000 kB\nMemAvailable:   5000 kB\n"
    (tmp_path / "meminfo").write_text(total)
    assert memory.free("cpu") == 5000 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free("cpu") == 5000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    stat = "anon 900000\ninactive_file 500000\nactive_file 70000\n"
    (tmp_path / "memory.stat").write_text(stat)
    assert memory.free("cpu") == 3_000_000 - 2_500_000 + 570_000
