"""Every cell of a chapter trains what the parameters say, and nothing else."""

import ast
import dataclasses
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

from lazyrich_helpers.data import sources
from lazyrich_helpers.data.datasets import Images
from lazyrich_helpers.runner.grid_points import find_chapter
from lazyrich_helpers.training import loop
from lazyrich_helpers.training.run_config import RunConfig
from tests.book.test_chapters import code, tagged
from tests.refresh_outputs import recipe_chapters

DEVICE = "cpu:1"
"""The CPU by another name."""
ODD = {
    "dataset": "odd",
    "widths": [3],
    "seeds": [7],
    "lrs": [0.004],
    "num_epochs": 1,
    "train_size": 120,
    "precision": "bf16",
    "ks": [2],
    "rhos": [0.7],
}
"""Values that no budget has by itself."""
FIELDS = {"widths": "width", "seeds": "seed", "lrs": "lr", "ks": "k", "rhos": "rho"}
"""Their columns, where they are called otherwise."""
ASIDE = {
    "03_setup": [{"lrs"}],
    "04_active_parameters": [{"lrs"}],
    "07_probabilistic_lws": [{"ks", "rhos"}],
    "07b_time_and_caching": [  # cached or not: equal
        {"rhos", "lrs", "num_epochs", "train_size", "precision"}
    ],
}
"""Parameters that a run may differ in: what an exercise has its reader change."""


def run_cells(path: Path, **values: Any) -> None:
    """Execute a chapter's code in this process, with other parameters."""
    cells = nbformat.read(path, as_version=4).cells
    names: dict[str, Any] = {"display": lambda shown: None}
    (parameters,) = tagged(cells, "parameters")
    for cell in code(cells):
        exec(compile(cell.source, cell.id, "exec"), names)
        if cell is parameters:
            names |= {name: value for name, value in values.items() if name in names}


@pytest.fixture
def odd_data(monkeypatch) -> None:
    """The digits, enlarged, as a data set of another name."""
    digits = sources.SOURCES["digits"]

    def parse(files: list[bytes]) -> sources.Arrays:
        pixels, labels, *test = digits.parse(files)
        larger = [np.repeat(np.repeat(x, 2, 2), 2, 3) for x in (pixels, test[0])]
        return larger[0], labels, larger[1], test[1]

    odd = dataclasses.replace(digits, parse=parse, image_size=16)
    monkeypatch.setitem(sources.SOURCES, "odd", odd)


@pytest.fixture
def made(monkeypatch) -> list[tuple[RunConfig, str]]:
    """Every network that is made from here on, and the device that it was made for."""
    networks, devices = [], {}
    plain, load = loop.new_network, Images.load

    def spying_load(part: Images, device: str = "cpu"):
        data = load(part, device)
        devices[id(data)] = device
        return data

    def new_network(config, data):
        networks.append((config, devices.get(id(data), "as asked for")))
        return plain(config, data)

    monkeypatch.setattr(Images, "load", spying_load)
    for module in list(sys.modules.values()):
        if getattr(module, "new_network", None) is plain:
            monkeypatch.setattr(module, "new_network", new_network)
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    return networks


def strays(config: RunConfig) -> set[str]:
    """Return the parameters that a run does not obey."""
    columns = config.columns()
    there = {name: columns.get(FIELDS.get(name, name)) for name in ODD}
    wanted = {name: v[0] if isinstance(v, list) else v for name, v in ODD.items()}
    return {name for name, v in there.items() if v not in (None, wanted[name])}


@pytest.mark.parametrize("path", recipe_chapters(), ids=lambda path: path.stem)
def test_what_a_chapter_trains_is_what_its_parameters_say(path, odd_data, made):
    run_cells(path, budget="smoke", device=DEVICE, **ODD)
    assert made, "nothing was trained"
    for config, device in made:
        allowed = [set(), *ASIDE.get(path.stem, [])]
        assert any(strays(config) <= some for some in allowed), config
        assert device in (DEVICE, "as asked for"), config


@pytest.mark.filterwarnings("ignore:No artists with labels:UserWarning")
@pytest.mark.parametrize(
    ("chapter", "values"),
    [("3", {"train_size": 10}), ("4", {"lrs": [1e39]})],  # one a class; all diverge
)
def test_a_chapter_ends_where_there_is_little_to_show(chapter, values, made):
    few = {"widths": [4], "seeds": [0], "num_epochs": 1}
    run_cells(find_chapter(chapter), budget="smoke", device="cpu", **few, **values)


@pytest.mark.parametrize("path", recipe_chapters(), ids=lambda path: path.stem)
def test_no_cell_names_a_device_of_its_own(path):
    cells = nbformat.read(path, as_version=4).cells
    (parameters,) = tagged(cells, "parameters")
    for cell in code(cells):
        if cell is not parameters:
            nodes = ast.walk(ast.parse(cell.source))
            texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
            assert not texts & {"auto", "cpu", "cuda"}, cell.source
