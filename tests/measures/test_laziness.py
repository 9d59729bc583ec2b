"""Laziness is of what is trained: the scaled outputs, and every ReLU of every image."""

import copy
import dataclasses

import pytest
import torch

from lazyrich_helpers.data.datasets import Dataset, Split
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.measures import laziness
from lazyrich_helpers.measures.laziness import Laziness, kept_states
from lazyrich_helpers.models.network import relu_net
from lazyrich_helpers.models.vectors import bind_, flat_parameters, named_parts
from lazyrich_helpers.training.loop import Trained, new_network, train
from lazyrich_helpers.training.objectives import Scaled
from tests import tiny

SCALED = Scaled(output_scale=5.0, loss_kind="square")


def trained(objective=SCALED):
    """Return a made-up training of a small network, on random images."""
    torch.manual_seed(0)
    network = relu_net(8, 2, 16, 3)
    start = flat_parameters(network)
    for p in network.parameters():
        p.data += 0.3 * torch.randn_like(p)
    splits = (Split(torch.randn(40, 1, 4, 4), torch.arange(40) % 3) for _ in range(3))
    data = Dataset(*splits, digest="made", num_classes=3)
    config = dataclasses.replace(tiny.CONFIG, objective=objective)
    return Trained(config, data, network, start, flat_parameters(network))


def by_hand(run):
    """Return the pre-activations of every hidden layer before and after training."""
    first = copy.deepcopy(run.network)
    bind_(first, run.initial.clone())
    found = []
    for network in (first, run.network):
        inputs, given = run.data.test.images.flatten(1), []
        for layer in network.layers[:-1]:
            linear = next(m for m in layer.modules() if hasattr(m, "weight"))
            given.append(inputs @ linear.weight.T + linear.bias)
            inputs = given[-1].relu()
        found.append(torch.cat(given, dim=1).detach())
    return found


def test_accuracy_is_that_of_the_scaled_outputs():
    run = trained()
    first = copy.deepcopy(run.network)
    bind_(first, run.initial.clone())
    found = Laziness().result(run)
    for name in ("train", "held_out", "test"):
        split = getattr(run.data, name)
        moved = run.network(split.images) - first(split.images)
        assert found[name] == {
            "num_correct": int((moved.argmax(1) == split.labels).sum()),
            "num": 40,
        }
    plain = Laziness().result(trained(dataclasses.replace(SCALED, centred=False)))
    own = run.network(run.data.test.images).argmax(1) == run.data.test.labels
    assert plain["test"]["num_correct"] == int(own.sum())
    assert found != plain
    moved = (run.final - run.initial).norm() / run.initial.norm()
    assert found["moved"] == pytest.approx(moved.item())


@pytest.mark.parametrize("batch", [7, 1000])
def test_states_are_those_of_every_relu_with_every_image(batch, monkeypatch):
    monkeypatch.setattr(laziness, "EVAL_BATCH", batch)
    run = trained()
    before, after = by_hand(run)
    expected = ((before > 0) == (after > 0)).double().mean().item()
    assert 0.5 < expected < 0.95
    found = kept_states(run.network, run.initial, run.data.test.images)
    assert found == pytest.approx(expected)
    assert kept_states(run.network, run.final, run.data.test.images) == 1


def test_what_is_exactly_zero_at_the_start_is_not_counted():
    run = trained()
    start = run.initial.clone()
    named_parts(run.network, start)["layers.0.1.bias"].zero_()
    black = torch.zeros(5, 1, 4, 4)
    first = copy.deepcopy(run.network)
    bind_(first, start.clone())
    given = [(first.layers[1][0](torch.zeros(8))).detach()]
    given.append(run.network.layers[1][0](run.network.layers[0](black))[0].detach())
    expected = ((given[0] > 0) == (given[1] > 0)).double().mean().item()
    assert kept_states(run.network, start, black) == pytest.approx(expected)


def test_under_another_objective_outputs_are_the_networks_own():
    found = Laziness().result(trained(tiny.CONFIG.objective))
    one = Scaled(output_scale=1.0, centred=False)
    assert found == Laziness().result(trained(one))


def test_vgg11_keeps_its_states_where_it_is_lazy():
    """The recipe's two ends, at the budget of seconds, trained for a few epochs."""
    recipe = make_recipe("lazy-vgg11", "smoke", num_epochs=3, widths=[4])
    scales = [config.columns()["output_scale"] for config in recipe.configs]
    assert scales == [1, 10, 100, 1000]
    found = []
    for config in (recipe.configs[0], recipe.configs[-1]):
        data = config.data.load("cpu")
        network = new_network(config, data)
        start = flat_parameters(network)
        assert len(list(train(network, data, config, eval_every=3))) == 3
        run = Trained(config, data, network, start, flat_parameters(network))
        found.append(Laziness().result(run))
    rich, lazy = found
    assert lazy["moved"] < rich["moved"] / 100
    assert lazy["kept_states"] > max(0.99, rich["kept_states"])
