"""A step without numbers keeps what a real one keeps."""

import pytest

from lazyrich_helpers.convnets import VGG5Blocks
from lazyrich_helpers.models import ReluNet
from lazyrich_helpers.step_facts import step_facts
from lazyrich_helpers.timing import step_bytes
from tests import tiny


@pytest.mark.parametrize("model", [ReluNet(width=12, depth=2), VGG5Blocks(width=3)])
@pytest.mark.parametrize("awake", [{0, 1, 2}, {2}, {0}])
def test_what_is_kept_is_what_torch_keeps(model, awake):
    config = tiny.config(model=model)
    held = step_bytes(config, awake)
    kept = step_facts(config, frozenset(awake)).kept
    # The loss keeps a number or two; a last map may lie twice, by its layout.
    assert kept == pytest.approx(held["activations"], rel=0.05)


def test_kernels_are_those_that_torch_dispatches():
    config = tiny.config(model=ReluNet(width=5, depth=1))
    # products, ReLU, loss of two; forward
    assert step_facts(config, frozenset()).kernels == 3
    fewer, more = (step_facts(config, frozenset(a)).kernels for a in ({1}, {0, 1}))
    assert 3 < fewer < more
    deep = tiny.config(model=ReluNet(width=5, depth=9))
    assert step_facts(deep, frozenset(range(10))).kernels > 3 * more
