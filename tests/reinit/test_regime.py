"""What the report on a network's regime says is what its definitions say."""

import copy
import json
import math
import re
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.func import functional_call, jacrev
from torch.nn import functional as F

from lazyrich_helpers import regime_report, reinitialize
from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.places import ROOT
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.reinit import tangent_kernel as kernels
from lazyrich_helpers.reinit.accuracy_curves import FRACTIONS, ReinitCurves
from lazyrich_helpers.reinit.features import features, low_rank_measure
from lazyrich_helpers.reinit.report import THRESHOLDS, RegimeReport, tensor_movement
from lazyrich_helpers.reinit.tangent_kernel import (
    KernelChange,
    alignment,
    centered,
    kernel_change,
    tangent_kernel,
)
from tests.borrowed import INPUTS, LABELS, Small, steps


def call(model, inputs):
    return model(inputs)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator("test_regime", seed))


@pytest.fixture(scope="module")
def trained():
    """Somebody's model with batch norm and dropout, in training, and its start."""
    torch.manual_seed(0)
    model = Small()
    start = copy.deepcopy(model.state_dict())
    steps(model, torch.optim.SGD(model.parameters(), 0.1), num=30)
    return model, start


# --- Laws -----------------------------------------------------------------------------


def test_what_has_not_moved_is_lazy_by_every_measure():
    model = Small()
    report = regime_report(model, copy.deepcopy(model), INPUTS, LABELS)
    assert report.verdict == "lazy" and not report.caveats
    assert (report.movement, report.share_moved, report.distance) == (0, 0, 0)
    assert report.share_unmoved == 1
    assert report.kernel.relative_change == 0
    assert report.kernel.distance == pytest.approx(0, abs=1e-12)
    assert report.kernel.centered_alignment == pytest.approx(1)
    assert {*report.features} == {"conv", "norm", "middle.0", "head"}
    assert [*report.features.values()] == pytest.approx([1] * 4)
    assert report.low_rank[0] == report.low_rank[1]
    assert len({*report.curves.active, *report.curves.lazy}) == 1
    assert (report.curves.costly_gamma, report.curves.sufficient_epsilon) == (None, 0)


def test_a_model_that_is_linear_in_its_parameters_has_one_kernel():
    model = nn.Linear(5, 3)
    start = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        model.weight.add_(normal(3, 5))
    report = regime_report(model, start, normal(20, 5))
    assert report.kernel.relative_change == pytest.approx(0, abs=1e-6)
    assert report.votes == {"movement": "rich", "kernel": "lazy"}
    assert report.verdict == "in between"
    said = " ".join(report.caveats)
    assert "disagree" in said and "Not measured: features" in said


def test_the_larger_the_scale_the_lazier():
    data = images("digits", train_size=200).load().train
    found = []
    for alpha in (1, 10, 100):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 10)
        )
        start = copy.deepcopy(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(100):
            optimizer.zero_grad()
            outputs = alpha * (model(data.images) - start(data.images).detach())
            (F.cross_entropy(outputs, data.labels) / alpha**2).backward()
            optimizer.step()
        report = regime_report(model, start, data.images)
        found.append((report.movement, report.kernel.relative_change,
                      report.kernel.distance, report.feature_change))  # fmt: skip
    for measure in zip(*found, strict=True):
        assert measure[0] > 3 * measure[1] > 9 * measure[2] > 0, measure


# --- Measures against plain versions --------------------------------------------------


def test_movement_is_in_units_of_the_initial_spread():
    start = torch.tensor([[-1.0, 1.0], [-1.0, 1.0]])
    row = tensor_movement("weight", start, start + torch.tensor([[0.0, 2.0], [1.0, 0]]))
    std = 2 / math.sqrt(3)
    assert row.initial_std == pytest.approx(std)
    assert row.movement == pytest.approx(math.sqrt(5 / 4) / std)
    assert (row.share_moved, row.share_unmoved, row.initial_size) == (0.25, 0.5, 1)


def test_what_starts_alike_has_no_unit_and_counts_in_the_distance_alone():
    model = nn.Linear(4, 2)
    nn.init.constant_(model.bias, 0.1)
    start = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        model.bias.add_(1)
    weight, bias = (report := regime_report(model, start)).tensors
    assert (bias.movement, bias.share_moved, bias.initial_std) == (None, None, 0)
    assert bias.displacement == pytest.approx(1)
    assert (weight.movement, report.movement, report.share_moved) == (0, 0, 0)
    scalar = tensor_movement("scale", torch.tensor(2.0), torch.tensor(3.0))
    assert (scalar.movement, scalar.share_moved, scalar.displacement) == (None, None, 1)
    assert report.share_unmoved == pytest.approx(8 / 10)
    size = torch.cat([value.flatten() for value in start.values()]).norm().item()
    assert report.distance == pytest.approx(math.sqrt(2) / size)
    assert report.kernel is None and report.caveats == [
        "Not measured: kernel, features."
    ]


def full_kernel(model, inputs):
    """The sum over outputs of the tangent kernel, from whole Jacobians."""
    state = {name: p.detach() for name, p in model.named_parameters()}
    rows = jacrev(lambda s: functional_call(model, s, inputs).flatten(1))(state)
    flat = torch.cat([row.flatten(2) for row in rows.values()], dim=2).double()
    return torch.einsum("icp,jcp->ij", flat, flat)


@pytest.mark.parametrize("held", [kernels.HELD, 200], ids=["at once", "in groups"])
@pytest.mark.parametrize("num_outputs", [1, 3, 30])
def test_the_kernel_is_the_sum_over_outputs(monkeypatch, num_outputs, held):
    monkeypatch.setattr(kernels, "HELD", held)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, num_outputs))
    inputs = normal(7, 6)
    plain = full_kernel(model, inputs)
    found = tangent_kernel(model, inputs, call)
    if num_outputs <= kernels.NUM_DIRECTIONS:
        assert torch.allclose(found, plain, rtol=1e-5)
    else:  # ten combinations: a relative error of sqrt(2 / 10) or less
        assert (found - plain).norm() < 0.5 * plain.norm()
        assert alignment(found, plain) > 0.95
        assert torch.equal(tangent_kernel(model, inputs, call), found)


def test_a_combination_of_outputs_keeps_their_squares_on_average(monkeypatch):
    monkeypatch.setattr(kernels, "NUM_DIRECTIONS", 2000)
    directions = kernels._directions(torch.zeros(1, 2001))[:, :3]
    # 2,000 draws leave an error of sqrt(2 / 2,000) = 3 % (one sigma).
    assert torch.allclose(directions.T @ directions, torch.eye(3), atol=0.15)


def test_kernels_are_compared_as_defined():
    one, two = (m @ m.T for m in (normal(6, 4), normal(6, 4, seed=1)))
    found = kernel_change(one, two)
    cosine = (one @ two.T).trace() / (
        (one @ one.T).trace() * (two @ two.T).trace()
    ) ** 0.5
    assert found.distance == pytest.approx(1 - cosine.item(), rel=1e-5)
    change = torch.linalg.norm(two - one) / torch.linalg.norm(one)
    assert found.relative_change == pytest.approx(change.item())
    grown = kernel_change(one, 5 * one)
    assert grown.relative_change == pytest.approx(4) and grown.has_only_grown
    assert grown.distance == pytest.approx(0, abs=1e-6)
    assert not kernel_change(one, 5 * two).has_only_grown
    assert not kernel_change(one, 1.5 * one).has_only_grown  # nor much
    assert grown.centered_alignment == pytest.approx(1)
    none = kernel_change(torch.zeros(6, 6), one)
    assert (none.relative_change, none.distance, none.has_only_grown) == (
        None,
        None,
        False,
    )


def test_cka_is_the_one_of_centred_features():
    one, two = normal(20, 5), normal(20, 7, seed=1)
    x, y = one - one.mean(0), two - two.mean(0)
    plain = (y.T @ x).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())
    found = alignment(centered(one @ one.T), centered(two @ two.T))
    assert found == pytest.approx(plain.item(), rel=1e-4)
    turned = 3 * one @ torch.linalg.qr(normal(5, 5)).Q + normal(5)
    same = alignment(centered(one @ one.T), centered(turned @ turned.T))
    assert same == pytest.approx(1)


def test_features_are_compared_layer_by_layer():
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    start, inputs = copy.deepcopy(model), 1 + normal(20, 6)
    with torch.no_grad():
        model[0].weight.add_(normal(8, 6))
        x, y = start[0](inputs), model[0](inputs)
        outputs = model(inputs)
    report = regime_report(model, start, inputs)
    x, y = (centered(z @ z.T).double() for z in (x, y))
    assert report.features["0"] == pytest.approx(alignment(x, y), rel=1e-4)
    assert report.feature_change == pytest.approx(1 - report.features["0"])
    hidden = model[:2](inputs)
    assert report.low_rank[1] == pytest.approx(low_rank_measure(hidden, outputs))
    features(model, inputs, call)
    assert not any(m._forward_hooks for m in model.modules())


def of_two_layers():
    """Yield models whose readout is hard to tell, and the name of the other layer."""
    hidden, readout = (nn.Linear(6, 6), nn.Tanh()), nn.Linear(6, 6)
    nn.init.zeros_(readout.weight)
    yield nn.Sequential(*hidden, readout), "0"
    as_rows = nn.Flatten(0, 1), nn.Linear(6, 3), nn.Unflatten(0, (-1, 5))
    yield nn.Sequential(*hidden, *as_rows), "0"
    both_ends = nn.Linear(6, 6)
    yield nn.Sequential(both_ends, *hidden, both_ends), "1"


@pytest.mark.parametrize(
    ("model", "hidden"), [*of_two_layers()], ids=["zero", "flattened", "called twice"]
)
def test_only_the_readout_is_no_hidden_layer(model, hidden):
    start = copy.deepcopy(model)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(normal(*p.shape))
    report = regime_report(model, start, normal(20, 5, 6))
    assert list(report.features)[:-1] == [hidden]
    assert report.feature_change == 1 - report.features[hidden] > 0


def test_features_that_do_not_vary_have_no_cka():
    rows = (normal(1, 16).double() / 3).expand(100, 16)
    kernel = centered(rows @ rows.T)
    assert not kernel.any() and alignment(kernel, kernel) is None
    few = rows + 1e-3 * normal(100, 16)
    assert alignment(centered(few @ few.T), centered(few @ few.T)) == pytest.approx(1)


def test_without_a_readout_there_is_no_low_rank_measure():
    model = nn.Linear(6, 8)
    start = copy.deepcopy(model)
    with torch.no_grad():
        model.weight.add_(1)
    cut = regime_report(model, start, normal(20, 6), forward=lambda m, x: m(x)[:, :3])
    assert cut.low_rank == (None, None) and "low-rank" not in str(cut)


def test_the_low_rank_measure_compares_features_with_the_span_of_outputs():
    outputs, extra = normal(30, 4), normal(30, 6, seed=1)
    features = torch.cat([outputs, extra], dim=1)
    center = torch.eye(30) - 1 / 30
    x, y = center @ features, center @ outputs
    projector = y @ torch.linalg.pinv(y)
    plain = 1 - alignment(x @ x.T, projector)
    assert low_rank_measure(features, outputs) == pytest.approx(plain, abs=1e-5)
    assert 0.1 < plain < 0.9
    whitened = torch.linalg.qr(y).Q @ torch.linalg.qr(normal(4, 4)).Q
    assert low_rank_measure(5 * whitened + 1, outputs) == pytest.approx(0, abs=1e-6)
    sequences = features.view(10, 3, 10), outputs.view(10, 3, 4)
    assert low_rank_measure(*sequences) == pytest.approx(plain, abs=1e-5)
    assert low_rank_measure(features[:5], outputs[:5]) is None


def test_curves_are_those_of_reinitialize(trained):
    model, start = trained
    curves = regime_report(model, start, INPUTS, LABELS).curves
    assert curves.active[0] > curves.lazy[0]
    assert curves.fractions == list(FRACTIONS) and curves.num_inputs == len(INPUTS)
    for at in (0, 8, len(FRACTIONS) - 1):
        for scenario in ("active", "lazy"):
            back = reinitialize(model, start, FRACTIONS[at], scenario).eval()
            correct = (back(INPUTS).argmax(1) == LABELS).float().mean().item()
            assert getattr(curves, scenario)[at] == pytest.approx(correct)


def test_the_numbers_of_a_curve():
    curves = ReinitCurves([0, 0.1, 0.5, 1], [0.9, 0.89, 0.8, 0.1],
                          [0.1, 0.7, 0.895, 0.9], 100)  # fmt: skip
    assert (curves.costly_gamma, curves.sufficient_epsilon) == (0.5, 0.5)


# --- Verdicts, and how they are told --------------------------------------------------


@pytest.mark.parametrize(
    ("movement", "kernel", "cka", "verdict"),
    [
        (0.09, 0.09, 0.96, "lazy"),
        (1.1, 1.1, 0.79, "rich"),
        (0.11, 0.11, 0.94, "in between"),
        (0.09, 1.1, 0.79, "in between"),
        (1.1, 0.09, 0.79, "in between"),
        (1.1, 1.1, 0.96, "in between"),
    ],
)
def test_a_verdict_is_what_all_measures_say(movement, kernel, cka, verdict):
    start = torch.tensor([-1.0, 1.0]) / math.sqrt(2)  # of spread 1
    row = tensor_movement("weight", start.double(), start.double() + movement)
    report = RegimeReport(
        [row], KernelChange(kernel, 0.2, 0.9, 8), {"a": cka, "readout": 0.0}
    )
    assert report.verdict == verdict and set(report.votes) == set(THRESHOLDS)
    words = {*report.votes.values()}
    assert any("disagree" in said for said in report.caveats) == (len(words) > 1)


def test_a_report_is_told_in_a_terminal_a_notebook_and_json(trained):
    model, start = trained
    report = regime_report(model, start, INPUTS, LABELS)
    told = json.loads(json.dumps(report.to_dict()))
    assert told["movement"] == report.movement
    assert told["tensors"][0]["name"] == "head.weight"
    for text in (str(report), report._repr_html_()):
        assert f"Regime: {report.verdict}" in text and "norm.weight" in text
        assert "nan" not in text and "None" not in text
    assert max(map(len, str(report).splitlines()[2:])) <= 88
    assert "&gt; σ₀" in report._repr_html_()
    report.tensors[0] = replace(report.tensors[0], name=60 * "long")
    assert all(60 * "long" in text for text in (str(report), report._repr_html_()))


# --- Any model, left as it is ---------------------------------------------------------


def test_the_model_is_left_as_it_is(trained):
    model, start = trained
    model.zero_grad()
    model.conv.weight.requires_grad_(False)
    state, before = copy.deepcopy(model.state_dict()), copy.deepcopy(start)
    draws = torch.get_rng_state()
    regime_report(model, start, INPUTS, LABELS)
    for one, two in ((state, model.state_dict()), (before, start)):
        assert all(torch.equal(one[name], two[name]) for name in one)
    assert torch.equal(torch.get_rng_state(), draws)
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(p.grad is None for p in model.parameters())
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
    model.conv.weight.requires_grad_(True)
    assert frozen == ["conv.weight"]


def looks(state, model):
    """Return the batch norm's mean and count at each forward pass of a report."""
    seen = []

    def forward(model, inputs):
        norm = model.norm
        seen.append((norm.running_mean.clone(), int(norm.num_batches_tracked)))
        return model(inputs)

    regime_report(model, state, INPUTS, forward=forward)
    return seen


def test_buffers_are_the_states_or_stay_trained(trained):
    model, start = trained
    used = start | {"norm.running_mean": torch.ones(4)}
    used |= {"norm.num_batches_tracked": torch.tensor(3)}
    for state, counts in ((used, {3, 30}), (dict(Small().named_parameters()), {30})):
        seen = looks(state, model)
        assert {count for _, count in seen} == counts
        assert all((mean == 1).all() for mean, count in seen if count == 3)


def test_a_batch_norm_that_saw_no_batch_sees_the_inputs(trained):
    model, start = trained
    all_seen = looks(start, model)
    assert {count for _, count in all_seen} == {0, 1, 30}  # and no batch more
    seen = [mean for mean, count in all_seen if count == 1]
    untrained = copy.deepcopy(model)
    untrained.load_state_dict(start)
    expected = untrained.conv(INPUTS).mean((0, 2, 3))
    assert seen and all(torch.allclose(mean, expected, atol=1e-6) for mean in seen)


class Encoder(nn.Module):
    """A small transformer encoder with a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.zeros(6, 16))
        self.words = nn.Embedding(9, 16)
        block = nn.TransformerEncoderLayer(16, 2, 16, batch_first=True)
        self.blocks = nn.TransformerEncoder(block, 1)
        self.head = nn.utils.parametrizations.weight_norm(nn.Linear(16, 3))

    def forward(self, words):
        return self.head(self.blocks(self.words(words) + self.place).mean(1))


class Recurrent(nn.Module):
    """An LSTM that names the next word, its readout tied to its embedding."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(9, 16)
        self.lstm = nn.LSTM(16, 16, batch_first=True)
        self.head = nn.Linear(16, 9, bias=False)
        self.head.weight = self.words.weight

    def forward(self, words):
        return {"logits": self.head(self.lstm(self.words(words))[0])}


@pytest.mark.parametrize("kind", [Encoder, Recurrent])
def test_models_that_are_not_ours(kind):
    model = kind()
    start = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        for number, p in enumerate(model.parameters()):
            p.add_(0.3 * normal(*p.shape, seed=number))
    words = torch.randint(9, (40, 6), generator=generator("words"))
    labels = words if kind is Recurrent else words[:, 0] % 3
    forward = call if kind is Encoder else lambda model, words: model(words)["logits"]
    report = regime_report(model, start, words, labels, forward=forward)
    assert None not in report.low_rank and report.votes.keys() == THRESHOLDS.keys()
    assert len(report.tensors) == len([*model.parameters()])  # tied ones once
    layers = {"blocks.layers.0.self_attn", "blocks.layers.0.norm2"}
    layers = {"words", "head"} | (layers if kind is Encoder else {"lstm"})
    assert [*report.features][-1] == "head" and layers <= {*report.features}
    assert all(0 <= value <= 1 for value in report.features.values())
    found = features(model.eval(), words, forward)
    assert found.last_inputs.shape[-1] == 16


COMPLEX = nn.Parameter(torch.zeros(3, 12, dtype=torch.complex64))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda k: k["state"].pop("conv.weight"), "must have the model's conv.weight"),
        (lambda k: k["state"].update({"head.bias": torch.zeros(4)}),
         "head.bias must be of"),
        (lambda k: k["state"].update({"norm.running_var": torch.ones(5)}),
         "norm.running_var"),
        (lambda k: k.update(state=k["model"].state_dict()), "model's own state"),
        (lambda k: k.update(state=[1]), "initial must be a copy .* 'list'"),
        (lambda k: k.update(model=nn.ReLU()), "module with parameters"),
        (lambda k: nn.init.constant_(k["model"].head.bias, float("nan")),
         "head.bias must be finite"),
        (lambda k: setattr(k["model"].head, "weight", COMPLEX),
         "head.weight must be real.*complex64"),
        (lambda k: k.update(inputs=None), "inputs must be given where labels are"),
        (lambda k: k.update(inputs=INPUTS[:1]), "inputs must be at least two; got 1"),
        (lambda k: k.update(labels=LABELS[:5]),
         r"labels must be of shape \(12,\).*\(5,"),
        (lambda k: k.update(forward=lambda m, x: {"logits": m(x)}),
         "forward must be a function to a tensor .* 'dict'"),
        (lambda k: k.update(forward=lambda m, x: m(x).T), r"forward .*\(3, 2\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_a_sentence(trained, change, message):
    given = {"model": copy.deepcopy(trained[0]), "state": dict(trained[1])}
    given |= {"inputs": INPUTS, "labels": LABELS, "forward": call}
    change(given)
    model, state, inputs, labels = (
        given[n] for n in ("model", "state", "inputs", "labels")
    )
    with pytest.raises(ValueError, match=message) as caught:
        regime_report(model, state, inputs, labels, forward=given["forward"])
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_the_page_tells_lazy_from_rich():
    page = (ROOT / "book" / "which_regime.md").read_text()
    cells = re.findall(r"```\{code-cell\} ipython3\n(.*?)```", page, re.S)
    names: dict = {}
    for cell in cells:
        exec(re.sub(r"^(---\n.*?---\n|:tags:.*?\n)", "", cell, flags=re.S), names)
    lazy, rich = names["reports"]["lazy"], names["reports"]["rich"]
    assert (lazy.verdict, rich.verdict) == ("lazy", "rich")
    assert rich.movement > 30 * lazy.movement and rich.feature_change > 0.2
    assert min(lazy.curves.active[0], rich.curves.active[0]) > 0.85
