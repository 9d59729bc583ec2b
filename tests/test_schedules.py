"""A plan is a pure function of its arguments and names layers that exist."""

import pytest
import torch

from lazyrich_helpers.config import Part
from lazyrich_helpers.schedules import Full, Plan, UpdateSchedule

KINDS = [
    kind
    for kind in Part.__subclasses__()
    if kind.slot == "updates" and kind.__module__.startswith("lazyrich_")
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_plan_is_pure_and_in_range(kind):
    schedule = kind()
    assert isinstance(schedule, UpdateSchedule)
    for place in [(0, 0, 1, 0), (3, 7, 5, 2)]:
        before = torch.get_rng_state()
        plan = schedule.plan(*place)
        assert torch.equal(before, torch.get_rng_state())
        torch.rand(3)
        assert plan == schedule.plan(*place)
        assert plan.layers <= set(range(place[2]))


def test_full_updates_every_layer_always():
    for num_layers in (1, 2, 6):
        plans = {Full().plan(e, s, num_layers, 0) for e in range(3) for s in range(3)}
        assert plans == {Plan(frozenset(range(num_layers)))}
