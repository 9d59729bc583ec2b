"""Masked training with partial gradients: its loop, its samplers, its bound."""

import copy
import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.lws import perturbing_samplers as perturbing
from lazyrich_helpers.lws import samplers
from lazyrich_helpers.lws.baselines import FreezeOut
from lazyrich_helpers.lws.partial import Course, PartialPlan
from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.measures.costs import backward_flops
from lazyrich_helpers.measures.partial_costs import plan_bytes, plan_flops
from lazyrich_helpers.models.flops import layer_flops
from lazyrich_helpers.models.network import relu_net
from lazyrich_helpers.models.stacked import (
    Core,
    LowRankReluNet,
    StackedReluNet,
    Units,
    draw_,
)
from lazyrich_helpers.models.stacked_transformer import LowRankTransformer
from lazyrich_helpers.papers.partial_sgd import bound
from lazyrich_helpers.papers.partial_sgd.entries import ENTRIES, steps_of
from lazyrich_helpers.papers.partial_sgd.samplers import updated_shares
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.partial_sgd import (
    accuracies,
    mean_losses,
    partial_sgd,
    shuffled,
)

SIZES = (6, 8, 8, 8, 4)


def network(num=1, build=StackedReluNet, **options):
    made = build(num, SIZES, **options)
    draw_(made, [generator("test", seed) for seed in range(num)])
    for p in made.parameters():  # biases too, so that nothing is zero by chance
        p.data += 0.1 * torch.rand(p.shape, generator=generator("more", p.numel()))
    return made.double()


def batches(num=1, size=10):
    def batch(step):
        stream = generator("batch", step)
        inputs = torch.randn(size, SIZES[0], generator=stream, dtype=torch.float64)
        labels = torch.randint(SIZES[-1], (size,), generator=stream)
        return inputs.expand(num, -1, -1), labels.expand(num, -1)

    return batch


def trained(net, sampler, *, num=1, lr=0.1, num_steps=6, epoch=3):
    """Yield each step of a training with the parameters before and after it."""
    rates = torch.full((num,), lr, dtype=torch.float64)
    before = copy.deepcopy(net)
    steps = partial_sgd(
        net,
        batches(num),
        sampler,
        lr=rates,
        num_steps=num_steps,
        steps_per_epoch=epoch,
        seed=0,
    )
    for done in steps:
        yield done, before, net
        before = copy.deepcopy(net)


def always(*plans):
    """A sampler that takes these plans in turn."""

    def sampler(course):
        yield from itertools.islice(itertools.cycle(plans), course.num_steps)

    return sampler


def after(sampler, *, num_steps=1, num=1, **options):
    net = network(num, **options)
    for _ in trained(net, sampler, num=num, num_steps=num_steps):
        pass
    return [p.detach() for p in net.parameters()]


EVERY = frozenset(range(4))


def test_a_mask_of_ones_is_sgd_bit_for_bit():
    ones = Plan(EVERY, mask=lambda i, n, p: torch.ones_like(p, dtype=torch.bool))
    plain = network()
    for step in range(6):
        total = mean_losses(plain, Plan(EVERY), *batches()(step)).sum()
        for p, grad in zip(
            plain.parameters(),
            torch.autograd.grad(total, list(plain.parameters())),
            strict=True,
        ):
            p.data -= 0.1 * grad
    for sampler in (samplers.scheduled(Full()), always(ones)):
        for own, p in zip(after(sampler, num_steps=6), plain.parameters(), strict=True):
            assert torch.equal(own, p)


@pytest.mark.parametrize("name", ENTRIES)
def test_what_is_masked_does_not_move_and_the_rest_does(name):
    entry = ENTRIES[name]
    options = {"rank": 2, "build": LowRankReluNet} if name == "low-rank" else {}
    net, moved_at_all = network(**options), False
    for done, before, now in trained(net, entry.sampler, num_steps=24):
        plan = done.plan
        assert done.num_extra == entry.evaluations - 1
        for layer, (old, new) in enumerate(zip(before.layers, now.layers, strict=True)):
            for number, (a, b) in enumerate(
                zip(old.parameters(), new.parameters(), strict=True)
            ):
                if layer not in plan.layers:
                    assert torch.equal(a, b) and b.grad is None
                    continue
                moved = a != b
                if plan.mask is not None:
                    assert not (moved & ~plan.mask(layer, number, b)).any()
                moved_at_all |= bool(moved.any())
        shares = updated_shares(now, plan)
        assert {i for i, share in enumerate(shares) if share} == plan.layers
    assert moved_at_all


def test_a_stack_is_its_networks_one_by_one():
    seeds, rates = [3, 4], torch.tensor([0.05, 0.2])
    data = images("digits", train_size=100).load()

    def run(chosen):
        net = StackedReluNet(len(chosen), (64, 8, 8, 10))
        draw_(net, [generator("x", seeds[i]) for i in chosen])
        steps = partial_sgd(
            net,
            shuffled(data.train, [seeds[i] for i in chosen], 20),
            perturbing.sharpness_aware(0.1),
            lr=rates[chosen],
            num_steps=12,
            steps_per_epoch=5,
            seed=0,
        )
        found = torch.stack([done.losses for done in steps])
        return found, accuracies(net, data.test, len(chosen)), net

    both, accuracy, stack = run([0, 1])
    for i in range(2):
        alone, own, net = run([i])
        assert torch.allclose(both[:, i], alone[:, 0], atol=1e-5)
        assert own.item() == pytest.approx(accuracy[i].item(), abs=0.01)
        logits = net(data.test.images.flatten(1)[None])[0]
        right = (logits.argmax(1) == data.test.labels).float().mean()
        assert own.item() == pytest.approx(right.item())
        for p, q in zip(stack.parameters(), net.parameters(), strict=True):
            assert torch.allclose(p[i], q[0], atol=1e-5)


def in_words_of_the_protocol(units):
    """Return the mask and perturbation that a sub-network stands for."""
    kept = [None, *units.hidden, None]

    def ones(layer, p):
        mask = torch.zeros(p.shape[1:], dtype=torch.bool)
        rows = range(mask.shape[0]) if kept[layer + 1] is None else kept[layer + 1]
        columns = slice(None) if kept[layer] is None else kept[layer]
        for row in rows:
            mask[int(row), ...] = True
        if mask.dim() == 2:
            keeps = torch.zeros(mask.shape[1], dtype=torch.bool)
            keeps[columns] = True
            mask &= keeps
        return mask.expand_as(p)

    def perturbation(layer, number, p):
        scale = units.scale if layer and p.dim() == 3 else 1.0
        return p * (ones(layer, p) * scale - 1)

    return Plan(
        EVERY,
        mask=lambda layer, number, p: ones(layer, p),
        perturbation=perturbation,
    )


@pytest.mark.parametrize("scale", [1.0, 1.25])
def test_a_sub_network_is_a_mask_and_a_perturbation(scale):
    hidden = [torch.tensor(own) for own in ([0, 2, 5], [1, 2, 3, 7], [4, 6])]
    units = Units(tuple(hidden), scale=scale)
    part = PartialPlan(EVERY, part=units)
    words = in_words_of_the_protocol(units)
    found = {}
    for name, plan in (("part", part), ("words", words)):
        net = network()
        ((done, before, now),) = trained(net, always(plan), num_steps=1)
        found[name] = (done.losses, list(before.parameters()), list(now.parameters()))
    assert torch.allclose(found["part"][0], found["words"][0])
    for before, one, two in zip(
        found["part"][1], found["part"][2], found["words"][2], strict=True
    ):
        # Where activations are multiplied, the chain rule multiplies the gradient of
        # what reads them: the step there is longer by that factor.
        moved, words_moved = one - before, two - before
        assert torch.equal(moved == 0, words_moved == 0)
        ratio = (moved / words_moved)[words_moved != 0]
        first = before.shape[-1] == SIZES[0] or before.dim() == 2
        assert torch.allclose(ratio, torch.tensor(1.0 if first else scale).double())


def test_a_core_is_the_factors_alone():
    net = network(2, build=LowRankReluNet, rank=2)
    core = PartialPlan(EVERY, part=Core())
    words = Plan(
        EVERY,
        mask=lambda i, n, p: torch.full_like(p, n != 0, dtype=torch.bool),
        perturbation=lambda i, n, p: -p if n == 0 else torch.zeros_like(p),
    )
    options = {"num": 2, "build": LowRankReluNet, "rank": 2}
    for own, other in zip(
        after(always(core), **options), after(always(words), **options), strict=True
    ):
        assert torch.allclose(own, other)
    inputs, _ = batches(2)(0)
    without = copy.deepcopy(net)
    for layer in without.layers:
        layer.rest.data.zero_()
    assert torch.allclose(net(inputs, Core()), without(inputs))
    assert not torch.allclose(net(inputs), without(inputs))


def gradient_at(net, step=0):
    total = mean_losses(net, Plan(EVERY), *batches()(step)).sum()
    return torch.autograd.grad(total, list(net.parameters()))


@pytest.mark.parametrize("kind", ["extragradient", "sam", "connections"])
def test_the_gradient_is_taken_where_it_should(kind):
    sampler = ENTRIES[kind].sampler
    net = network()
    start = [p.detach().clone() for p in net.parameters()]
    ((done, _, now),) = trained(net, sampler, num_steps=1)
    there = network()
    gradient = gradient_at(there)
    length = torch.cat([g.flatten() for g in gradient]).norm()
    numbers = [(layer, number) for layer in range(4) for number in (0, 1)]
    for p, g, place in zip(there.parameters(), gradient, numbers, strict=True):
        if kind == "extragradient":
            p.data -= 0.05 * 0.1 * g
        elif kind == "sam":
            p.data += 0.1 * g / length
        elif p.dim() == 3:
            p.data *= done.plan.mask(*place, p) / 0.8
    elsewhere = gradient_at(there)
    for p, x, g, place in zip(now.parameters(), start, elsewhere, numbers, strict=True):
        moves = done.plan.mask(*place, p) if done.plan.mask else 1.0
        assert torch.allclose(p, x - 0.1 * g * moves)


def course(num_layers=4, num=1, num_steps=10_000, epoch=10):
    net = StackedReluNet(num, (4,) * (num_layers + 1)).double()
    return Course(net, num_steps, epoch, 0, torch.ones(num).double(), lambda: [])


def test_a_schedule_is_made_for_the_trainings_length():
    own = course(num_layers=3, num_steps=15, epoch=5)
    made = FreezeOut(total_epochs=3, steps_per_epoch=5, t_0=0.5)
    plans = list(samplers.by_length(FreezeOut, t_0=0.5)(own))
    assert plans == [made.plan(step // 5, step % 5, 3, 0) for step in range(15)]
    assert len({plan.layers for plan in plans}) > 1


def give(net, strengths):
    """Set all gradients of a layer to one number; of what was not trained to none."""
    for layer, size in zip(net.layers, strengths, strict=True):
        for p in layer.parameters():
            p.grad = None if size is None else torch.full_like(p, size)


def test_modules_are_drawn_as_their_importance_says():
    own = course(num_steps=4000)
    sizes = [1.0, 2.0, 3.0, 6.0]
    counts = np.zeros(4)
    for step, plan in enumerate(samplers.important_modules(1, 1, eta=1.0)(own)):
        (layer,) = plan.layers
        give(own.network, [s if i == layer else None for i, s in enumerate(sizes)])
        counts[layer] += step >= 100  # all are known by then
    expected = np.exp(np.array(sizes) / 3)
    # 3,900 draws: a share's standard deviation is at most 0.008.
    assert counts / counts.sum() == pytest.approx(expected / expected.sum(), abs=0.03)


def test_networks_of_a_stack_draw_modules_of_their_own():
    own = course(num=2, num_steps=2000)
    counts = np.zeros((4, 2))
    for plan in samplers.important_modules(1, 1)(own):
        for layer in plan.layers:
            p = next(own.network.layers[layer].parameters())
            mask = plan.mask(layer, 0, p) if plan.mask else torch.ones_like(p)
            counts[layer] += mask.flatten(1).any(1).numpy()
        strengths = [1.0 if i in plan.layers else None for i in range(4)]
        give(own.network, strengths)
        for layer in plan.layers:  # the second network's gradients grow upwards
            for p in own.network.layers[layer].parameters():
                p.grad[1] *= 1 + layer
    assert counts.sum(0).tolist() == [2000, 2000]
    assert counts[:, 0] == pytest.approx(500, abs=100)
    assert counts[3, 1] > 2 * counts[0, 1]


def test_a_layer_with_a_small_gradient_is_frozen_for_good_but_not_the_top():
    own = course(num_steps=200, epoch=10)
    plans = []
    for step, plan in enumerate(samplers.below_threshold(0.5, 0.2)(own)):
        plans.append(plan.layers)
        low = 0.1 if 20 <= step < 60 else 1.0
        sizes = [low, 1.0, 0.6, low]
        give(
            own.network, [s if i in plan.layers else None for i, s in enumerate(sizes)]
        )
    assert set(plans[:40]) == {EVERY}  # the grace period
    assert plans[40] == plans[-1] == EVERY - {0}


def test_the_rows_with_the_largest_gradients_move():
    own = course()
    plan = next(samplers.largest_rows(0.5)(own))
    give(own.network, [1.0] * 4)
    weight = next(own.network.layers[1].parameters())
    weight.grad[0] = torch.tensor([3.0, 0.0, 1.0, -2.0])[:, None]
    rows = plan.mask(1, 0, weight)[0].all(1).tolist()
    assert rows == [True, False, False, True]
    assert plan.mask(1, 1, own.network.layers[1].bias)[0].tolist() == rows
    assert plan.mask(3, 0, weight).all()  # the top is not cut


def test_random_entries_move_with_their_probability():
    own = Course(StackedReluNet(1, (100, 100, 100)), 2, 1, 0, torch.ones(1), lambda: [])
    one, two = samplers.random_entries(0.1)(own)
    weight = own.network.layers[0].weight
    for plan in (one, two):
        # 10,000 entries: a standard deviation of 0.003.
        share = plan.mask(0, 0, weight).float().mean().item()
        assert share == pytest.approx(0.1, abs=0.015)
    assert not torch.equal(one.mask(0, 0, weight), two.mask(0, 0, weight))


def test_workers_own_every_unit_once_and_stay_for_their_steps():
    own = course(num_steps=12)
    plans = list(perturbing.independent_subnets(2, 3)(own))
    for turn in range(2):
        steps = [plan.part.hidden for plan in plans[6 * turn : 6 * turn + 6]]
        for hidden in zip(*steps, strict=True):
            first, second = hidden[0], hidden[3]
            assert all(torch.equal(first, each) for each in hidden[:3])
            assert all(torch.equal(second, each) for each in hidden[3:])
            assert sorted([*first.tolist(), *second.tolist()]) == [0, 1, 2, 3]


def test_dropout_keeps_a_share_of_the_units_and_their_mean():
    own = course(num_steps=2000)
    plans = list(perturbing.drop_units(0.5)(own))
    counts = torch.zeros(4)
    for plan in plans:
        assert plan.part.scale == 2.0
        counts[plan.part.hidden[1]] += 1
    assert counts.sum() == 2 * 2000
    assert counts.numpy() == pytest.approx(1000, abs=120)


def test_taking_turns_and_counting_steps():
    plans = perturbing.slimmable((0.5,))(course(num_steps=4))
    sizes = [plan.part and len(plan.part.hidden[0]) for plan in plans]
    assert sizes == [2, None, 2, None]
    counted = {
        name: [steps_of(ENTRIES[name], 400, m) for m in ("core", "total")]
        for name in ("sgd", "sam", "low-rank")
    }
    assert counted == {"sgd": [400, 400], "sam": [400, 200], "low-rank": [800, 400]}


def test_operations_are_those_of_what_is_computed():
    net, plain = StackedReluNet(1, SIZES), relu_net(8, 3, 6, 4)
    flops = layer_flops(plain, (1, 1, 6))
    assert net.flops() == flops
    top = Plan(frozenset({3}))
    forward, backward = plan_flops(net, top, 0)
    assert forward == sum(map(sum, flops)) and backward == flops[3][0]
    again = plan_flops(net, top, 1)
    assert again[0] == 2 * forward
    assert again[1] == backward + backward_flops(flops, range(4))
    half = Units(tuple(torch.arange(4) for _ in range(3)))
    assert net.flops(half) == [[2 * 6 * 4], [32], [32], [32]]
    low = LowRankReluNet(1, SIZES, rank=2)
    assert low.flops(Core())[1] == [2 * 2 * (8 + 8)]
    assert low.flops()[1] == [2 * 2 * (8 + 8) + 2 * 8 * 8]


def test_bytes_fall_with_what_is_frozen_and_rise_with_what_is_copied():
    net, (inputs, labels) = network(), batches(size=50)(0)

    def held(plan, num_extra=0):
        return plan_bytes(net, plan, num_extra, inputs, labels)

    full, top = held(Plan(EVERY)), held(Plan(frozenset({3})))
    parameters = sum(p.nbytes for p in net.parameters())
    assert top < full - sum(p.nbytes for p in net.layers[0].parameters())
    moved = Plan(EVERY, perturbation=lambda i, n, p: torch.zeros_like(p))
    assert held(moved, 1) == full + 2 * parameters
    half = PartialPlan(EVERY, part=Units(tuple(torch.arange(2) for _ in range(3))))
    assert held(half) < full


def test_factors_are_drawn_so_that_their_product_has_a_weights_variance():
    net = LowRankReluNet(1, (400, 400, 10), rank=20)
    draw_(net, [generator("draw", 0)], rest=0.0)
    layer = net.layers[0]
    product = layer.left[0] @ layer.right[0]
    # 160,000 entries of rank 20: a relative error of about a tenth.
    assert product.var().item() == pytest.approx(2 / 400, rel=0.15)
    assert not layer.rest.any()
    plain = StackedReluNet(1, (400, 400, 10))
    draw_(plain, [generator("draw", 0)])
    assert plain.layers[0].weight.var().item() == pytest.approx(2 / 400, rel=0.02)
    assert not plain.layers[0].bias.any()


def transformer(num):
    net = LowRankTransformer(
        num, tokens=(3, 2), size=4, heads=2, blocks=1, rank=2, num_classes=4
    )
    draw_(net, [generator("transformer", seed) for seed in range(num)])
    return net.double()


def test_the_transformer_is_attention_over_its_tokens():
    net = transformer(2)
    net.layers[0].places.data.normal_(generator=generator("places", 0))
    inputs, _ = batches(2)(0)
    logits = net(inputs, Core())
    bottom, block, top = net.layers
    for i in range(2):

        def matrix(layer, i=i):
            return layer.left[i] @ layer.right[i]

        x = inputs[i].view(10, 3, 2) @ bottom.linear.weight[i].T
        x = x + bottom.places[i].view(3, 4)
        q, k, v = (F.layer_norm(x, (4,)) @ matrix(block.mixed).T).split(4, dim=-1)
        mixed = []
        for head in (slice(0, 2), slice(2, 4)):
            scores = q[..., head] @ k[..., head].transpose(1, 2) / 2**0.5
            mixed.append(scores.softmax(-1) @ v[..., head])
        x = x + torch.cat(mixed, -1) @ matrix(block.out).T
        wide = F.gelu(F.layer_norm(x, (4,)) @ matrix(block.up).T)
        x = x + wide @ matrix(block.down).T
        expected = F.layer_norm(x, (4,)).mean(1) @ top.weight[i].T
        assert torch.allclose(logits[i], expected)
    assert not torch.allclose(net(inputs), logits)


def test_the_bound_holds_and_is_what_it_says():
    settings = bound.BoundSettings(num_steps=1000, seeds=(0, 1, 2, 3), radii=(0.0, 0.3))
    for rho in (0.1, 1.0):
        rows = bound.point(settings, rho, "cpu")
        means = rows.groupby("radius").mean()
        assert (means.masked <= means.bound).all()
        assert (means.full <= means.full_bound).all()
        assert (rows.masked <= rows.full + 1e-12).all()
        assert means.full_bound.to_numpy() == pytest.approx(means.bound / rho)
    start = sum(np.linspace(0.05, 1, 40)) / 2
    by_hand = 2 * start / (0.1 * 1000) + 0.1 + 0.3**2
    assert means.bound[0.3] == pytest.approx(by_hand)
    assert means.full[0.0] == pytest.approx(means.masked[0.0])  # nothing is masked


def test_descent_without_noise_is_gradient_descent():
    settings = bound.BoundSettings(noise=0.0, num_steps=50, seeds=(0,))
    curvature = torch.linspace(0.05, 1, 40).double()
    _, full, start = bound.descend(settings, curvature, 1.0, 0.0, [generator("x", 0)])
    steps = (1 - 0.1 * curvature) ** torch.arange(50)[:, None]
    expected = (curvature * steps).square().sum(1).mean()
    assert full.item() == pytest.approx(expected.item())
    assert start == pytest.approx((curvature.sum() / 2).item())
