"""Resetting a layer is what a network put together by hand computes."""

import torch

from lazyrich_helpers.measures import criticality
from lazyrich_helpers.measures.activity import PERCENTS
from lazyrich_helpers.measures.criticality import Criticality, correct_after_reset
from lazyrich_helpers.models.spans import spans
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.reinit.reinitialization import movement_order, num_active
from lazyrich_helpers.training.loop import count_correct, new_network
from tests import tiny


def correct(trained, parameters):
    """Return correct test images of a fresh network with these parameters."""
    network = new_network(tiny.CONFIG, trained.data)
    torch.nn.utils.vector_to_parameters(parameters, network.parameters())
    return count_correct(network, trained.data.test, "highest")


def test_every_reset_is_that_of_a_network_made_by_hand(trained):
    result = Criticality().result(trained)
    assert result["unchanged"] == correct(trained, trained.final)
    assert result["num_test"] == len(trained.data.test)
    order = movement_order(trained.initial, trained.final)
    assert [layer["layer"] for layer in result["layers"]] == [0, 1, 2]
    for layer in result["layers"]:
        own = torch.zeros_like(trained.final, dtype=torch.bool)
        for span in spans(trained.network):
            own[span.place] = span.layer == layer["layer"]
        reset = torch.where(own, trained.initial, trained.final)
        assert layer["whole"] == correct(trained, reset)
        assert layer["num_parameters"] == own.sum()
        for place, percent in enumerate(PERCENTS):
            movers = torch.zeros_like(own)
            movers[order[: num_active(percent / 100, len(order))]] = True
            reset = torch.where(own & movers, trained.initial, trained.final)
            assert layer["active"][place] == correct(trained, reset)
            assert layer["num_reset"][place] == (own & movers).sum()
    everything = torch.ones_like(own)
    assert correct_after_reset(trained, everything) == correct(trained, trained.initial)
    assert torch.equal(flat_parameters(trained.network), trained.final)


def test_it_costs_the_passes_it_says(trained, monkeypatch):
    calls = []
    monkeypatch.setattr(criticality, "count_correct", lambda *args: calls.append(args))
    Criticality().result(trained)
    num_layers = len(trained.network.layers)
    expected = Criticality.test_passes + num_layers * Criticality.layer_passes
    assert len(calls) == expected
