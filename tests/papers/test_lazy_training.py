"""Lazy training: the nets are their equations, and the claims can fail."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch.func import functional_call, hessian

from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.analysis.tables.statistics import signed
from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.experiments.study import read_study
from lazyrich_helpers.models.linearized import Linearized, linearized_outputs
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.papers.lazy_training import claims, scales, tables
from lazyrich_helpers.papers.lazy_training.images import (
    FLOW,
    IMAGES,
    derivatives,
    doubled,
    flow_point,
    image_point,
    started_net,
)
from lazyrich_helpers.papers.lazy_training.kappa import (
    KAPPA,
    kappa_point,
    relative_scale,
)
from lazyrich_helpers.papers.lazy_training.laws import LAWS, law_point
from lazyrich_helpers.papers.lazy_training.nets import (
    descend,
    half_squares,
    lesson,
    students,
)
from lazyrich_helpers.papers.lazy_training.paths import PATHS, times_of
from lazyrich_helpers.papers.lazy_training.scales import (
    SCALE,
    WIDTH,
    scale_point,
    width_point,
)
from lazyrich_helpers.reinit.tangent_kernel import (
    stacked_gradients,
    stacked_tangent_kernels,
)
from lazyrich_helpers.training.objectives import Scaled
from tests import tiny

SEEDS = (0, 1, 2)


def by_hand(nets, inputs):
    """Return s Σ b φ(a·x) of each net, input by input."""
    unit = math.tanh if nets.smooth else lambda z: max(z, 0.0)
    return [
        [
            nets.scale
            * sum(b * unit(float(a @ x)) for a, b in zip(own_a, own_b, strict=True))
            for x in own_x
        ]
        for own_a, own_b, own_x in zip(
            nets.hidden.detach(), nets.readout.detach().tolist(), inputs, strict=True
        )
    ]


@pytest.mark.parametrize("smooth", [False, True])
def test_a_net_is_its_equation(smooth):
    task = lesson(SEEDS, 4, 5)
    nets = students(SEEDS, 6, 4, symmetric=False, scale=0.5, smooth=smooth)
    torch.testing.assert_close(
        nets(task.inputs).detach(),
        torch.tensor(by_hand(nets, task.inputs), dtype=torch.float64),
    )


def test_a_lesson_is_on_the_sphere_and_its_seeds_own():
    task, alone = lesson(SEEDS, 4, 5, num_test=3), lesson([2], 4, 5, num_test=3)
    assert task.inputs.norm(dim=2) == pytest.approx(1.0)
    assert task.directions.norm(dim=2) == pytest.approx(1.0)
    assert set(task.signs.abs().flatten().tolist()) == {1.0}
    for name, value in vars(alone).items():
        assert torch.equal(vars(task)[name][2:], value), name
    goal = sum(
        sign * torch.relu(unit @ task.inputs[0, 0])
        for unit, sign in zip(task.directions[0], task.signs[0], strict=True)
    )
    torch.testing.assert_close(task.goals[0, 0], goal)


def test_a_symmetric_student_is_zero_and_homogeneous():
    """A start of scale τ is an output of scale τ²."""
    task = lesson(SEEDS, 4, 5)
    assert students(SEEDS, 6, 4)(task.inputs).abs().max() < 1e-14
    one, three = (
        students(SEEDS, 6, 4, symmetric=False, init_scale=tau) for tau in (1, 3)
    )
    torch.testing.assert_close(three(task.inputs), 9 * one(task.inputs))


def test_nets_trained_as_one_are_trained_as_alone():
    task = lesson(SEEDS, 4, 6)
    nets, alone = students(SEEDS, 8, 4), students([1], 8, 4)
    own = lesson([1], 4, 6)
    for _ in descend(nets, task, 0.3, 20):
        pass
    for _ in descend(alone, own, 0.3, 20):
        pass
    torch.testing.assert_close(nets.vectors()[1:2], alone.vectors())
    start = students(SEEDS, 8, 4)
    before = half_squares(start, task.inputs, task.goals)
    assert (half_squares(nets, task.inputs, task.goals) < 0.9 * before).all()


def test_a_step_is_down_the_mean_squares_gradient():
    task, nets = lesson([0], 4, 6), students([0], 8, 4)
    half_mean_square = (nets(task.inputs) - task.goals).square().sum() / 12
    slopes = torch.autograd.grad(half_mean_square, [*nets.parameters()])
    before = [p.detach().clone() for p in nets.parameters()]
    assert list(descend(nets, task, 0.3, 1)) == [0, 1]
    for p, old, slope in zip(nets.parameters(), before, slopes, strict=True):
        torch.testing.assert_close(p.detach(), old - 0.3 * slope)


def test_stacked_gradients_are_the_linearized_model():
    task = lesson(SEEDS, 4, 5)
    nets = students(SEEDS, 6, 4, symmetric=False, smooth=True)
    start = {name: p.detach() for name, p in nets.named_parameters()}
    there = {name: p + torch.randn_like(p) for name, p in start.items()}
    _, change = linearized_outputs(nets, start, there, task.inputs)
    way = torch.cat([(there[n] - start[n]).flatten(1) for n in start], dim=1)
    rows = stacked_gradients(nets, task.inputs)
    torch.testing.assert_close((rows @ way[..., None])[..., 0], change)
    kernels = stacked_tangent_kernels(nets, task.inputs)
    torch.testing.assert_close(kernels, rows @ rows.transpose(1, 2))
    assert torch.linalg.eigvalsh(kernels).min() > -1e-12


def test_kappa_is_its_equation():
    """Norms of the whole second derivative, by its tensor and many random starts."""
    task = lesson([0], 2, 3)
    nets = students([0], 4, 2, symmetric=False, smooth=True, scale=0.5)
    shapes = [(name, p.shape, p.numel()) for name, p in nets.named_parameters()]

    def outputs(vector):
        parts = vector.split([size for *_, size in shapes])
        own = {n: v.view(s) for (n, s, _), v in zip(shapes, parts, strict=True)}
        return functional_call(nets, own, (task.inputs,))[0]

    tensor = hessian(outputs)(nets.vectors()[0])  # (n, p, p)
    generator, best = torch.Generator().manual_seed(0), 0.0
    for _ in range(50):
        g = torch.randn(3, generator=generator).double()
        for _ in range(100):
            sizes, vectors = torch.linalg.eigh(torch.einsum("n,npq->pq", g, tensor))
            u = vectors[:, sizes.abs().argmax()]
            bent = torch.einsum("npq,p,q->n", tensor, u, u)
            g = bent / bent.norm()
        best = max(best, bent.norm().item())
    first = torch.linalg.matrix_norm(stacked_gradients(nets, task.inputs)[0], ord=2)
    distance = (nets(task.inputs) - task.goals).norm()
    found = relative_scale(nets, task.inputs, task.goals)
    assert found.item() == pytest.approx((distance * best / first**2).item(), rel=1e-6)


def test_the_laws_hold_in_a_few_steps():
    settings = dataclasses.replace(
        LAWS.settings("smoke"), alphas=(100.0, 1000.0), num_steps=30, num_units=10
    )
    frames = [law_point(settings, a, "cpu").assign(alphas=a) for a in settings.alphas]
    slopes = tables.law_slopes(pd.concat(frames))
    for law, expected in tables.LAWS.items():
        assert slopes[law].to_numpy() == pytest.approx(expected, abs=0.01)


def test_a_lazy_student_moves_less_and_keeps_its_kernel():
    settings = SCALE.settings("smoke")
    small, large = (scale_point(settings, tau, "cpu") for tau in (0.03, 3.0))
    assert (large.moved < 0.1 * small.moved).all()
    assert (large.kernel_change < 0.1 * small.kernel_change).all()
    assert (large.kept_states > small.kept_states).all()
    for rows in (small, large):
        assert (rows.best_test_loss <= rows.test_loss + 1e-12).all()


def test_both_scalings_begin_equally_fast(monkeypatch):
    """Step size times tangent kernel is the same: so the step sizes are chosen."""
    speeds = []

    def trained(nets, task, step_size, *rest):
        speeds.append(step_size * stacked_tangent_kernels(nets, task.inputs[:, :5]))
        return pd.DataFrame({"seed": WIDTH.settings("smoke").seeds})

    monkeypatch.setattr(scales, "_trained", trained)
    rows = width_point(WIDTH.settings("smoke"), 16, "cpu")
    assert rows.scaling.tolist() == ["1/√m"] * 2 + ["1/m"] * 2
    torch.testing.assert_close(*speeds)


def test_a_large_scale_is_the_linearized_conv_net():
    settings = dataclasses.replace(IMAGES.settings("smoke"), num_epochs=4)
    lazy, linear = (image_point(settings, inverse, "cpu") for inverse in (1e-6, 0.0))
    assert lazy.train_loss[0] == pytest.approx(linear.train_loss[0], rel=1e-4)
    assert lazy.test_accuracy[0] == pytest.approx(linear.test_accuracy[0], abs=0.005)
    assert lazy.kept_states[0] > 0.999 and lazy.moved[0] < 1e-5
    assert lazy.train_loss[0] < 0.5  # of outputs 0


def test_the_flow_is_that_of_small_steps():
    """Of the square loss's gradient, by automatic differentiation of h̄ itself."""
    settings = dataclasses.replace(FLOW.settings("smoke"), times=(0.5, 2.0))
    found = flow_point(settings, 0, "cpu")
    data = images("digits", train_size=settings.train_size).load()
    train, test = doubled(data)["train"], doubled(data)["test"]
    linear = Linearized(started_net(2, 2, 0, train))
    start, objective = (
        flat_parameters(linear),
        Scaled(output_scale=1.0, loss_kind="square"),
    )
    optimizer, losses = torch.optim.SGD(linear.parameters(), lr=0.01), []
    for step in range(1, 201):
        optimizer.zero_grad()
        objective.loss(linear, train.images, train.labels, start).backward()
        optimizer.step()
        if step in (50, 200):
            loss = objective.loss(linear, train.images, train.labels, start)
            losses.append(loss.item())
    assert found.train_loss.to_numpy() == pytest.approx(losses, rel=1e-3)
    guesses = objective.outputs(linear, test.images, start).argmax(1)
    right = (guesses == test.labels).double().mean().item()
    assert found.test_accuracy.iloc[-1] == pytest.approx(right, abs=0.01)


def test_derivatives_are_those_of_the_outputs():
    train = doubled(images("digits", train_size=10).load())["train"]
    net = started_net(2, 2, 0, train)
    rows = derivatives(net, train.images[:3])
    own = torch.autograd.grad(net(train.images[:3])[2, 7], [*net.parameters()])
    torch.testing.assert_close(rows[27], torch.cat([g.flatten() for g in own]))


def test_times_begin_at_the_start_and_end_at_the_end():
    settings = PATHS.settings("paper")
    times = times_of(settings)
    assert times[0] == 0 and times[-1] == settings.num_steps
    assert times == sorted(set(times))


def scale_table(ratio, spread=0.1):
    table = tiny.grid(taus=(0.01, 10.0), seed=range(5))
    factor = table.taus.map({0.01: 1.0, 10.0: ratio})
    return table.assign(test_loss=(1 + spread * table.seed) * factor)


def claim(name):
    return next(each for each, *_ in claims.CLAIMS if each.name == name)


def asked(name, table):
    return claim(name).check(table, **claim(name).asks).word


def test_the_scale_claim_can_fail():
    assert asked("LT2", scale_table(30.0)) is Word.HOLDS
    assert asked("LT2", scale_table(1.2)) is Word.FAILS


@pytest.mark.parametrize(("power", "word"), [(2, Word.HOLDS), (1.5, Word.FAILS)])
def test_the_laws_claim_can_fail(power, word):
    noise = np.random.default_rng(0).uniform(0.99, 1.01, (5, 7, 3))
    alphas = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
    table = tiny.grid(seed=range(5), alphas=alphas)
    table["from_start"] = noise[..., 0].ravel() / table.alphas
    table["from_linear"] = noise[..., 1].ravel() / table.alphas**power
    table["outputs_apart"] = noise[..., 2].ravel() / table.alphas
    assert asked("LT1", table) is word


@pytest.mark.parametrize(
    ("sqrt", "mean_field", "word"),
    [
        (-0.5, 0.0, Word.HOLDS),
        (-0.5, 0.2, Word.HOLDS),
        (-0.5, -0.4, Word.FAILS),
        (-0.05, 0.2, Word.FAILS),
    ],
)
def test_the_kappa_claim_can_fail(sqrt, mean_field, word):
    noise = np.random.default_rng(0).uniform(0.99, 1.01, (5, 4, 2))
    widths, powers = (8, 32, 128, 512), {"1/√m": sqrt, "1/m": mean_field}
    table = tiny.grid(seed=range(5), widths=widths, scaling=powers)
    kappa = table.widths ** table.scaling.map(powers)
    assert asked("LT4", table.assign(kappa=kappa * noise.ravel())) is word


@pytest.mark.parametrize(
    ("sqrt", "mean_field", "word"),
    [
        (0.5, -0.1, Word.HOLDS),
        (0.5, 0.2, Word.PARTLY),
        (-0.5, 0.2, Word.FAILS),
    ],
)
def test_the_width_claim_can_fail(sqrt, mean_field, word):
    noise = np.random.default_rng(0).uniform(0.99, 1.01, (5, 5, 2))
    widths, powers = (4, 8, 32, 128, 512), {"1/√m": sqrt, "1/m": mean_field}
    table = tiny.grid(seed=range(5), widths=widths, scaling=powers)
    losses = (table.widths ** table.scaling.map(powers)).where(table.widths > 4, 99.0)
    assert asked("LT3", table.assign(test_loss=losses * noise.ravel())) is word


def test_a_slope_that_may_be_none_is_undecided():
    powers = {"1/√m": 0.5, "1/m": 0.0}
    table = tiny.grid(seed=range(5), widths=(8, 32, 128), scaling=powers)
    slopes = table.scaling.map(powers) + 0.01 * table.seed
    slopes = slopes.where(table.scaling == "1/√m", 0.15 * (table.seed - 2))
    table["test_loss"] = table.widths**slopes
    assert asked("LT3", table) is Word.UNDECIDED


def test_a_missing_point_of_the_nets_is_not_asked(monkeypatch):
    lacking = dataclasses.replace(read_study(IMAGES), missing=[1.0])
    monkeypatch.setattr(claims, "read_study", lambda study: lacking)
    assert asked("LT5", read_study(FLOW).table) is Word.NOT_RUN


@pytest.mark.parametrize(("lazy", "word"), [(0.9, Word.HOLDS), (0.95, Word.FAILS)])
def test_the_conv_net_claims_can_fail(lazy, word):
    table = tiny.grid(inverse_alphas=(1.0, 0.001), lr=(0.03, 0.1), seed=range(5))
    table["held_out_accuracy"] = table.lr  # the larger rate is the better one
    best = table.inverse_alphas.map({1.0: 0.95, 0.001: lazy})
    table["test_accuracy"] = best.where(table.lr == 0.1, 0.5) + 0.001 * table.seed
    table["train_loss"] = 0.1 * (1 + table.seed)
    table["kept_states"] = table.inverse_alphas.map({1.0: 0.8, 0.001: 0.995})
    flow = pd.DataFrame(
        (seed, time, loss * (1 + seed), accuracy + 0.001 * seed)
        for seed in range(5)
        for time, loss, accuracy in ((1, 0.3, 0.2), (9, 0.09, lazy), (99, 0.01, 0.3))
    )
    flow.columns = ["seed", "time", "train_loss", "test_accuracy"]
    found = claims.asked_at_equal_loss(flow, table, points=1)
    assert found.word is word and "reached by 5 of 5" in found.numbers
    never = flow[flow.time < 9].assign(test_accuracy=lazy + 0.001 * flow.seed)
    found = claims.asked_at_equal_loss(never, table, points=1)
    assert found.word is Word.UNDECIDED and "reached by 0 of 5" in found.numbers
    assert f"at α = 1,000 loses {signed(100 * (0.95 - lazy))} ± 0.0" in found.numbers
    kept = table.assign(kept_states=0.97)
    assert asked("LT6", table) is Word.HOLDS and asked("LT6", kept) is Word.FAILS
    assert (tables.at_best_rates(table).lr == 0.1).all()


def test_kappa_is_measured_for_both_scalings_of_each_seed():
    settings = KAPPA.settings("smoke")
    rows = kappa_point(settings, 8, "cpu")
    assert len(rows) == 2 * len(settings.seeds)
    assert (rows.kappa > 0).all()
