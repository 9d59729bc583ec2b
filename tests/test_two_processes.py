"""Two processes that share each batch train as one that has it whole."""

import pytest
import torch

from tests import tiny, two_processes


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Parameters that two processes arrived at, by kind and unit of the context."""
    available = torch.distributed.is_available()
    if not (available and torch.distributed.is_gloo_available()):
        pytest.skip("this torch has no gloo")
    folder = tmp_path_factory.mktemp("two_processes")
    words = ["-m", "tests.two_processes"]
    pair = [tiny.python(*words, str(rank), str(folder)) for rank in range(2)]
    try:
        for process in pair:
            _, err = process.communicate(timeout=180)
            assert process.returncode == 0, err
    finally:
        for process in pair:
            process.kill()
            process.communicate()  # closes its pipes
    return torch.load(folder / "parameters.pt")


@pytest.mark.parametrize("unit", two_processes.SCHEDULES)
@pytest.mark.parametrize("kind", two_processes.KINDS)
def test_two_processes_train_as_one(kind, unit, found):
    alone = two_processes.trained("alone", unit, 0, 1)
    assert found[kind, unit].keys() == alone.keys()
    for name, values in alone.items():
        torch.testing.assert_close(found[kind, unit][name], values, rtol=0, atol=1e-6)
