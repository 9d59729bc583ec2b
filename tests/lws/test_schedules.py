"""A plan is a pure function of its arguments and names layers that exist."""

import numpy as np
import pytest
import torch
from scipy import stats

from lazyrich_helpers.config import Part
from lazyrich_helpers.lws.baselines import LISA, BAdam, FreezeOut, LayerFreezing
from lazyrich_helpers.lws.plans import Plan, UpdateSchedule
from lazyrich_helpers.lws.schedules import (
    BottomQ,
    Full,
    Middle,
    RandomBeta,
    RandomUniform,
    TopBottom,
    TopK,
    TopKAllBottoms,
    TopKBottomQ,
    in_words,
)
from tests import tiny

EXAMPLES = [
    Full(),
    TopK(k=2),
    BottomQ(q=2),
    TopBottom(k=1, q=2),
    Middle(),
    TopKBottomQ(k=1, q=2, rho=0.5),
    TopKAllBottoms(k=2, rho=0.5, draw="step"),
    RandomUniform(),
    RandomBeta(),
    FreezeOut(total_epochs=5, steps_per_epoch=8),
    LayerFreezing(total_epochs=5),
    LISA(steps_per_epoch=8, activated_layers=1),
    BAdam(steps_per_epoch=8),
]
IDS = [schedule.kind for schedule in EXAMPLES]
MANY = 4000
"""Epochs to draw where a distribution is tested."""


def layers(schedule, num_layers=5, *, epoch=0, step=0, seed=0):
    return set(schedule.plan(epoch, step, num_layers, seed).layers)


def depths(schedule, num_layers, num=MANY):
    """Return how many layers are updated in each of many epochs; all from one up."""
    each = [layers(schedule, num_layers, epoch=e) for e in range(num)]
    if not isinstance(schedule, TopKBottomQ):
        assert all(found == set(range(min(found), num_layers)) for found in each)
    return np.array(list(map(len, each)))


def test_names_are_words_and_differ():
    names = [in_words(schedule) for schedule in EXAMPLES]
    assert names[:5] == ["full", "top 2", "bottom 2", "top 1 bottom 2", "middle"]
    assert names[6] == "top 2 all bottoms, drawn each step"
    assert len({*names}) == len(names) - 1  # one is the other at probability one
    assert "Mask" in in_words(tiny.Mask(mask="1"))


def test_every_kind_has_an_example():
    kinds = {
        kind.kind
        for kind in Part.__subclasses__()
        if kind.slot == "updates" and kind.__module__.startswith("lazyrich_")
    }
    assert kinds == set(IDS)


@pytest.mark.parametrize("schedule", EXAMPLES, ids=IDS)
def test_a_plan_is_pure_and_in_range(schedule):
    assert isinstance(schedule, UpdateSchedule)
    for place in [(0, 0, 3, 0), (3, 7, 5, 2)]:
        before = torch.get_rng_state()
        plan = schedule.plan(*place)
        assert torch.equal(before, torch.get_rng_state())
        torch.rand(3)
        assert plan == schedule.plan(*place)
        assert plan.layers and plan.layers <= set(range(place[2]))


def test_static_schedules_name_their_layers():
    assert Full().plan(2, 1, 5, 0) == Plan(frozenset(range(5)))
    assert layers(TopK(k=2)) == {3, 4}
    assert layers(BottomQ(q=2)) == {0, 1}
    assert layers(TopBottom(k=1, q=2)) == {0, 1, 4}
    assert layers(TopBottom(k=4, q=3)) == {0, 1, 2, 3, 4}  # they overlap
    assert layers(Middle()) == {1, 2, 3}


@pytest.mark.parametrize("draw", ["epoch", "step"])
@pytest.mark.parametrize("epoch", range(8))
def test_probability_zero_is_the_top_and_one_is_the_rest_as_well(draw, epoch):
    rare, sure = {"rho": 0.0, "draw": draw}, {"rho": 1.0, "draw": draw}
    place = {"epoch": epoch, "step": 3, "seed": 1}
    for k in (1, 4):
        assert layers(TopKAllBottoms(k=k, **rare), **place) == layers(TopK(k=k))
        assert layers(TopKAllBottoms(k=k, **sure), **place) == layers(Full())
        ends = TopKBottomQ(k=k, q=1, **rare), TopKBottomQ(k=k, q=1, **sure)
        assert layers(ends[0], **place) == layers(TopK(k=k))
        assert layers(ends[1], **place) == layers(TopBottom(k=k, q=1))


@pytest.mark.parametrize("rho", [0.1, 0.5])
@pytest.mark.parametrize("kind", [TopKAllBottoms, TopKBottomQ])
def test_the_bottom_is_updated_with_its_probability(kind, rho):
    schedule = kind(k=1, rho=rho, **({"q": 2} if kind is TopKBottomQ else {}))
    deep = depths(schedule, 5) > 1
    assert deep.mean() == pytest.approx(rho, abs=4 * np.sqrt(rho * (1 - rho) / MANY))
    # Independent from epoch to epoch: neighbours are both deep in ρ² of all pairs.
    pairs = (deep[1:] & deep[:-1]).mean()
    assert pairs == pytest.approx(rho**2, abs=4 * rho / np.sqrt(MANY))


def test_a_larger_probability_keeps_the_epochs_of_a_smaller_one():
    few, more = (depths(TopKAllBottoms(k=1, rho=r), 5, 200) > 1 for r in (0.1, 0.3))
    assert (more >= few).all() and more.sum() > few.sum()


def test_random_uniform_draws_every_depth_equally_often():
    counts = np.bincount(depths(RandomUniform(), 11), minlength=12)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 1e-3


def test_random_beta_draws_rounded_beta_depths():
    counts = np.bincount(depths(RandomBeta(), 11), minlength=12)[1:]
    edges = (np.arange(12) - 0.5) / 10  # of B, where k = round(1 + 10 B) changes
    expected = np.diff(stats.beta(2, 5).cdf(edges))
    common = expected > 0.002
    assert expected[~common].sum() < 0.01 and counts[~common].sum() < 0.01 * MANY
    rest = expected[common] / expected[common].sum() * counts[common].sum()
    assert stats.chisquare(counts[common], rest).pvalue > 1e-3
    assert (counts * np.arange(1, 12)).sum() / MANY == pytest.approx(3.86, abs=0.1)


@pytest.mark.parametrize(
    "schedule",
    [
        RandomUniform(),
        RandomBeta(),
        TopKAllBottoms(k=1, rho=0.5),
        TopKBottomQ(k=1, q=1, rho=0.5),
    ],
    ids=lambda schedule: schedule.kind,
)
def test_what_is_drawn_depends_on_epoch_seed_and_if_asked_on_the_step(schedule):
    def drawn(schedule, **place):
        return tuple(sorted(layers(schedule, 9, **place)))

    assert all(drawn(schedule, epoch=e)[-1] == 8 for e in range(30))  # the top
    assert len({drawn(schedule, step=s) for s in range(30)}) == 1
    assert len({drawn(schedule, epoch=e) for e in range(30)}) > 1
    assert len({drawn(schedule, seed=s) for s in range(30)}) > 1
    fields = {name: v for name, v in schedule.to_dict().items() if name != "kind"}
    each_step = type(schedule)(**(fields | {"draw": "step"}))
    assert len({drawn(each_step, step=s) for s in range(30)}) > 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TopK(k=0).plan(0, 0, 5, 0), "k must be from 1 to the 5 layers.*got 0"),
        (lambda: TopK(k=6).plan(0, 0, 5, 0), "k must be from 1 to the 5 layers.*got 6"),
        (lambda: BottomQ(q=9).plan(0, 0, 5, 0), "q must be .* got 9"),
        (lambda: TopKBottomQ(k=1, q=6, rho=0.0).plan(0, 0, 5, 0), "q must .* got 6"),
        (lambda: TopKAllBottoms(k=7, rho=1.0).plan(0, 0, 5, 0), "k must .* got 7"),
        (lambda: Middle().plan(0, 0, 2, 0), "at least 3 layers; got 2"),
        (lambda: TopKAllBottoms(k=1, rho=1.5), r"rho must be in \[0, 1\]; got 1.5"),
        (lambda: TopKBottomQ(k=1, q=1, rho=-0.1), r"rho must be in \[0, 1\]"),
        (lambda: TopKBottomQ(k=1, q=1, rho=0.1, draw="run"), "draw must be one of"),
        (lambda: RandomUniform(draw="day"), "draw must be one of epoch, step"),
        (lambda: RandomBeta(a=0), "a must be at least 1; got 0"),
        (lambda: RandomBeta(b=0), "b must be at least 1; got 0"),
    ],
)
def test_what_can_not_be_is_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()
