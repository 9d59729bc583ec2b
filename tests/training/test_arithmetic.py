"""What is asked for is what is done, or it is refused."""

import pytest
import torch

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.training import arithmetic
from lazyrich_helpers.training.arithmetic import done, named, products_of
from lazyrich_helpers.training.loop import new_network, train
from tests import tiny

CPU = torch.device("cpu")
DONE = {"highest": "fp32", "medium": "fp32", "bf16": "bf16 autocast"}


class Rounding(torch.overrides.TorchFunctionMode):
    """Stands for a processor that rounds factors, where torch lets it."""

    def __init__(self, bits, allowed):
        super().__init__()
        self.bits, self.allowed = bits, allowed

    def __torch_function__(self, function, types, args=(), kwargs=None):
        product = function is torch.Tensor.matmul or function is torch.matmul
        if product and torch.get_float32_matmul_precision() in self.allowed:
            with torch._C.DisableTorchFunction():
                scale = 2.0**self.bits
                return (args[0] * scale).round() / scale @ args[1]
        return function(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def forget():
    """What was found of this processor is found again."""
    arithmetic.done.cache_clear()
    arithmetic._medium_is_single.cache_clear()
    yield
    arithmetic.done.cache_clear()
    arithmetic._medium_is_single.cache_clear()
    torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("precision", DONE)
def test_what_is_done_here(precision):
    assert done(precision, CPU) == DONE[precision]


@pytest.mark.parametrize(
    ("bits", "found"), [(23, "fp32"), (10, "TF32"), (7, "bf16 products")]
)
def test_products_are_told_by_the_bits_that_survive(bits, found):
    with Rounding(bits, ["highest"]):
        assert products_of(CPU) == found


@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_fp32_stays_so_where_torch_would_let_a_processor_do_less(precision):
    """A processor with AMX multiplies bf16 numbers where it is let."""
    with Rounding(7, ["medium", "high"]):
        torch.set_float32_matmul_precision("medium")
        assert products_of(CPU) == "bf16 products"
        torch.set_float32_matmul_precision("highest")
        assert done(precision, CPU) == "fp32"


@pytest.mark.parametrize("precision", DONE)
@pytest.mark.parametrize("outside", ["highest", "high", "medium"])
@pytest.mark.parametrize("tf32", [True, False])
def test_it_holds_inside_and_is_as_before_outside(
    precision, outside, tf32, monkeypatch
):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", tf32)
    torch.set_float32_matmul_precision(outside)
    with pytest.raises(KeyError), arithmetic.arithmetic(precision, CPU):
        assert products_of(CPU) == DONE[precision]
        assert not torch.backends.cudnn.allow_tf32
        assert torch.is_autocast_enabled("cpu") == (precision == "bf16")
        raise KeyError
    assert torch.get_float32_matmul_precision() == outside
    assert torch.backends.cudnn.allow_tf32 == tf32
    assert not torch.is_autocast_enabled("cpu")
    config = tiny.training(precision=precision)
    data = config.data.load()
    for _ in train(new_network(config, data), data, config):
        assert torch.get_float32_matmul_precision() == outside  # also while paused


def test_tf32_is_refused_where_there_is_none():
    with (
        pytest.raises(ValueError, match=r"fp32 or bf16 on a CPU.* got 'tf32'"),
        arithmetic.arithmetic("tf32", CPU),
    ):
        pass


@pytest.mark.parametrize("word", ["medium", "highest", "fp8", 16, None])
def test_torchs_words_are_no_choice(word):
    with pytest.raises(ValueError, match=f"one of fp32, bf16, tf32; got {word!r}"):
        named(word)


def test_fp32_has_the_name_under_which_a_recipe_is_recorded():
    def precisions(name, **choices):
        configs = make_recipe(name, "paper", **choices).configs
        return {config.training.precision for config in configs}

    assert precisions("figure-2", precision="fp32") == precisions("figure-2")
    assert precisions("figure-2", precision="bf16") == {"bf16"}
    assert precisions("table-1") == {"bf16"}
    assert precisions("table-1", precision="fp32") == {"highest"}


def test_the_instruction_set_is_torchs():
    assert arithmetic.instruction_set(CPU) in {"DEFAULT", "AVX2", "AVX512"}
