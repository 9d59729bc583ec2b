"""Movement in units of σ₀, against a plain count."""

import dataclasses
import math

import numpy as np
import pytest

from lazyrich_helpers.measures.movement import (
    BINS_PER_DECADE,
    DECADES,
    QUANTILES,
    Movement,
)


@pytest.fixture
def result(trained):
    return Movement().result(trained)


def weights(trained):
    """Return each weight matrix's movement, without σ₀, from the bottom."""
    parameters = list(trained.network.parameters())
    sizes = [p.numel() for p in parameters]
    moved = (trained.final - trained.initial).abs().split(sizes)
    pairs = zip(parameters, moved, strict=True)
    return [(p, m) for p, m in pairs if p.dim() == 2]


def test_every_weight_is_counted_once(trained, result):
    for entry, (_, moved) in zip(result["layers"], weights(trained), strict=True):
        assert entry["num_weights"] == len(moved)
        assert entry["num_unmoved"] == (moved == 0).sum()
        assert sum(entry["histogram"]) == len(moved) - entry["num_unmoved"]
    assert [entry["layer"] for entry in result["layers"]] == [0, 1, 2]


def test_the_unit_is_xaviers_deviation(trained, result):
    for entry, (weight, moved) in zip(result["layers"], weights(trained), strict=True):
        assert entry["sigma_0"] == pytest.approx(math.sqrt(2 / sum(weight.shape)))
        units = (moved / entry["sigma_0"]).double().numpy()
        expected = np.quantile(units, QUANTILES, method="nearest")
        assert entry["quantiles"] == pytest.approx(expected, rel=1e-4)


def test_the_histogram_is_a_plain_count(trained, result):
    low, high = DECADES
    for entry, (weight, moved) in zip(result["layers"], weights(trained), strict=True):
        sigma = math.sqrt(2 / sum(weight.shape))
        plain = [0] * (high - low) * BINS_PER_DECADE
        for value in moved[moved > 0].tolist():
            place = (math.log10(value / sigma) - low) * BINS_PER_DECADE
            plain[min(max(math.floor(place), 0), len(plain) - 1)] += 1
        differences = [
            abs(a - b) for a, b in zip(plain, entry["histogram"], strict=True)
        ]
        assert sum(differences) <= 2  # one value may lie on a bin's edge


def test_a_network_that_did_not_move(trained):
    still = dataclasses.replace(trained, final=trained.initial)
    for entry in Movement().result(still)["layers"]:
        assert entry["num_unmoved"] == entry["num_weights"]
        assert sum(entry["histogram"]) == 0 and not any(entry["quantiles"])


def test_extremes_fall_into_the_outermost_bins(trained):
    final = trained.initial.clone()
    final[0] += 1e9
    final[1] += 1e-12 if trained.initial[1] == 0 else 0
    entry = Movement().result(dataclasses.replace(trained, final=final))["layers"][0]
    assert entry["histogram"][-1] == 1 and sum(entry["histogram"]) == 1
