"""Rates are found from times, kept by machine, and of the right size."""

import dataclasses
import json

import pytest
import torch

from lazyrich_helpers import calibration
from lazyrich_helpers.calibration import RATES, fit, measure_rates, rates
from lazyrich_helpers.costs import Cost, train_cost
from lazyrich_helpers.models import ReluNet
from lazyrich_helpers.train import new_network, train
from tests import tiny

SOME = tiny.RATES


def test_rates_are_found_from_times_made_by_them():
    work = [
        Cost(linear=1e9, kernels=10),
        Cost(conv=1e9, activations=1e8, kernels=40),
        Cost(linear=1e7, conv=1e7, activations=1e5, kernels=20),
        Cost(linear=5e8, activations=1e6, kernels=99),
        Cost(conv=7e9, activations=3e8, kernels=50),
    ]
    found = fit(work, [SOME.seconds(cost) for cost in work])
    assert found == pytest.approx([getattr(SOME, name) for name in RATES])


def test_no_rate_is_negative():
    work = [
        Cost(linear=1, kernels=10),
        Cost(linear=2, kernels=10),
        Cost(linear=3, kernels=10),
    ]
    found = fit(work, [3.0, 2.0, 1.0])  # more operations, less time
    assert min(found) >= 0 and max(found) > 0


def test_seconds_add_up():
    cost = Cost(linear=3, conv=4, weights=99, activations=5, kernels=6)
    assert SOME.seconds(cost.times(2)) == pytest.approx(2 * SOME.seconds(cost))
    by_hand = 3 * 1e-11 + 4 * 2e-11 + 5 * 1e-9 + 6 * 1e-5
    assert SOME.seconds(cost) == pytest.approx(by_hand)


@pytest.fixture
def measured(monkeypatch):
    """Every measurement asked for, as (device, precision); none is made."""
    asked = []

    def measure(device, precision):
        asked.append((device, precision))
        return dataclasses.replace(SOME, kernels=len(asked))

    monkeypatch.setattr(calibration, "measure_rates", measure)
    return asked


def test_rates_are_measured_once_for_each_machine_and_precision(
    measured, tmp_path, monkeypatch
):
    first = rates("cpu", "highest", tmp_path)
    assert rates("cpu", "highest", tmp_path) == first
    assert rates("cpu", "medium", tmp_path) != first
    monkeypatch.setattr(calibration, "machine_name", lambda device: "another")
    assert rates("cpu", "highest", tmp_path) != first
    monkeypatch.setattr(calibration, "VERSION", -1)
    assert rates("cpu", "highest", tmp_path) != first
    assert len(measured) == 4


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "{"])
def test_what_cannot_be_read_is_measured_again(measured, tmp_path, content):
    rates("cpu", "highest", tmp_path)
    (tmp_path / "rates.json").write_text(content)
    rates("cpu", "highest", tmp_path)
    rates("cpu", "highest", tmp_path)
    assert len(measured) == 2
    assert len(json.loads((tmp_path / "rates.json").read_text())) == 1


def test_a_folder_that_cannot_be_written_stops_nothing(measured, tmp_path):
    (tmp_path / "file").write_text("")
    assert rates("cpu", "highest", tmp_path / "file") == dataclasses.replace(
        SOME, kernels=1
    )


@pytest.mark.parametrize("faster", ["product_rate", "convolution_rate"])
def test_the_peak_is_the_faster_librarys(monkeypatch, faster):
    for name in ("product_rate", "convolution_rate"):
        rate = 2e11 if name == faster else 1e11
        monkeypatch.setattr(calibration, name, lambda *_, rate=rate: rate)
    assert calibration.peak_rate("cpu", "highest") == 2e11


def test_a_convolutions_operations_are_all_counted(monkeypatch):
    monkeypatch.setattr(
        calibration, "_least_seconds", lambda work, device: work().numel() / 1e6
    )
    rate = calibration.convolution_rate("cpu", "highest", num_channels=4)
    assert rate == pytest.approx(2 * 9 * 4 * 1e6)  # for each number that comes out


def test_the_threads_are_in_the_name():
    torch.set_num_threads(3)
    assert "3 threads" in calibration.machine_name("cpu")


def test_a_prediction_is_of_the_right_size(monkeypatch):
    # Small probes; the least of three tries within a factor of five: see planning's.
    probes = [(ReluNet(width=w, depth=d), 32, 20) for w in (4, 300) for d in (1, 3)]
    monkeypatch.setattr(calibration, "PROBES", [*probes, probes[-1]])
    monkeypatch.setattr(calibration, "memory_rate", lambda device: 1e10)
    config = tiny.config(model=ReluNet(width=100, depth=2))
    data = config.data.load()
    ratios = []
    for _ in range(3):
        found = measure_rates("cpu", "highest")
        assert 0 < min(found.efficiency.values()) <= max(found.efficiency.values()) <= 1
        network = new_network(config, data)
        seconds = sum(e.seconds for e in train(network, data, config, eval_every=9))
        ratios.append(found.seconds(train_cost(config)) / seconds)
    assert min(ratios) < 5 and max(ratios) > 1 / 5
