"""The same net under torch and under TensorFlow's DTensor, where that is installed.

TensorFlow runs in a process of its own and is never imported here.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from lazyrich_helpers.data.datasets import Dataset, images
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.papers.sharded.nets import data_of, loss_curve, started
from lazyrich_helpers.training.layouts import fully_connected
from lazyrich_helpers.training.objectives import CrossEntropy
from lazyrich_helpers.training.optimizers import SGD
from lazyrich_helpers.training.run_config import RunConfig, Training
from lazyrich_helpers.training.steps import example_order

SCRIPT = Path(__file__).with_name("dtensor_script.py")
VARIABLE = "LAZYRICH_TENSORFLOW"
"""Names a Python that has TensorFlow, where this one has not."""
DTYPES = {"fp32": torch.float32, "fp64": torch.float64}


@dataclass(frozen=True, kw_only=True)
class TensorFlowSettings:
    """A network that both train, by plain gradient descent on digits."""

    precisions: tuple[str, ...] = ("fp32", "fp64")
    width: int = 32
    depth: int = 2
    """Hidden layers: one pair to split, and the top."""
    num_epochs: int
    train_size: int = 500
    batch_size: int = 50
    lr: float = 0.1
    num_devices: int = 2
    """Virtual ones of the CPU."""


def python_with_tensorflow() -> str:
    """Return an interpreter that has TensorFlow.

    Raises:
        ValueError: If there is none.
    """
    if named := os.environ.get(VARIABLE):
        return named
    if importlib.util.find_spec("tensorflow") is None:
        raise ValueError(
            "this comparison needs TensorFlow, which is optional: pip install "
            f"tensorflow-cpu, here or elsewhere with {VARIABLE} naming that python."
        )
    return sys.executable


def _point(settings: TensorFlowSettings, name: str, device: str) -> pd.DataFrame:
    """Return losses by epoch of one torch process and of each DTensor layout."""
    del device  # virtual ones of the CPU
    config = RunConfig(
        data=images("digits", train_size=settings.train_size),
        model=ReluNet(width=settings.width, depth=settings.depth),
        init=XavierNormal(),
        objective=CrossEntropy(),
        optimizer=SGD(lr=settings.lr, momentum=0.0, weight_decay=0.0),
        updates=Full(),
        training=Training(
            num_epochs=settings.num_epochs, batch_size=settings.batch_size
        ),
    )
    data = data_of(config, DTYPES[name])
    given = _given(config, data, settings)
    told = under_dtensor(given)
    ours = loss_curve(started(config, data), config, data)
    rows = [
        (layout, epoch, loss, abs(loss - one), told["version"])
        for layout, curve in told["losses"].items()
        for epoch, (loss, one) in enumerate(zip(curve, ours, strict=True), 1)
    ]
    names = ["layout", "epoch", "loss", "apart", "tensorflow"]
    return pd.DataFrame(rows, columns=names)


def _given(
    config: RunConfig, data: Dataset, settings: TensorFlowSettings
) -> dict[str, Any]:
    """Return what TensorFlow is given: the start, the images and their order."""
    network = started(config, data)
    ways = fully_connected(network)
    modules = network.named_modules()
    named = [(n, module) for n, module in modules if isinstance(module, nn.Linear)]
    epochs, num = range(settings.num_epochs), len(data.train)
    arrays: dict[str, Any] = {
        "images": data.train.images.flatten(1),
        "labels": data.train.labels,
        "orders": torch.stack([example_order(config, num, epoch) for epoch in epochs]),
        "directives": [ways.get(name, "") for name, _ in named],
    }
    for number, (_, linear) in enumerate(named):
        arrays[f"weight{number}"] = linear.weight.detach()
        arrays[f"bias{number}"] = linear.bias.detach()
    for name in ("batch_size", "lr", "num_devices"):
        arrays[name] = getattr(settings, name)
    return {name: np.asarray(values) for name, values in arrays.items()}


def under_dtensor(given: dict[str, Any]) -> dict[str, Any]:
    """Return TensorFlow's version and its losses by layout.

    Raises:
        ValueError: If there is no TensorFlow, or it fails.
    """
    python = python_with_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        source, found = Path(folder) / "given.npz", Path(folder) / "found.json"
        np.savez(source, **given)
        words = [python, str(SCRIPT), str(source), str(found)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"TensorFlow ended early: {done.stderr[-500:]}")
        return json.loads(found.read_text(encoding="utf-8"))


TENSORFLOW = Study(
    name="sharded-tensorflow",
    says="training losses of a net under TensorFlow's DTensor, beside torch's",
    point=_point,
    over="precisions",
    arithmetic=str,
    budgets={
        "smoke": TensorFlowSettings(num_epochs=2, train_size=100),
        "laptop": TensorFlowSettings(num_epochs=5),
        "paper": TensorFlowSettings(num_epochs=20),
    },
)
