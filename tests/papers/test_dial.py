"""The dial's networks: trained as one as they would be alone, and read off rightly."""

import pytest
import torch
from torch import Tensor, nn

from lazyrich_helpers.papers.dial import knobs, plane
from lazyrich_helpers.papers.dial.claims import STUDIES
from lazyrich_helpers.papers.dial.instruments import (
    SHARES,
    flipped,
    instrument_table,
    kept_accuracies,
    movement,
    reset_accuracy,
    tangent_kernels,
)
from lazyrich_helpers.papers.dial.knobs import suited_step
from lazyrich_helpers.papers.dial.nets import LabeledRows, Nets, new_nets
from lazyrich_helpers.papers.dial.plane import digit_rows
from lazyrich_helpers.papers.dial.training import train_nets

WIDTH, INPUTS, CLASSES = 6, 5, 3


@pytest.fixture
def split():
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, INPUTS, generator=draw)
    return LabeledRows(inputs, (inputs[:, 0] > 0).long() + (inputs[:, 1] > 0).long())


def nets(**options) -> Nets:
    options = {"alphas": [1.0, 4.0], "seeds": (0, 1)} | options
    return new_nets(WIDTH, INPUTS, CLASSES, **options)


def alone(stack: Nets, number: int, weights) -> nn.Sequential:
    """Return h of one network of a stack as torch's own layers."""
    layers = []
    for w, scale in zip(weights, stack.scales, strict=True):
        layer = nn.Linear(w.shape[1], w.shape[2], bias=False)
        layer.weight.data = w[number].T.clone() * scale
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def linears(network: nn.Sequential) -> list[nn.Linear]:
    return [module for module in network if isinstance(module, nn.Linear)]


def test_outputs_are_the_scaled_centred_networks(split):
    stack = nets()
    train_nets(stack, split, torch.full((4,), 0.05), 20)
    for number, alpha in enumerate((1.0, 1.0, 4.0, 4.0)):
        now = alone(stack, number, stack.weights)(split.inputs)
        before = alone(stack, number, stack.initial)(split.inputs)
        made = stack.outputs(split.inputs[None], stack.weights)[number]
        torch.testing.assert_close(made, alpha * (now - before), rtol=1e-4, atol=1e-5)
    plain = nets(centred=False)
    made = plain.outputs(split.inputs[None], plain.weights)[0]
    torch.testing.assert_close(made, alone(plain, 0, plain.weights)(split.inputs))


@pytest.mark.parametrize("objective", ["cross_entropy", "squared_error"])
def test_a_step_is_the_gradient_of_its_own_loss(split, objective):
    """One step of a network in a stack is what torch's SGD does to it alone."""
    stack = nets(alphas=[2.0], seeds=(3,), objective=objective, centred=False)
    whole = LabeledRows(split.inputs[:50], split.labels[:50])  # one minibatch
    network = alone(stack, 0, stack.initial)
    train_nets(stack, whole, torch.tensor([0.1]), 1)
    made = 2.0 * network(whole.inputs)
    if objective == "cross_entropy":
        loss = nn.functional.cross_entropy(made, whole.labels)
    else:
        target = nn.functional.one_hot(whole.labels, CLASSES)
        loss = ((made - target) ** 2).sum() / 2 / 50
    loss.backward()
    for layer, w, scale in zip(
        linears(network), stack.weights, stack.scales, strict=True
    ):
        moved = layer.weight - 0.1 * scale**2 * layer.weight.grad
        torch.testing.assert_close(w[0].T * scale, moved, rtol=1e-4, atol=1e-6)


def test_adam_is_torchs(split):
    stack = nets(alphas=[1.0], seeds=(0,), centred=False)
    twin = [w.clone().requires_grad_() for w in stack.initial]
    optimizer = torch.optim.Adam(twin, lr=0.01)
    whole = LabeledRows(split.inputs[:50], split.labels[:50])
    train_nets(stack, whole, torch.tensor([0.01]), 5, optimizer="adam")
    for _ in range(5):
        made = stack.outputs(whole.inputs[None], twin)[0]
        optimizer.zero_grad()
        nn.functional.cross_entropy(made, whole.labels).backward()
        optimizer.step()
    for w, other in zip(stack.weights, twin, strict=True):
        torch.testing.assert_close(w, other.detach(), rtol=1e-4, atol=1e-5)


def test_networks_in_a_stack_do_not_disturb_each_other(split):
    both = nets()
    train_nets(both, split, torch.tensor([0.02, 0.02, 1e6, 1e6]), 30)  # two diverge
    one = nets(alphas=[1.0])
    train_nets(one, split, torch.tensor([0.02, 0.02]), 30)
    for w, other in zip(one.weights, both.weights, strict=True):
        torch.testing.assert_close(w, other[:2], rtol=1e-4, atol=1e-5)


def test_a_frozen_layer_does_not_move(split):
    stack = nets()
    stack.trained = torch.tensor([[1, 0, 1]] * 4)
    train_nets(stack, split, torch.full((4,), 0.05), 10)
    same = [
        torch.equal(w, w0) for w, w0 in zip(stack.weights, stack.initial, strict=True)
    ]
    assert same == [False, True, False]


def test_networks_are_kept_as_they_reach_the_target(split):
    stack = nets(alphas=[1.0])
    reached = train_nets(stack, split, torch.tensor([0.2, 1e-9]), 400, target=0.5)
    assert reached.steps[0] > 0 and reached.steps[1] == 0
    loss = stack.loss(split, reached.weights)
    assert 0.3 < loss[0] <= 0.5 < loss[1]
    assert stack.loss(split, stack.weights)[0] < loss[0]


@pytest.mark.parametrize("trained", [(1, 1, 1), (0, 1, 1), (0, 0, 1)])
def test_the_kernel_is_that_of_any_network(split, trained):
    stack = nets()
    stack.trained = torch.tensor([trained] * 4)
    found = tangent_kernels(stack, stack.weights, split.inputs[:8])
    network = alone(stack, 2, stack.weights)
    kernel = torch.zeros(8, 8, dtype=torch.float64)
    for layer, used, scale in zip(linears(network), trained, stack.scales, strict=True):
        for each in linears(network):
            each.weight.requires_grad_(each is layer)
        if used:  # scale² : of the weights before they are scaled
            kernel += scale**2 * _kernel_of(network, layer, split.inputs[:8])
    torch.testing.assert_close(found[2].double(), kernel, rtol=1e-4, atol=1e-4)
    assert torch.linalg.eigvalsh(found.double()).min() > -1e-4  # and positive


def _kernel_of(network: nn.Sequential, layer: nn.Linear, inputs: Tensor) -> Tensor:
    """Return the kernel of one layer's weights."""
    rows = []
    for one in inputs:
        made = network(one)
        rows.append(
            [torch.autograd.grad(c, layer.weight, retain_graph=True)[0] for c in made]
        )
    gradients = torch.stack([torch.stack(row).flatten() for row in rows]).double()
    return gradients @ gradients.T


def test_movement_and_flips_are_counted(split):
    stack = nets(alphas=[1.0])
    there = [w.clone() for w in stack.initial]
    assert movement(stack, there).tolist() == [0, 0]
    assert flipped(stack, there, split).tolist() == [0, 0]
    turned = [-w for w in there]
    assert movement(stack, turned).tolist() == pytest.approx([2, 2])
    negated = [-there[0], there[1], there[2]]  # every first unit, some second ones
    assert (flipped(stack, negated, split) > 0.5).all()


def test_resetting_takes_the_farthest_and_keeping_all_is_the_network(split):
    stack = nets(alphas=[1.0])
    train_nets(stack, split, torch.tensor([0.05, 0.05]), 100)
    kept = kept_accuracies(stack, stack.weights, split)
    accuracy = stack.accuracy(split, stack.weights)
    assert SHARES[-1] == 1 and torch.equal(kept[-1], accuracy)
    assert torch.equal(reset_accuracy(stack, stack.weights, split, 0.0), accuracy)
    everything = reset_accuracy(stack, stack.weights, split, 1.0)
    assert torch.equal(everything, stack.accuracy(split, stack.initial))
    moved = [w.clone() for w in stack.initial]
    moved[2][:, 0, 1] += 50.0  # one parameter did it all
    assert not torch.equal(stack.accuracy(split, moved), everything)
    lost = reset_accuracy(stack, moved, split, 1 / 84)
    assert torch.equal(lost, everything)


def test_a_diverged_network_is_no_number(split):
    stack = nets(alphas=[1.0])
    stack.weights[1][1, 0, 0] = float("nan")
    table = instrument_table(stack, stack.weights, split, split)
    assert table.loc[0].notna().any() and table.loc[1].isna().all()


def test_initialization_scale_is_the_output_scale_in_another_form(split):
    """Three layers without biases, spread s: the same as α = s³, step by step."""
    spread, eta = 1.5, 0.01
    wide = nets(alphas=[1.0], spreads=[spread])
    scaled = nets(alphas=[spread**3])
    train_nets(wide, split, torch.full((2,), eta * spread**2), 20)
    train_nets(scaled, split, torch.full((2,), eta), 20)
    for w, other in zip(wide.weights, scaled.weights, strict=True):
        torch.testing.assert_close(w / spread, other, rtol=1e-3, atol=1e-4)


def test_both_knobs_of_scale_turn_the_same_network(monkeypatch):
    turned = {"output scale": (0.5**3,), "initialization scale": (0.5,)}
    monkeypatch.setattr(knobs, "KNOBS", turned)
    settings = knobs.KnobSettings(width=16, num_steps=60, seeds=(0,))
    one, other = (knobs.knob_point(settings, knob, "cpu") for knob in turned)
    assert one.steps.tolist() == other.steps.tolist()
    assert one.movement[0] == pytest.approx(other.movement[0], rel=0.01)


def test_a_point_of_the_plane_has_its_output_scale(monkeypatch):
    asked = []

    def asking(*args, **options):
        asked.append(args)
        return new_nets(*args)

    monkeypatch.setattr(plane, "new_nets", asking)
    settings = plane.PLANES["sgd"].settings("smoke")
    plane.plane_point(settings, 0.5, "cpu")
    assert asked[0][3] == [1 / (0.5 * 16**0.5)] * len(settings.etas)


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_a_point_has_a_row_for_each_level_and_seed(study):
    settings = study.settings("smoke")
    value = study.values(settings)[0]
    table = study.point(settings, value, "cpu")
    key = "level" if "level" in table else "eta"
    assert not table.duplicated([key, "seed"]).any()
    assert sorted(table.seed.unique()) == sorted(settings.seeds)
    again = study.point(settings, value, "cpu")
    assert again.equals(table)


def test_digits_have_mean_square_one():
    learn, test = digit_rows(200, "cpu")
    assert learn.inputs.square().mean().item() == pytest.approx(1)
    assert test.inputs.shape[1] == 64


def test_the_suited_step_is_the_smaller_power():
    assert suited_step(0.01) == pytest.approx(4e-4)
    assert suited_step(8.0) == pytest.approx(0.5 * 4)
