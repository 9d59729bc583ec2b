"""The neighbours' layers, learning rates and resets are those of their authors.

What the authors' code did to a small network lies in `authors.json`: badam 1.4,
Composer's layer freezing (mosaicml 0.32.1), ajbrock/FreezeOut, and of LMFlow
`lisa_trainer.py` (7791f15) and `lisa_trainer_fsdp.py` (ffd2b1d), under torch 2.7.0. The
program that ran them is `tests/authors.py` in this repository's history.
"""

import collections
import dataclasses
import functools
import itertools
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from lazyrich_helpers.config import Part
from lazyrich_helpers.lws import baselines
from lazyrich_helpers.lws.baselines import LISA, BAdam, FreezeOut, LayerFreezing
from lazyrich_helpers.lws.layerwise import LayerwiseSparse
from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.lws.schedules import (
    TopKAllBottoms,
    in_words,
)
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.loop import new_network, train
from lazyrich_helpers.training.optimizers import SGD, Adam
from tests import tiny
from tests.borrowed import groups

HEAVY = SGD(lr=0.1, momentum=0.9, weight_decay=0.1)
OPTIMIZERS = [HEAVY, Adam(lr=0.03)]
LENGTH = {"total_epochs": 3, "steps_per_epoch": 7}  # of the tiny config: 200 images
STEPS = {"steps_per_epoch": 7}
FREEZING = functools.partial(LayerFreezing, total_epochs=3)
FIXED = functools.partial(BAdam, **STEPS, switch_mode="fixed")
TINY = [
    FreezeOut(**LENGTH, t_0=0.4),
    FreezeOut(**LENGTH, t_0=0.5, how_scale="linear", scale_lr=False),
    LayerFreezing(total_epochs=3, freeze_start=0.0),
    LISA(**STEPS, activated_layers=1, interval_steps=4),
    BAdam(**STEPS, switch_block_every=4),
    BAdam(**STEPS, switch_block_every=3, switch_mode="random", top_awake=True),
]
IDS = [in_words(schedule) for schedule in TINY]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Forgetful(Part, slot="updates", kind="test_forgetful"):
    """All layers, the top forgotten at every step or once an epoch."""

    per_step: bool

    def plan(self, epoch, step, num_layers, seed):
        forget = {num_layers - 1} if self.per_step or step == 0 else ()
        return Plan(frozenset(range(num_layers)), forget=frozenset(forget))


RETURNING = [  # layers move again, with what their optimizer remembers
    *TINY,
    TopKAllBottoms(k=1, rho=0.5, draw="step"),
    tiny.Cyclic(),
    Forgetful(per_step=True),
    Forgetful(per_step=False),
]
RETURNING_IDS = [*IDS, "top 1 all bottoms", "cyclic", "each step", "each epoch"]


AUTHORS = json.loads((tiny.ROOT / "tests" / "authors.json").read_text())


def network(num_layers):
    """Return the authors' network, the same under any torch, and its layers."""
    layers = [nn.Linear(4, 4) for _ in range(num_layers)]
    model = nn.Sequential()
    with torch.no_grad():
        for index, layer in enumerate(layers):
            model.extend([layer, nn.Tanh()])
            for p in layer.parameters():
                p.copy_(torch.arange(p.numel()).mul(3).add(index).sin().view_as(p))
    return model, layers


def norms(layers):
    """Return the length of each layer's parameters."""
    return [flat_parameters(layer).norm().item() for layer in layers]


def plans(schedule, num_layers, num_steps, seed=0):
    """Return the plans of the first steps of the training."""
    per_epoch = schedule.steps_per_epoch
    return [
        schedule.plan(*divmod(step, per_epoch), num_layers, seed)
        for step in range(num_steps)
    ]


def awake(schedule, num_layers, num_steps, **options):
    return [sorted(p.layers) for p in plans(schedule, num_layers, num_steps, **options)]


def trained(schedule, num_layers, make_optimizer, num_epochs, num_steps, skip=0):
    """Train the authors' network by our schedule; yield its layers after each step."""
    model, layers = network(num_layers)
    inputs = torch.arange(48.0).sin().view(12, 4)
    optimizer = make_optimizer(groups(layers))
    sparse = LayerwiseSparse(layers, optimizer, schedule)
    for epoch, step in itertools.islice(
        itertools.product(range(num_epochs), range(num_steps)), skip, None
    ):
        with sparse.step(epoch, step):
            model.zero_grad()
            (model(inputs) - inputs.flip(1)).square().mean().backward()
            optimizer.step()
        yield layers


def near(norms):
    return pytest.approx(norms, rel=1e-5)


@pytest.mark.parametrize("theirs", AUTHORS["freeze_out"])
def test_freeze_out_is_the_authors(theirs):
    settings = {name: theirs[name] for name in ("how_scale", "t_0", "scale_lr")}
    schedule = FreezeOut(total_epochs=1, steps_per_epoch=1000, **settings)
    for step, layers in enumerate(awake(schedule, 5, 1000)):
        assert layers == [i for i in range(5) if step <= theirs["last"][i]]
    for step, expected in theirs["rates"].items():
        plan = schedule.plan(0, int(step), 5, 0)
        found = [0.1 * plan.scales[layer] for layer in sorted(plan.layers)]
        assert found == pytest.approx(expected, abs=1e-12)
    sgd = functools.partial(
        torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4
    )
    for step, layers in enumerate(trained(schedule, 5, sgd, 1, 1000)):
        if str(step) in theirs["weights"]:
            assert norms(layers) == near(theirs["weights"][str(step)])


@pytest.mark.parametrize("how_scale", ["linear", "squared", "cubic"])
@pytest.mark.parametrize("num_layers", [1, 2, 5, 12])
@pytest.mark.parametrize("t_0", [0.1, 0.5, 1.0])
def test_freeze_outs_equations(how_scale, num_layers, t_0):
    fields = {"total_epochs": 20, "steps_per_epoch": 50}
    schedule = FreezeOut(**fields, how_scale=how_scale, t_0=t_0)
    plain = dataclasses.replace(schedule, scale_lr=False)
    power = {"linear": 1, "squared": 2, "cubic": 3}[how_scale]
    for step, (one, two) in enumerate(
        zip(
            plans(schedule, num_layers, 1000),
            plans(plain, num_layers, 1000),
            strict=True,
        )
    ):
        assert one.layers == two.layers and num_layers - 1 in one.layers
        assert not one.forget
        for layer in one.layers:
            place = layer / (num_layers - 1) if num_layers > 1 else 1.0
            end = (t_0 + (1 - t_0) * place) ** power
            share = step / 1000
            assert share <= end + 1e-12
            cosine = 0.5 * (1 + math.cos(math.pi * share / end))
            assert two.scales[layer] == pytest.approx(cosine, abs=1e-12)
            assert one.scales[layer] == pytest.approx(cosine / end, abs=1e-9)
        assert one.layers == set(range(min(one.layers), num_layers))  # bottom first


@pytest.mark.parametrize("theirs", AUTHORS["layer_freezing"])
def test_layer_freezing_is_the_authors(theirs):
    names = ("total_epochs", "freeze_start", "freeze_level")
    schedule = LayerFreezing(**{name: theirs[name] for name in names})
    total, num_layers = theirs["total_epochs"], len(theirs["weights"][0])
    for epoch, lowest in enumerate(theirs["lowest"]):
        plan = schedule.plan(epoch, 0, num_layers, 0)
        assert plan == Plan(frozenset(range(lowest, num_layers)))
    sgd = functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=0.1)
    found = [norms(layers) for layers in trained(schedule, num_layers, sgd, total, 2)]
    assert np.array(found[1::2]) == near(np.array(theirs["weights"]))


@pytest.mark.parametrize("theirs", AUTHORS["lisa"]["runs"])
def test_lisa_is_the_authors_but_for_the_dice(theirs, monkeypatch):
    # Theirs are NumPy's, ours torch's, and no seed makes these agree. So ours draws
    # what theirs drew; how many of it, when, and what else wakes is still its own.
    every = theirs["interval_steps"]
    drawn = [
        [i - 1 for i in one if i not in (0, 5)] for one in theirs["awake"][::every]
    ]

    def loaded(num, *, generator):
        first = drawn[generator]
        return torch.tensor([*first, *(i for i in range(num) if i not in first)])

    monkeypatch.setattr(baselines, "generator", lambda _, __, interval: interval)
    monkeypatch.setattr(torch, "randperm", loaded)
    names = ("activated_layers", "interval_steps", "forgets")
    schedule = LISA(steps_per_epoch=7, **{name: theirs[name] for name in names})
    assert awake(schedule, 6, 14) == theirs["awake"]
    ages, found = np.zeros(6, int), []
    for plan in plans(schedule, 6, 14):
        ages[list(plan.forget)] = 0
        ages[list(plan.layers)] += 1
        found.append(ages.tolist())
    assert found == theirs["ages"]
    adamw = functools.partial(torch.optim.AdamW, lr=0.05, weight_decay=0.1)
    lengths = [norms(layers) for layers in trained(schedule, 6, adamw, 2, 7)]
    assert np.array(lengths) == near(np.array(theirs["weights"]))


def test_lisa_draws_every_middle_layer_equally_often_without_repeats():
    schedule = LISA(steps_per_epoch=1000, interval_steps=1)
    counts = collections.Counter(
        layer for plan in plans(schedule, 7, 3000) for layer in plan.layers - {0, 6}
    )
    share = 2 / 5
    spread = math.sqrt(3000 * share * (1 - share))
    assert set(counts) == {1, 2, 3, 4, 5}
    assert plans(schedule, 7, 30, seed=1) != plans(schedule, 7, 30)
    forgets_all = dataclasses.replace(schedule, forgets="all")
    assert forgets_all.plan(0, 0, 7, 0).forget == set(range(7))
    for each in (counts.values(), AUTHORS["lisa"]["counts"]):  # also the authors' dice
        assert all(abs(n - 3000 * share) < 4 * spread for n in each)
    pairs = collections.Counter(
        first.layers == second.layers
        for first, second in itertools.pairwise(plans(schedule, 7, 3000))
    )
    assert pairs[True] / 3000 == pytest.approx(1 / 10, abs=4 * math.sqrt(0.09 / 3000))


@pytest.mark.parametrize("theirs", AUTHORS["badam"])
def test_badam_is_the_authors_but_for_their_short_first_visit(theirs):
    every, names = theirs["switch_block_every"], ("switch_mode", "top_awake")
    schedule = BAdam(
        steps_per_epoch=15,
        switch_block_every=every,
        fixed_block=1,
        **{name: theirs[name] for name in names},
    )
    first, *ours = plans(schedule, 3, 15)
    assert [sorted(plan.layers) for plan in ours] == theirs["awake"]
    for age, after in zip(theirs["ages"], ours[1:], strict=False):
        assert after.forget == (set() if age else {0, 1, 2})
    assert first.layers == ours[0].layers  # the paper's K steps
    adam = functools.partial(torch.optim.Adam, lr=0.05)
    found = [norms(layers) for layers in trained(schedule, 3, adam, 1, 15, 1)]
    assert np.array(found) == near(np.array(theirs["weights"]))


def test_badam_at_random_visits_all_layers_once_a_round():
    schedule = BAdam(steps_per_epoch=9, switch_block_every=2, switch_mode="random")
    found = [layer for (layer,) in awake(schedule, 5, 2 * 5 * 200)]
    visits = found[::2]
    assert visits == found[1::2]
    rounds = [tuple(visits[i : i + 5]) for i in range(0, len(visits), 5)]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in rounds)
    assert len(set(rounds)) > 60  # of 120 orders
    assert awake(schedule, 5, 50, seed=1) != awake(schedule, 5, 50)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "adam"])
@pytest.mark.parametrize("schedule", RETURNING, ids=RETURNING_IDS)
def test_training_is_that_of_an_optimizer_for_each_layer(schedule, optimizer):
    config = tiny.config(optimizer=optimizer, updates=schedule)
    expected = flat_parameters(tiny.plain(config))
    assert torch.equal(tiny.trained(config, cache_bytes=0).final, expected)


def stack():
    """Return three layers with the same numbers at each call."""
    layers = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 5), nn.Linear(5, 3))
    with torch.no_grad():
        for p in layers.parameters():
            p.uniform_(-0.5, 0.5, generator=generator("stack", p.numel()))
    return layers, [layers[0], layers[2], layers[3]]


INPUTS = torch.randn(12, 4, generator=generator("neighbours"))


def one_step(model, optimizer):
    optimizer.zero_grad()
    model(INPUTS).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("schedule", RETURNING, ids=RETURNING_IDS)
def test_any_models_layers_can_be_trained_so(schedule):
    model, layers = stack()
    optimizer = torch.optim.AdamW(groups(layers), 0.05)
    sparse = LayerwiseSparse(layers, optimizer, schedule, seed=5)
    other, same = stack()
    made = [None] * 3
    for epoch, step in itertools.product(range(3), range(7)):
        plan = schedule.plan(epoch, step, 3, 5)
        with sparse.step(epoch, step) as awake:
            one_step(model, optimizer)
        assert awake == plan.layers
        assert [group["lr"] for group in optimizer.param_groups] == [0.05] * 3
        for layer in plan.forget:
            made[layer] = None
        other.zero_grad()
        other(INPUTS).square().mean().backward()
        for layer in plan.layers:
            lr = 0.05 * plan.scales[layer]
            made[layer] = made[layer] or torch.optim.AdamW(same[layer].parameters())
            made[layer].param_groups[0]["lr"] = lr
            made[layer].step()
        for one, two in zip(model.parameters(), other.parameters(), strict=True):
            assert torch.equal(one, two)


def test_rates_are_put_back_after_an_error():
    _, layers = stack()
    optimizer = torch.optim.SGD(groups(layers), 0.05)
    sparse = LayerwiseSparse(layers, optimizer, TINY[0])
    with pytest.raises(KeyError), sparse.step(1, 0):
        assert optimizer.param_groups[2]["lr"] != 0.05
        raise KeyError
    assert [group["lr"] for group in optimizer.param_groups] == [0.05] * 3


def test_a_learning_rate_for_each_layer_needs_a_group_for_each():
    model, layers = stack()
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    sparse = LayerwiseSparse(layers, optimizer, TINY[0])
    message = r"has layers \[0, 1, 2\] in one group: give it a group for each layer\.$"
    with pytest.raises(ValueError, match=message), sparse.step(0, 0):
        pass
    with LayerwiseSparse(layers, optimizer, TINY[-1]).step(0, 0):
        one_step(model, optimizer)  # what only forgets can have one


def test_a_plan_has_a_factor_for_every_awake_layer_or_none():
    layers = frozenset({4, 1})
    assert Plan(layers).scales == {1: 1.0, 4: 1.0}
    assert Plan(layers, lr_scales=(0.5, 2.0)).scales == {1: 0.5, 4: 2.0}
    with pytest.raises(AssertionError):
        Plan(layers, lr_scales=(0.5,))


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (FreezeOut(total_epochs=4, steps_per_epoch=7), "total_epochs must be 3, .* 4"),
        (FreezeOut(total_epochs=3, steps_per_epoch=9), "steps_per_epoch must be 7, .*"),
        (LayerFreezing(total_epochs=20), "total_epochs must be 3, the epochs of this"),
        (BAdam(steps_per_epoch=8), "steps_per_epoch must be 7, .* got 8"),
    ],
)
def test_a_schedule_of_another_length_is_refused_before_training(schedule, message):
    config = tiny.config(updates=schedule)
    data = config.data.load()
    with pytest.raises(ValueError, match=message):
        next(train(new_network(config, data), data, config))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FreezeOut(**LENGTH, t_0=0.0), r"t_0 must be in \(0, 1\]; got 0.0"),
        (lambda: FreezeOut(**LENGTH, how_scale="sine"), "linear, squared, cubic; got "),
        (lambda: FreezeOut(total_epochs=0, **STEPS), "total_epochs .*1; got 0"),
        (lambda: FreezeOut(**LENGTH | {"steps_per_epoch": 0}), "steps_per.*1; got 0"),
        (lambda: FreezeOut(**LENGTH).plan(3, 0, 5, 0), "epoch must be below 3.* got 3"),
        (lambda: FreezeOut(**LENGTH).plan(0, 7, 5, 0), "step must be below 7.* got 7"),
        (lambda: LayerFreezing(total_epochs=0), "total_epochs must be at least 1"),
        (lambda: FREEZING(freeze_start=1.0), r"freeze_start .*\[0, 1\); got 1.0"),
        (lambda: FREEZING(freeze_level=1.1), r"freeze_level .*\[0, 1\]; got 1.1"),
        (lambda: FREEZING().plan(5, 0, 4, 0), "epoch must be below 3.* got 5"),
        (lambda: LISA(steps_per_epoch=0), "steps_per_epoch must be at least 1"),
        (lambda: LISA(**STEPS, activated_layers=0), "activated_layers .*1; got 0"),
        (lambda: LISA(**STEPS, interval_steps=0), "interval_steps .* got 0"),
        (lambda: LISA(**STEPS, forgets="ends"), "one of middle, all, none; got 'ends'"),
        (lambda: LISA(**STEPS).plan(0, 0, 1, 0), "at most 0, the layers .* got 2"),
        (lambda: BAdam(steps_per_epoch=-1), "steps_per_epoch .* got -1"),
        (lambda: BAdam(**STEPS, switch_block_every=0), "switch_block_every .* got 0"),
        (lambda: BAdam(**STEPS, switch_mode="up"), "random, ascending, .* got 'up'"),
        (lambda: BAdam(**STEPS, fixed_block=-1), "fixed_block must be 0 or more"),
        (
            lambda: FIXED(fixed_block=4).plan(0, 0, 4, 0),
            "below the 4 blocks.* got 4",
        ),
        (lambda: FIXED(top_awake=True).plan(0, 0, 1, 0), "at least 2 layers; got 1"),
    ],
)
def test_what_can_not_be_is_one_sentence(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_names_tell_settings_apart():
    assert IDS[0] == "FreezeOut cubic from 0.4"
    assert IDS[1] == "FreezeOut linear from 0.5, unscaled"
    assert IDS[2] == "layer freezing from 0 to 1"
    assert IDS[3] == "LISA 1 every 4"
    assert IDS[4:] == ["BAdam descending every 4", "BAdam random every 3, top always"]
