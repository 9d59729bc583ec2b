"""Time is charged to the phase that spends it; memory is what the graph holds."""

import dataclasses

import pandas as pd
import pytest
import torch
from torch import nn

from lazyrich_helpers.analysis.tables.timing import relative, times_table
from lazyrich_helpers.measures import timing
from lazyrich_helpers.models.convnets import ConvNet
from lazyrich_helpers.runner.progress import watched
from lazyrich_helpers.training.optimizers import SGD, Adam
from tests import tiny

PLANS = {"full": {0, 1, 2}, "top": {2}}


def test_every_step_of_every_plan_has_every_phase(capsys):
    found = timing.step_seconds(
        tiny.CONFIG, PLANS, num_steps=4, warm_up=2, watch=watched
    )
    table = times_table(found)
    assert len(table) == 4 * 2 * len(timing.PHASES)
    assert set(table.plan) == set(PLANS) and set(table.step) == {0, 1, 2, 3}
    assert (table.seconds > 0).all()
    assert " 0%|" in capsys.readouterr().err


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still; returns what lets a call take so many seconds."""
    seconds = [0.0]
    monkeypatch.setattr(timing, "now", lambda device: seconds[0])

    def takes(amount, function):
        def slow(*args, **options):
            seconds[0] += amount
            return function(*args, **options)

        return slow

    return takes


def test_any_model_is_timed_by_its_layers(clock, monkeypatch):
    layers = [nn.Linear(8, 9), nn.Linear(9, 9), nn.Linear(9, 2)]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    before = [layer.weight.detach().clone() for layer in layers]
    steps = []

    def batch(step):
        steps.append(step)
        return torch.ones(4, 8), torch.zeros(4, dtype=torch.int64)

    def loss(inputs, labels):
        return nn.functional.cross_entropy(model(inputs), labels)

    monkeypatch.setattr(torch.Tensor, "backward", clock(3, torch.Tensor.backward))
    monkeypatch.setattr(optimizer, "step", clock(4, optimizer.step))
    plans = {"top": [2], "ends": [0, 2]}
    found = timing.model_step_seconds(
        layers,
        clock(1, batch),
        clock(2, loss),
        optimizer,
        plans,
        num_steps=3,
        warm_up=1,
    )
    assert steps == [0, 0, 1, 1, 2, 2, 3, 3]
    each = {"data": [1] * 3, "forward": [2] * 3, "backward": [3] * 3}
    assert found == dict.fromkeys(plans, each | {"optimizer": [4] * 3})
    after = [layer.weight for layer in layers]
    still = [torch.equal(*pair) for pair in zip(before, after, strict=True)]
    assert still == [False, True, False]


def test_only_trainable_layers_of_a_run_move():
    seen = []

    class Spy(Adam, slot="optimizer", kind="test_spy"):
        def build(self, parameters):
            groups = list(parameters)
            seen.extend(group["params"] for group in groups)
            return super().build(groups)

    config = tiny.config(optimizer=Spy(lr=0.1))
    timing.step_seconds(config, {"top": {2}}, num_steps=2)
    have = [all(p.grad is not None for p in group) for group in seen]
    assert have == [False, False, True]


def test_ratios_are_of_the_same_step():
    rows = [("full", s, "backward", 2.0 ** (s + 1)) for s in range(5)]
    rows += [("top", s, "backward", 2.0**s) for s in range(5)]
    rows += [(plan, s, "forward", 1.0) for plan in ("full", "top") for s in range(5)]
    table = pd.DataFrame(rows, columns=["plan", "step", "phase", "seconds"])
    found = relative(table, "backward").set_index("plan")
    assert found.loc["top"].tolist() == [0.5, 0.5, 0.5]
    assert found.loc["full"].tolist() == [1, 1, 1]
    total = relative(table, "total").set_index("plan")
    assert total.loc["top", "median"] == pytest.approx((4 + 1) / (8 + 1))
    assert total.loc["top", "low"] == pytest.approx(5 / 9, abs=0.03)


def test_bytes_by_hand():
    config = dataclasses.replace(tiny.CONFIG, optimizer=Adam(lr=0.1))
    batch, weights = config.training.batch_size, [64 * 12 + 12, 12 * 13, 10 * 13]
    full = timing.step_bytes(config, {0, 1, 2})
    assert full["gradients"] == 4 * sum(weights)
    assert full["optimizer"] == 2 * 4 * sum(weights)  # Adam's two moments
    # Kept: each layer's ReLU, which is what the next layer reads, and the loss's
    # log-probabilities with one number more, the weight of its sum.
    hidden, logits = 4 * batch * 12, 4 * batch * 10
    assert full["activations"] == 2 * hidden + logits + 4
    top = timing.step_bytes(config, {2})
    assert top["gradients"] == 4 * weights[2]
    assert top["activations"] == hidden + logits + 4
    plain = dataclasses.replace(config, optimizer=SGD(momentum=0.0))
    assert timing.step_bytes(plain, {2})["optimizer"] == 0


def test_convolutions_below_the_cut_are_not_kept():
    config = tiny.config(model=ConvNet(width=4, depth=2))
    full, top = (timing.step_bytes(config, layers) for layers in ({0, 1, 2}, {2}))
    assert top["activations"] < full["activations"] / 10
