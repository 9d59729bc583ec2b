"""Every test: one thread, offline, smoke or what it asks for, its own store."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.axes import Axes
from playwright.sync_api import Browser

from lazyrich_helpers.data import vision
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.runner import dry_run, execution
from lazyrich_helpers.training.loop import Trained
from lazyrich_helpers.training.run_config import RunConfig
from tests import browser as chromium
from tests import tiny


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep a test from the reader's store and settings, and from other tests."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    monkeypatch.setenv("LAZYRICH_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("LAZYRICH_BUDGET", raising=False)
    yield
    plt.close("all")


@pytest.fixture
def ax() -> Axes:
    return plt.subplots()[1]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The store that `LAZYRICH_STORE` names in this test."""
    return Store(tmp_path / "store" / "records", tmp_path / "store" / "weights")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folders of data and of weights, and no network; returns the former."""

    def no_network():
        raise RuntimeError("no network")

    monkeypatch.setattr(vision, "datasets", no_network)
    monkeypatch.setattr(vision, "models", no_network)
    monkeypatch.setenv("LAZYRICH_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("LAZYRICH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without network; gone before another module starts its own."""
    with chromium.start() as started:
        yield started


@pytest.fixture(scope="session")
def trained() -> Trained:
    """The tiny network, trained; leave it as you find it."""
    torch.set_num_threads(1)
    return tiny.trained()


@pytest.fixture
def known_trial(monkeypatch) -> list[tuple[RunConfig, int]]:
    """Have an image take 0.5 s in a step, shared by those trained as one.

    Returns what was tried.
    """
    asked = []

    def trial(config, num, device):
        asked.append((config, num))
        return 0.5 / num

    monkeypatch.setattr(dry_run, "seconds_per_image", trial)
    return asked


@pytest.fixture
def no_training(monkeypatch):
    """Make any training fail from here on."""

    def forbidden():
        def train(*args, **options):
            raise AssertionError("trained again")

        monkeypatch.setattr(execution, "train", train)
        monkeypatch.setattr(execution, "train_ensemble", train)

    return forbidden
