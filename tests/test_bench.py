"""Every benchmark runs; what it measures is asserted nowhere."""

import numpy as np
import pytest
import torch

from tests.bench.__main__ import BENCHMARKS, main
from tests.bench.sample import in_turns
from tests.bench.table import said


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_prints_its_table(name, capsys):
    before = torch.get_float32_matmul_precision()
    main([name, "--quick"])
    out = capsys.readouterr().out
    assert out.startswith("Median (quartiles). CPU") and f"### {name}: " in out
    assert out.count("\n| ") >= 3
    assert torch.get_float32_matmul_precision() == before


def test_turns_alternate_and_warm_up_is_dropped():
    calls = []

    def way(name):
        return lambda: calls.append(name) or float(len(calls))

    found = in_turns({"a": way("a"), "b": way("b")}, num=2, warm_up=1)
    assert calls == ["a", "b"] * 3
    assert found["a"].tolist() == [3, 5] and found["b"].tolist() == [4, 6]


def test_repetitions_are_said_by_their_median_and_quartiles():
    ratio = np.array([2.0, 9.0, 8.0]) / np.array([1.0, 3.0, 2.0])
    assert said(ratio) == "3 (2.5 to 3.5)" and said(np.array([1.0])) == "1 (1 to 1)"
