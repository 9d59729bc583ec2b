"""What every measurement promises, and accuracy by hand."""

import json

import pytest
import torch

from lazyrich_helpers.experiments.exhibits import RECIPES, make_recipe
from lazyrich_helpers.experiments.recipes import BUDGETS
from lazyrich_helpers.measures.measure import Accuracy, Measure
from lazyrich_helpers.measures.times import StepTimes
from lazyrich_helpers.models.vectors import flat_parameters

MEASURES = {
    measure.name: measure
    for name in RECIPES
    for budget in BUDGETS
    for measure in make_recipe(name, budget).measures
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_a_measure_is_pure_and_ready_for_json(measure, trained):
    assert isinstance(measure(), Measure)
    assert measure.version >= 1 and measure.test_passes >= 0
    assert measure.has_arrays == (measure.arrays is not Measure.arrays)
    before = torch.get_rng_state()
    result = measure().result(trained)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    if measure is not StepTimes:  # other seconds each time
        assert measure().result(trained) == result
    assert torch.equal(flat_parameters(trained.network), trained.final)
    assert torch.equal(before, torch.get_rng_state())


def test_accuracy_is_a_count_on_every_split(trained):
    result = Accuracy().result(trained)
    for name in ("train", "held_out", "test"):
        split = getattr(trained.data, name)
        guesses = [int(trained.network(image[None]).argmax()) for image in split.images]
        right = sum(a == b for a, b in zip(guesses, split.labels.tolist(), strict=True))
        assert result[name] == {"num_correct": right, "num": len(split)}
    assert result["train"]["num_correct"] > 0.5 * len(trained.data.train)
