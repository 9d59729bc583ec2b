"""What the neighbours' own code does to a small network, for `authors.json`.

It runs in an environment of its own, that nothing else needs, beside checkouts of
ajbrock/FreezeOut and, of OptimalScale/LMFlow's src/lmflow/pipeline/utils, of
lisa_trainer.py (at commit 7791f15) and lisa_trainer_fsdp.py (at ffd2b1d); LMFlow's
packages on PyPI are older than LISA:

    python -m venv authors
    authors/bin/pip install badam==1.4 mosaicml==0.32.1 torch==2.7.0 \
        transformers==4.51.3
    authors/bin/python -m tests.authors FreezeOut/densenet.py \
        lisa_trainer.py lisa_trainer_fsdp.py
"""

import ast
import functools
import importlib.metadata
import json
import sys
import time
import types
import typing
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import nn

FOUND = Path(__file__).with_suffix(".json")
FREEZE_OUT = [
    {"how_scale": "cubic", "t_0": 0.8, "scale_lr": True},
    {"how_scale": "linear", "t_0": 0.5, "scale_lr": False},
    {"how_scale": "squared", "t_0": 0.5, "scale_lr": True},
]
LAYER_FREEZING = [  # layers, epochs, freeze_start, freeze_level
    (6, 10, 0.5, 1.0),
    (12, 20, 0.5, 1.0),
    (5, 10, 0.0, 1.0),
    (5, 7, 0.1, 0.5),
    (2, 4, 0.0, 1.0),
]
BADAM = [  # switch_mode, switch_block_every, whether the top is always awake
    ("descending", 4, False),
    ("ascending", 3, False),
    ("ascending", 3, True),
    ("fixed", 3, False),
]
LISA = [(2, 3), (1, 4), (3, 1)]  # layers drawn, steps between two draws


def network(num_layers: int) -> tuple[nn.Sequential, list[nn.Linear]]:
    """Return a network that is the same under any torch, and its layers."""
    layers = [nn.Linear(4, 4) for _ in range(num_layers)]
    model = nn.Sequential()
    with torch.no_grad():
        for index, layer in enumerate(layers):
            model.extend([layer, nn.Tanh()])
            for p in layer.parameters():
                p.copy_(torch.arange(p.numel()).mul(3).add(index).sin().view_as(p))
    return model, layers


def backward(model: nn.Module) -> None:
    """Leave the gradients of a step; sleeping parameters keep none."""
    model.zero_grad()
    inputs = torch.arange(48.0).sin().view(12, 4)
    (model(inputs) - inputs.flip(1)).square().mean().backward()


def norms(layers: list[nn.Linear]) -> list[float]:
    """Return the length of each layer's parameters."""
    return [
        torch.cat([p.detach().flatten() for p in layer.parameters()]).norm().item()
        for layer in layers
    ]


def defined(file: str, name: str, **given: object) -> Callable:
    """Return their function or class of this name, which sees what is given."""
    (found,) = (
        node
        for node in ast.walk(ast.parse(Path(file).read_text()))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name
    )
    theirs: dict[str, typing.Any] = {**given}
    exec(compile(ast.Module([found], []), file, "exec"), theirs)
    return theirs[name]


def freeze_out(file: str, settings: dict) -> dict:
    """Five layers, an epoch of 1,000 steps: who leaves when, rates and weights."""
    update_lr = defined(file, "update_lr", np=np)
    model, layers = network(5)
    power = {"linear": 1, "squared": 2, "cubic": 3}[settings["how_scale"]]
    optimizer_groups = []
    for index, layer in enumerate(layers):  # as their constructor does
        ratio = (settings["t_0"] + (1 - settings["t_0"]) * index / 4) ** power
        layer.active, layer.layer_index = True, index
        layer.lr_ratio, layer.max_j = ratio, 1000 * ratio
        optimizer_groups.append({"params": layer.parameters(), "layer_index": index})
    optimizer = torch.optim.SGD(
        optimizer_groups, 0.1, momentum=0.9, nesterov=True, weight_decay=1e-4
    )
    net = types.SimpleNamespace(
        modules=lambda: layers, optim=optimizer, j=0, scale_lr=settings["scale_lr"]
    )
    last, rates, weights = [0] * 5, {}, {}
    for step in range(1000):
        update_lr(net)
        backward(model)
        optimizer.step()
        for group in optimizer.param_groups:
            last[group["layer_index"]] = step
        if step in (0, 250, 600, 999):
            rates[step] = [group["lr"] for group in optimizer.param_groups]
            weights[step] = norms(layers)
    return {**settings, "last": last, "rates": rates, "weights": weights}


def layer_freezing(num_layers: int, epochs: int, start: float, level: float) -> dict:
    """Two steps an epoch: the lowest awake layer of each, and the weights after it."""
    from composer.algorithms.layer_freezing.layer_freezing import freeze_layers

    model, layers = network(num_layers)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    lowest, weights = [], []
    for epoch in range(epochs):
        for _ in range(2):
            backward(model)
            optimizer.step()
        awake = [layer.weight.grad is not None for layer in layers]
        lowest.append(awake.index(True))
        weights.append(norms(layers))
        freeze_layers(model, optimizer, (epoch + 1) / epochs, start, level)
    settings = {"freeze_start": start, "freeze_level": level}
    return {"total_epochs": epochs, **settings, "lowest": lowest, "weights": weights}


def badam(mode: str, every: int, top_awake: bool) -> dict:
    """Three layers, 14 steps: who moves, the steps its state knows, the weights."""
    from badam import BlockOptimizer

    model, layers = network(3)
    names = [f"{name}." for name, _ in model.named_children()][::2]
    adam = torch.optim.Adam(model.parameters(), 0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would rather have bf16
        optimizer = BlockOptimizer(
            base_optimizer=adam,
            named_parameters_list=list(model.named_parameters()),
            block_prefix_list=[[name] for name in names[: 2 if top_awake else 3]],
            active_modules=names[2:] if top_awake else [],
            switch_block_every=every,
            switch_mode=mode,
            start_block=1 if mode == "fixed" else None,
        )
    awake, ages, weights = [], [], []
    for _ in range(14):
        awake.append([i for i, one in enumerate(layers) if one.weight.requires_grad])
        backward(model)
        optimizer.step()
        known = {int(state["step"]) for state in adam.state.values()}
        ages.append(max(known, default=0))
        weights.append(norms(layers))
    settings = {"switch_mode": mode, "switch_block_every": every}
    found = {"awake": awake, "ages": ages, "weights": weights}
    return {**settings, "top_awake": top_awake, **found}


def lisa_callback(file: str, num: int, every: int, model: nn.Module) -> typing.Any:
    """Return LMFlow's callback, which leaves the optimizer alone."""
    make = defined(
        file,
        "DynamicLayerActivationCallback",
        np=np,
        print=lambda *_, **__: None,
        Optional=typing.Optional,
        PreTrainedModel=nn.Module,
        TrainerCallback=object,
    )
    return make(num, every, model, lisa_layers_attribute="model.body")


def lisa_trainer(file: str, num: int, every: int, **settings: object) -> typing.Any:
    """Return LMFlow's trainer for shards, which drops states. It is asked each step."""
    make = defined(
        file,
        "LISATrainer",
        np=np,
        nn=nn,
        time=time,
        print=lambda *_, **__: None,
        List=list,
        torch=mock.MagicMock(),  # it would record a GPU's memory
        Trainer=types.SimpleNamespace,
        LISA_LAYER_NAME_MAPPING={},
        is_sagemaker_mp_enabled=lambda: False,
    )
    return make(num, every, "body", optimizer=None, **settings)


def lisa(files: list[str], forgets: str, num: int, every: int) -> dict:
    """Six layers, 14 steps: who moves, the steps its state knows, the weights."""
    np.random.seed(0)  # noqa: NPY002 (theirs is the global generator)
    model, layers = network(6)
    bottom, *body, top = (model[i : i + 2] for i in range(0, 12, 2))
    parts = {"bottom": bottom, "body": nn.Sequential(*body), "top": top}
    model = nn.Sequential(OrderedDict(parts))
    state = types.SimpleNamespace(global_step=0)
    if forgets == "none":
        callback = lisa_callback(files[0], num, every, model)
        adamw = torch.optim.AdamW(model.parameters(), 0.05, weight_decay=0.1)
        begin = functools.partial(callback.on_step_begin, None, state, None)
    else:
        trainer = lisa_trainer(
            files[1],
            num,
            every,
            model=model,
            state=state,
            args=types.SimpleNamespace(weight_decay=0.1),
            get_decay_parameter_names=lambda m: dict(m.named_parameters()),
            get_optimizer_cls_and_kwargs=lambda *_: (torch.optim.AdamW, {"lr": 0.05}),
        )
        adamw, begin = trainer.create_optimizer(), trainer.maybe_switch_active_layers
    awake, ages, weights = [], [], []
    for state.global_step in range(14):
        begin()
        awake.append([i for i, one in enumerate(layers) if one.weight.requires_grad])
        backward(model)
        adamw.step()
        known = [adamw.state.get(layer.weight, {}) for layer in layers]
        ages.append([int(one.get("step", 0)) for one in known])
        weights.append(norms(layers))
    settings = {"forgets": forgets, "activated_layers": num, "interval_steps": every}
    return {**settings, "awake": awake, "ages": ages, "weights": weights}


def lisa_counts(file: str) -> list[int]:
    """Draw two of five layers 3,000 times. Return how often each was drawn."""
    np.random.seed(0)  # noqa: NPY002
    model = nn.Sequential(OrderedDict(body=nn.Sequential(*network(5)[1])))
    callback, counts = lisa_callback(file, 2, 1, model), np.zeros(5, int)
    for step in range(3000):
        callback.on_step_begin(None, types.SimpleNamespace(global_step=step), None)
        counts[callback.active_layers_indices] += 1
    return counts.tolist()


if __name__ == "__main__":
    made = {
        "made_by": {
            name: importlib.metadata.version(name)
            for name in ("badam", "mosaicml", "torch")
        },
        "freeze_out": [freeze_out(sys.argv[1], one) for one in FREEZE_OUT],
        "layer_freezing": [layer_freezing(*one) for one in LAYER_FREEZING],
        "badam": [badam(*one) for one in BADAM],
        "lisa": {
            "counts": lisa_counts(sys.argv[2]),
            "runs": [
                lisa(sys.argv[2:], forgets, *one)
                for forgets in ("none", "middle")
                for one in LISA
            ],
        },
    }
    FOUND.write_text(json.dumps(made) + "\n")
