"""One net under torch and under TensorFlow's DTensor: the same losses."""

import importlib.util
import os
import sys

import pytest

from lazyrich_helpers.experiments.study import read_study
from lazyrich_helpers.papers.sharded import dtensor_study as own
from lazyrich_helpers.papers.sharded.dtensor_study import TENSORFLOW

CLOSE = {"fp32": 1e-5, "fp64": 1e-10}
"""Nats."""
LAYOUTS = {"replicated", "batch", "tensor"}
HAS_ONE = importlib.util.find_spec("tensorflow") or os.environ.get(own.VARIABLE)


def check(table, dtype):
    """Every layout's curve is torch's, and is one of learning."""
    assert {*table.layout} == LAYOUTS
    assert table.apart.max() <= CLOSE[dtype]
    for _, rows in table.groupby("layout"):
        assert rows.loss.is_monotonic_decreasing and len(rows) > 1


@pytest.mark.skipif(
    not HAS_ONE,
    reason=f"TensorFlow is optional and not here; {own.VARIABLE} may name a python",
)
@pytest.mark.parametrize("dtype", CLOSE)
def test_tensorflow_has_torchs_losses(dtype):
    check(own.TENSORFLOW.point(TENSORFLOW.settings("smoke"), dtype, "cpu"), dtype)


@pytest.mark.parametrize("dtype", CLOSE)
def test_it_had_them_when_it_was_recorded(dtype):
    found = read_study(TENSORFLOW)
    rows = found.table[found.table.precisions == dtype]
    check(rows, dtype)
    assert {*rows.epoch} == set(range(1, found.settings.num_epochs + 1))
    (version,) = {*rows.tensorflow}
    assert int(version.split(".")[0]) >= 2


def test_without_tensorflow_it_is_one_sentence(monkeypatch):
    monkeypatch.delenv(own.VARIABLE, raising=False)
    monkeypatch.setattr(own.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs TensorFlow, .*tensorflow-cpu"):
        own.under_dtensor({})


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is not None, reason="this python has it"
)
def test_a_python_that_has_none_says_so(monkeypatch):
    monkeypatch.setenv(own.VARIABLE, sys.executable)
    with pytest.raises(ValueError, match="No module named 'tensorflow'"):
        own.under_dtensor({})
