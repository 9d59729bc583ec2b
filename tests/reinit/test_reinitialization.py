"""γ-active and ε-lazy re-initialization are what their definitions say, bit for bit."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from lazyrich_helpers.measures.reinit_curves import (
    FRACTIONS,
    LOG_FRACTIONS,
    Reinit,
    WeightsReinit,
    reinit_counts,
    weights_order,
)
from lazyrich_helpers.models.vectors import bind_, flat_parameters
from lazyrich_helpers.reinit.reinitialization import (
    SCENARIOS,
    movement_order,
    num_active,
    percent_label,
    reinitialize,
    reinitialized,
)
from lazyrich_helpers.training.loop import count_correct
from tests.borrowed import Small, steps

FEW = (0.0, 1e-4, 1 / 3, 0.5, 0.9999, 1.0)


@pytest.fixture(params=["trained", "ties"])
def ends(request, trained):
    """Initial and final parameters, of a network and with many equal movements."""
    if request.param == "trained":
        return trained.initial, trained.final
    whole = torch.randint(-2, 3, (2, 501)).float()
    return whole[0], whole[1]


def reset(initial, final, fraction, scenario):
    order = movement_order(initial, final)
    return reinitialized(initial, final, order, fraction=fraction, scenario=scenario)


def test_the_ends_are_the_trained_and_the_initial_network(ends):
    initial, final = ends
    assert torch.equal(reset(*ends, 0.0, "active"), final)
    assert torch.equal(reset(*ends, 1.0, "active"), initial)
    assert torch.equal(reset(*ends, 0.0, "lazy"), initial)
    assert torch.equal(reset(*ends, 1.0, "lazy"), final)


@pytest.mark.parametrize("fraction", FEW)
def test_active_and_lazy_together_use_every_parameter_once(ends, fraction):
    initial, final = ends
    active, lazy = (reset(*ends, fraction, scenario) for scenario in SCENARIOS)
    reset_only_by_active = (active == initial) & (lazy == final)
    reset_only_by_lazy = (active == final) & (lazy == initial)
    assert (reset_only_by_active | reset_only_by_lazy).all()
    assert torch.equal(active != lazy, initial != final)
    # Those that moved and were reset are the first k, and no others.
    k = num_active(fraction, len(initial))
    moved = movement_order(*ends)[:k]
    moved = moved[(initial != final)[moved]]
    assert set(moved.tolist()) == set((active != final).nonzero()[:, 0].tolist())


def test_the_order_is_a_plain_stable_sort(ends):
    initial, final = (vector.numpy() for vector in ends)
    movement = [abs(a - b) for a, b in zip(final, initial, strict=True)]
    expected = sorted(range(len(movement)), key=lambda i: -movement[i])
    assert movement_order(*ends).tolist() == expected
    assert isinstance(movement[0], np.float32)


@pytest.mark.parametrize(
    ("fraction", "count", "expected"),
    [(0, 9, 0), (1, 9, 9), (0.5, 9, 5), (0.5, 8, 4), (0.0499, 10, 0), (0.05, 10, 1)],
)
def test_halves_are_rounded_up(fraction, count, expected):
    assert num_active(fraction, count) == expected


def order_of(trained):
    return movement_order(trained.initial, trained.final)


@pytest.fixture(params=["at once", "streamed"])
def way(request, monkeypatch):
    """Both ways to compute a curve."""
    if request.param == "streamed":
        monkeypatch.setattr("lazyrich_helpers.measures.reinit_curves.SMALL", 0)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("order_of", [order_of, weights_order])
def test_a_curve_is_the_plain_one(trained, scenario, order_of):
    order, plain = order_of(trained), []
    for fraction in FRACTIONS:
        first = num_active(fraction, len(order))
        back = order[:first] if scenario == "active" else order[first:]
        vector = trained.final.clone()
        vector[back] = trained.initial[back]  # what is not ranked stays trained
        bind_(trained.network, vector)
        plain.append(count_correct(trained.network, trained.data.test, "highest"))
    bind_(trained.network, trained.final.clone())
    assert reinit_counts(trained, order, FRACTIONS, scenario) == plain
    assert reinit_counts(trained, order, (), scenario) == []
    assert torch.equal(flat_parameters(trained.network), trained.final)
    assert len(set(plain)) > 10  # a curve, not a constant


def test_final_is_no_view_of_the_network(trained):
    final, result = trained.final.clone(), Reinit().result(trained)
    with torch.no_grad():
        next(trained.network.parameters())[0, 0] += 1
    assert torch.equal(trained.final, final)
    bind_(trained.network, final.clone())
    assert Reinit().result(trained) == result


def test_the_measure_is_both_curves_at_all_fractions(trained):
    result = Reinit().result(trained)
    assert result["fractions"] == pytest.approx(FRACTIONS, rel=1e-5)
    assert result["num_test"] == len(trained.data.test)
    correct = count_correct(trained.network, trained.data.test, "highest")
    for scenario in SCENARIOS:
        order = order_of(trained)
        assert result[scenario] == reinit_counts(trained, order, FRACTIONS, scenario)
    assert result["active"][0] == result["lazy"][-1] == correct
    assert result["active"][-1] == result["lazy"][0]
    assert result["num_unmoved"] == (trained.initial == trained.final).sum()
    assert WeightsReinit().result(trained)["lazy"] != result["lazy"]


def test_without_biases_the_weights_keep_their_order(trained):
    is_bias = torch.cat([torch.full((p.numel(),), p.dim() == 1)
                         for p in trained.network.parameters()])  # fmt: skip
    whole, weights = order_of(trained), weights_order(trained)
    assert weights.tolist() == [i for i in whole.tolist() if not is_bias[i]]
    assert 0 < len(weights) < len(whole)


def test_fractions_suit_both_axes():
    assert FRACTIONS[0] == 0 and FRACTIONS[-1] == 1
    assert list(FRACTIONS) == sorted(set(FRACTIONS))
    steps = np.diff(np.log10(LOG_FRACTIONS))
    assert steps == pytest.approx(0.25) and LOG_FRACTIONS[0] == 1e-5
    assert {0.05, 0.5, 0.95} <= set(FRACTIONS)


def test_binding_makes_views_in_order(trained):
    vector = torch.arange(len(trained.final), dtype=torch.float32)
    bind_(trained.network, vector)
    assert torch.equal(flat_parameters(trained.network), vector)
    vector.zero_()
    assert not any(p.any() for p in trained.network.parameters())
    bind_(trained.network, trained.final.clone())


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_scenario_fraction_and_their_order_are_checked(fraction, ends, trained):
    with pytest.raises(ValueError, match=f"between 0 and 1; got {fraction}"):
        reset(*ends, fraction, "active")
    with pytest.raises(ValueError, match="got 'rich'"):
        reset(*ends, 0.5, "rich")
    with pytest.raises(ValueError, match="ascending"):
        reinit_counts(trained, order_of(trained), (0.5, 0.1), "lazy")


@pytest.mark.parametrize(
    ("fraction", "label"),
    [(0, "0 %"), (1e-5, "0.001 %"), (0.0316228, "3.2 %"), (0.1, "10 %"), (1, "100 %")],
)
def test_percent_label(fraction, label):
    assert percent_label(fraction) == label


VECTOR, MATRIX = torch.zeros(6), torch.zeros(6, 6)


@pytest.mark.parametrize(
    ("initial", "final", "message"),
    [
        (MATRIX, MATRIX, r"initial must be a vector \(p,\).*shape \(6, 6\)"),
        (VECTOR, VECTOR[:, None], r"final must be a vector.*shape \(6, 1\)"),
        (
            {"weight": VECTOR},
            VECTOR,
            r"initial must be a vector.*got a dict: for",
        ),
        (VECTOR, [0.0] * 6, r"final must be a vector.*got a list"),
        (VECTOR, VECTOR[:5], r"of the same parameters.*\(6,\).*\(5,\)"),
        (VECTOR, VECTOR.half(), r"of the same parameters, dtype.*float32.*float16"),
        (VECTOR, VECTOR.to("meta"), r"of the same.*device.*on cpu.*on meta"),
    ],
)
def test_what_is_no_pair_of_vectors(initial, final, message):
    with pytest.raises(ValueError, match=message):
        movement_order(initial, final)
    with pytest.raises(ValueError, match=message):
        order = torch.arange(6)
        reinitialized(initial, final, order, fraction=0.5, scenario="active")


@pytest.mark.parametrize(
    "order",
    [
        torch.arange(7),
        torch.tensor([0, 1, 2, 3, 4, 4]),
        torch.tensor([0, 1, 2, 3, 4, 6]),
        torch.tensor([-1, 1, 2, 3, 4, 5]),
        torch.arange(6).float(),
        list(range(6)),
    ],
    ids=str,
)
def test_what_is_no_order(order):
    with pytest.raises(ValueError, match="order must have each of the 6 indices once"):
        reinitialized(VECTOR, VECTOR + 1, order, fraction=0.5, scenario="lazy")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_movement_beyond_half_precision_is_ranked(dtype):
    initial = torch.tensor([50000.0, 60000.0, 1.0, -50000.0]).to(dtype)
    final = torch.tensor([-40000.0, -60000.0, 2.0, 50000.0]).to(dtype)
    assert movement_order(initial, final).tolist() == [1, 3, 0, 2]


def somebodys(seed=0):
    """Return a model as somebody has it, before and after training, and optimizer."""
    torch.manual_seed(seed)
    model = Small()
    model.head.double()
    model.middle.append(nn.Identity())
    before = copy.deepcopy(model)
    model.head.float()
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    steps(model, optimizer)
    model.head.double()
    return before, model, optimizer


def whole(model):
    return parameters_to_vector([p.detach().contiguous() for p in model.parameters()])


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("given", ["a copy", "its state", "its state, halved"])
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("fraction", FEW)
def test_a_model_is_what_its_vectors_are(fraction, scenario, given, in_place):
    before, model, _ = somebodys()
    initial = before if given == "a copy" else copy.deepcopy(before.state_dict())
    if given == "its state, halved":
        initial = {name: value.bfloat16() for name, value in initial.items()}
        before.load_state_dict(initial)
    expected = reset(whole(before), whole(model), fraction, scenario)
    final, buffers = whole(model), dict(copy.deepcopy(model).named_buffers())
    back = reinitialize(model, initial, fraction, scenario, in_place=in_place)
    assert torch.equal(whole(back), expected)
    assert (back is model) == in_place
    assert in_place or torch.equal(whole(model), final)
    for (_, p), (_, q) in zip(
        before.named_parameters(), back.named_parameters(), strict=True
    ):
        assert p.dtype == q.dtype and p.stride() == q.stride() and q.requires_grad
    for name, buffer in back.named_buffers():
        assert torch.equal(buffer, buffers[name])


def test_buffers_that_are_named_are_reset_too():
    before, model, _ = somebodys()
    trained = copy.deepcopy(model)
    back = reinitialize(model, before, 0.0, "active", buffers=["norm.running_mean"])
    assert torch.equal(back.norm.running_mean, before.norm.running_mean)
    assert torch.equal(back.norm.running_var, trained.norm.running_var)
    assert torch.equal(model.norm.running_mean, trained.norm.running_mean)
    assert not torch.equal(trained.norm.running_mean, before.norm.running_mean)
    assert torch.equal(whole(back), whole(trained))


def test_the_optimizer_forgets_what_was_reset_if_it_is_given():
    before, model, optimizer = somebodys()
    remembered = len(optimizer.state)
    reinitialize(copy.deepcopy(model), before, 0.1, "active", in_place=True)
    assert len(optimizer.state) == remembered
    old = {id(p): p.detach().clone() for p in model.parameters()}
    reinitialize(model, before, 0.1, "active", in_place=True, optimizer=optimizer)
    same = [p for p in model.parameters() if torch.equal(p, old[id(p)])]
    assert set(optimizer.state) == set(same) and 0 < len(same) < remembered
    with pytest.raises(ValueError, match="set in_place=True"):
        reinitialize(model, before, 0.1, "active", optimizer=optimizer)


@pytest.mark.parametrize("in_place", [False, True])
def test_weights_may_lie_channels_last(in_place):
    model = nn.Conv2d(2, 3, 2).to(memory_format=torch.channels_last)
    initial = copy.deepcopy(model.state_dict())
    final = torch.arange(24.0).view(3, 2, 2, 2)
    with torch.no_grad():
        model.weight.copy_(initial["weight"] + final)
    back = reinitialize(model, initial, 1 / 27, "active", in_place=in_place)
    assert back.weight.is_contiguous(memory_format=torch.channels_last)
    moved = (back.weight - initial["weight"]).flatten()
    assert torch.allclose(moved, torch.tensor([*range(23), 0.0]), atol=1e-5)


def test_parameters_that_are_tied_count_once():
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    initial = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        model[0].weight.add_(torch.arange(9.0).view(3, 3))
    back = reinitialize(model, initial, 1 / 9, "active")
    assert back[0].weight is back[1].weight
    moved = back[0].weight - initial["0.weight"]
    assert torch.allclose(moved.flatten(), torch.tensor([*range(8), 0.0]), atol=1e-6)


@pytest.mark.parametrize(
    ("initial", "buffers", "message"),
    [
        (lambda m: m, (), "initial is the model's own state, so that nothing has mov"),
        (lambda m: m.state_dict(), (), "initial is the model's own state"),
        (lambda m: list(m.parameters()), (), "initial must be a copy of.*got 'list'"),
        (
            lambda m: {f"module.{n}": v for n, v in m.state_dict().items()},
            (),
            "initial must have the model's head.weight; its names are module.head.we",
        ),
        (
            lambda m: m.state_dict() | {"head.weight": torch.zeros(2, 12)},
            (),
            r"initial's head.weight must be of shape \(3, 12\); got \(2, 12\)",
        ),
        (
            lambda m: copy.deepcopy(m),
            ["norm.mean"],
            "buffers must be among norm.running_mean, .*; got 'norm.mean'",
        ),
    ],
    ids=["itself", "its own state", "a list", "other names", "a shape", "a buffer"],
)
def test_what_is_no_initial_state(initial, buffers, message):
    model = Small()
    with pytest.raises(ValueError, match=message):
        reinitialize(model, initial(model), 0.5, "active", buffers=buffers)


def test_a_model_needs_parameters_a_fraction_and_a_scenario():
    model = Small()
    with pytest.raises(ValueError, match="model must be a module with parameters"):
        reinitialize(nn.ReLU(), nn.ReLU(), 0.5, "active")
    with pytest.raises(ValueError, match=r"between 0 and 1; got 2"):
        reinitialize(model, copy.deepcopy(model), 2, "active")
