"""A compiled step is the plain one up to rounding, whichever layers move."""

import copy
import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch._dynamo import config as dynamo
from torch._dynamo.testing import CompileCounterWithBackend
from torch._inductor import config as inductor

from lazyrich_helpers import compiled
from lazyrich_helpers.compiled import CompiledStep, CompileError, PlainStep
from lazyrich_helpers.config import Part
from lazyrich_helpers.convnets import VGG5, ConvNet
from lazyrich_helpers.models import Network, ReluNet
from lazyrich_helpers.objectives import CrossEntropy
from lazyrich_helpers.optimizers import SGD
from lazyrich_helpers.schedules import (
    Plan,
    RandomUniform,
    TopBottom,
    TopKAllBottoms,
)
from lazyrich_helpers.sleeping import wake
from lazyrich_helpers.train import new_network, train
from tests import tiny

MODELS = {"relu": ReluNet(width=12, depth=2), "conv": ConvNet(width=4, depth=2)}
SCHEDULES = {
    "static": TopBottom(k=1, q=1),
    "probabilistic": TopKAllBottoms(k=1, rho=0.5),
    "each step": RandomUniform(draw="step"),
}
HEAVY = SGD(lr=0.1, momentum=0.9, weight_decay=0.1)


@dataclass(frozen=True, kw_only=True)
class Shifting(Part, slot="updates", kind="test_shifting"):
    """Bottom and top in turn in the first epoch, the top alone in the second."""

    per_step: ClassVar[bool] = True

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        return Plan(frozenset({0 if step == epoch == 0 else num_layers - 1}))


@pytest.fixture(autouse=True)
def counter(monkeypatch):
    """Compile to operations rather than to machine code, and count how often.

    What is called for other than it was compiled for must not be torch's to notice.
    """
    count = CompileCounterWithBackend("aot_eager")
    monkeypatch.setattr(compiled, "BACKEND", count)
    with dynamo.patch(error_on_recompile=True):
        yield count


@pytest.fixture
def taken(monkeypatch):
    """What each plain step was asked: layers that move, first layer, batch size."""
    asked, plain = [], PlainStep.__call__

    def spy(step, inputs, labels, start, awake):
        asked.append((awake, start, len(inputs)))
        return plain(step, inputs, labels, start, awake)

    monkeypatch.setattr(PlainStep, "__call__", spy)
    return asked


def trained(config, **options):
    """Return the network's state after each epoch, and the losses."""
    data = config.data.load()
    network = new_network(config, data)
    states, losses = [], []
    for epoch in train(network, data, config, **options):
        states.append(copy.deepcopy(network.state_dict()))
        losses.append(epoch.train_loss)
    return states, losses


def assert_same(config, **options):
    """Train either way; the networks must be the same after every epoch."""
    plain, losses = trained(config, **options)
    states, again = trained(config, compiled=True, **options)
    assert again == pytest.approx(losses, rel=1e-4)
    torch.testing.assert_close(states, plain, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("updates", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_training_is_the_same_and_compiles_each_set_once(
    model, updates, counter, taken
):
    config = dataclasses.replace(
        tiny.training(num_epochs=5), model=model, updates=updates, optimizer=HEAVY
    )
    assert_same(config)
    full = {(awake, start) for awake, start, size in taken if size == 32}
    assert {size for _, _, size in taken} == {32, 8}  # 200 images; 8 stay uncompiled
    assert counter.frame_count == len(full)


def test_a_first_layer_is_compiled_apart(counter, taken):
    # The top layer moves in both epochs; what is below it is kept in the second.
    config = dataclasses.replace(
        tiny.training(num_epochs=2, batch_size=100), updates=Shifting()
    )
    assert_same(config)
    starts = {(awake, start) for awake, start, _ in taken}
    assert starts == {(frozenset({k}), start) for k, start in ((0, 0), (2, 0), (2, 2))}
    assert counter.frame_count == 3


def test_a_batch_that_is_all_there_is_is_compiled(counter):
    assert_same(tiny.training(num_epochs=2, batch_size=500))
    assert counter.frame_count == 1


def batch_loss(network):
    objective = CrossEntropy()
    return lambda inputs, labels, start: objective.loss(network(inputs, start), labels)


def test_more_sets_than_torch_would_recompile_and_batch_norm_rests(counter):
    config = tiny.config(model=VGG5(width=1, batch_norm=True))
    one, two = networks = [new_network(config, config.data.load()) for _ in range(2)]
    steps = [PlainStep(batch_loss(one)), CompiledStep(batch_loss(two), 32)]
    optimizers = [HEAVY.build(network.parameters()) for network in networks]
    data = config.data.load().train
    depth = len(one.layers)
    sets = [frozenset(range(k, depth)) for k in range(depth)]
    assert len(sets) > dynamo.recompile_limit
    for turn, awake in enumerate([*sets, *reversed(sets)]):
        inputs, labels = data.images[turn:][:32], data.labels[turn:][:32]
        before = copy.deepcopy(two.layers)
        values = []
        for network, step, optimizer in zip(networks, steps, optimizers, strict=True):
            wake(list(network.layers), awake)
            optimizer.zero_grad(set_to_none=True)
            values.append(step(inputs, labels, 0, awake))
            optimizer.step()
        assert not values[1].requires_grad
        assert_alike(*values)
        assert_alike(*(network.state_dict() for network in networks))
        for index, (old, new) in enumerate(zip(before, two.layers, strict=True)):
            for p in new.parameters():
                assert (p.grad is not None) == (index in awake)
            if index not in awake:
                assert_identical(old.state_dict(), new.state_dict())
        assert counter.frame_count == min(turn + 1, len(sets))


def assert_alike(one, two):
    torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-5)


def assert_identical(one, two):
    torch.testing.assert_close(one, two, rtol=0, atol=0)


@pytest.fixture
def machine_code(monkeypatch, tmp_path):
    """Compile as outside the tests, here and into an empty folder; return it."""
    monkeypatch.setattr(compiled, "BACKEND", "inductor")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "code"))
    with inductor.patch(compile_threads=1):
        yield tmp_path / "code"


from_torch = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


@from_torch
def test_machine_code_trains_the_same(machine_code):
    config = dataclasses.replace(
        tiny.training(num_epochs=4),
        model=ReluNet(width=12, depth=1),
        updates=TopKAllBottoms(k=1, rho=0.5),
    )
    assert_same(config)
    assert any(machine_code.rglob("*.so"))


@from_torch
def test_without_a_compiler_it_is_a_sentence(machine_code):
    with inductor.patch({"cpp.cxx": ("no-such-compiler",)}):
        with pytest.raises(CompileError) as caught:
            trained(tiny.CONFIG, compiled=True)
    said = str(caught.value)
    assert "no-such-compiler" in said and "install a C++ compiler" in said
    assert "\n" not in said and len(said) < 300


def test_what_torch_can_not_compile_is_a_sentence():
    class Waiting(nn.Module):
        def forward(self, inputs):
            return inputs * (2 if inputs.sum().item() > 0 else 1)

    network = Network([nn.Sequential(nn.Flatten(), nn.Linear(64, 10), Waiting())])
    step = CompiledStep(batch_loss(network), 2)
    labels = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(CompileError, match="leave out --compile"):
        step(torch.ones(2, 1, 8, 8), labels, 0, frozenset({0}))


def test_a_runs_own_error_stays_what_it_is():
    step = CompiledStep(lambda inputs, labels, start: inputs[start], 2)
    with pytest.raises(IndexError):
        step(torch.ones(3), torch.ones(3), 5, frozenset({0}))
