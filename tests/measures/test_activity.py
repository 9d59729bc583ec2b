"""Frequencies are those of a plain count that keeps every gradient."""

import numpy as np
import pytest
import torch

from lazyrich_helpers.measures import activity
from lazyrich_helpers.measures.activity import (
    PERCENTS,
    Activity,
    heat_map,
)
from lazyrich_helpers.measures.gradients import full_gradient
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.models.spans import spans
from lazyrich_helpers.reinit.reinitialization import num_active
from lazyrich_helpers.training.loop import Epoch, train
from tests import tiny

EPOCH = Epoch(1, 0.5, None, 0.0)


def start(**parts):
    """Return a measure that is about to watch a run, and the run."""
    measure, run = Activity(), tiny.begun(tiny.config(**parts))
    measure.start(run)
    return measure, run


def made(monkeypatch, *gradients):
    """Return a measure that saw these gradients of a net of 16 + 30 + 10 weights."""
    measure, run = start(model=ReluNet(width=3, depth=1))
    for gradient in gradients:
        monkeypatch.setattr(activity, "full_gradient", lambda _, g=gradient: g.clone())
        measure.after_epoch(run, EPOCH)
    return measure, tiny.ended(run)


def totals(result, definition):
    """Return the sum over layers, weights and biases, for each α."""
    sums = np.zeros(len(PERCENTS), int)
    for layer in result["layers"]:
        sums += np.array(layer[definition]) + np.array(layer[f"{definition}_biases"])
    return sums.tolist()


def test_the_streamed_counts_are_those_of_all_gradients_kept():
    measure, run = start()
    gradients = []
    for epoch in train(run.network, run.data, run.config):
        gradients.append(full_gradient(run))
        measure.after_epoch(run, epoch)
    trained = tiny.ended(run)
    result, size = measure.result(trained), len(trained.final)
    assert result["num_epochs"] == len(gradients) == 3
    for place, percent in enumerate(PERCENTS):
        times = torch.zeros(size, dtype=torch.int64)
        for gradient in gradients:
            order = gradient.abs().sort(descending=True, stable=True).indices
            first = order[: num_active(percent / 100, size)]
            times[first[gradient[first] != 0]] += 1
        assert totals(result, "gradient")[place] == times.sum()
        for span in spans(trained.network):
            key = "gradient" if span.is_weight else "gradient_biases"
            layer = result["layers"][span.layer]
            assert layer[key][place] == times[span.place].sum()
            if span.is_weight:
                matrix = times[span.place].view(span.shape).numpy()
                stored = measure.arrays(trained)[f"alpha_{percent}/layer_{span.layer}"]
                assert np.array_equal(stored, heat_map(matrix, 3))
    zeros = np.sum([layer["num_zeros"] for layer in result["layers"]], axis=0)
    assert zeros.tolist() == [int((gradient == 0).sum()) for gradient in gradients]
    assert zeros.sum() > 0  # digits have pixels that are always white


def test_ranking_is_over_the_whole_network(monkeypatch):
    # 235 parameters: 2, 24 and 71 are active (2.35, 23.5 and 70.5, halves up).
    gradient = torch.zeros(235)
    gradient[205:235] = 1 + torch.arange(30)  # all of them weights of the top layer
    gradient[:50] = -0.5 - torch.arange(50) / 100  # weights of the bottom
    measure, trained = made(monkeypatch, gradient)
    bottom, top = measure.result(trained)["layers"]
    assert (bottom["num_weights"], bottom["num_biases"]) == (192, 3)
    assert (top["num_weights"], top["num_biases"]) == (30, 10)
    assert bottom["gradient"] == [0, 0, 41] and bottom["gradient_biases"] == [0, 0, 0]
    # The last 10 parameters are the biases of the top, and the largest.
    assert top["gradient"] == [0, 14, 20] and top["gradient_biases"] == [2, 10, 10]
    assert bottom["num_zeros"] == [145] and top["num_zeros"] == [10]


def test_a_parameter_that_did_not_move_is_never_active(monkeypatch):
    measure, trained = made(monkeypatch)
    result = measure.result(trained)
    assert totals(result, "movement") == totals(result, "gradient") == [0, 0, 0]
    assert result["num_epochs"] == 0 and measure.arrays(trained) == {}
    trained.final[200] += 1
    assert totals(measure.result(trained), "movement") == [1, 1, 1]


def test_counters_hold_every_epoch(monkeypatch):
    measure, run = start(num_epochs=300)
    gradient = torch.zeros(len(run.initial))
    gradient[0] = 1
    monkeypatch.setattr(activity, "full_gradient", lambda run: gradient.clone())
    for _ in range(300):
        measure.after_epoch(run, EPOCH)
    trained = tiny.ended(run)
    assert measure.result(trained)["layers"][0]["gradient"] == [300, 300, 300]
    assert measure.arrays(trained)["alpha_1/layer_0"][0, 0] == 255


@pytest.mark.parametrize("shape", [(5, 7), (128, 128), (300, 129), (1000, 10)])
def test_a_heat_map_keeps_the_mean(shape):
    counts = np.random.default_rng(0).integers(0, 100, shape)
    image = heat_map(counts, 100)
    height, width = (min(size, 128) for size in shape)
    assert image.shape == (height, width) and image.dtype == np.uint8
    if shape == (height, width):
        assert np.array_equal(image, np.rint(255 * counts / 100))
    rows = np.diff(np.append(np.arange(height) * shape[0] // height, shape[0]))
    columns = np.diff(np.append(np.arange(width) * shape[1] // width, shape[1]))
    assert 0 < rows.min() and rows.max() - rows.min() <= 1
    mean = (image * np.outer(rows, columns)).sum() / counts.size / 255
    assert mean == pytest.approx(counts.mean() / 100, abs=0.5 / 255)


def test_a_heat_map_by_hand():
    counts = np.zeros((256, 2), np.uint8)
    counts[0, 0], counts[3, 1] = 4, 2
    image = heat_map(counts, 4)  # two rows a pixel, and full frequency is 4
    assert image.shape == (128, 2)
    assert image[0, 0] == 128 and image[1, 1] == 64 and image.sum() == 192
