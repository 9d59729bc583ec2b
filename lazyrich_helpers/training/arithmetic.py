"""At which precision numbers are multiplied: what is asked for, and what is done.

A run's settings name a precision in torch's words, by which its id is made; a reader
asks for it in the field's. What a processor makes of it is found by trying.
"""

import contextlib
import functools
from collections.abc import Iterator

import torch

from lazyrich_helpers.config import require_one_of
from lazyrich_helpers.training.run_config import FP32

PRECISIONS = {"fp32": "highest", "bf16": "bf16", "tf32": "tf32"}
"""What a reader may ask for → its name in a run's settings."""
SIZE = 256
"""Side of the matrices that are tried: too large for a kernel of another kind."""


def named(precision: object, fp32: str = "highest") -> str:
    """Return the settings' name for what a reader asks for, one of `PRECISIONS`.

    The runs in question are recorded as `fp32`, if that is what is asked for.

    Raises:
        ValueError: If it is none of them.
    """
    require_one_of(PRECISIONS, "precision", precision)
    asked = PRECISIONS[str(precision)]
    return fp32 if asked in FP32 and fp32 in FP32 else asked


def require_precision(precision: str, device: torch.device) -> None:
    """Raise ValueError unless the device can multiply so: it would do otherwise."""
    if precision == "tf32" and device.type != "cuda":
        raise ValueError(
            f"precision must be fp32 or bf16 on a {device.type.upper()}, which has no "
            f"TF32; got {precision!r}."
        )


@contextlib.contextmanager
def arithmetic(precision: str, device: torch.device) -> Iterator[None]:
    """Compute at `precision` (see `Training.precision`) inside, as before outside.

    Autocast's cache is off: it would keep the weights' bf16 copies until the end, while
    the steps inside change the weights.

    Raises:
        ValueError: If the device cannot.
    """
    require_precision(precision, device)
    products = torch.get_float32_matmul_precision()
    convolutions = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision(_matmul_precision(precision, device))
    torch.backends.cudnn.allow_tf32 = precision == "tf32"  # torch's default is True
    try:
        with torch.autocast(
            device.type,
            torch.bfloat16,
            enabled=precision == "bf16",
            cache_enabled=False,
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Inside, use a single CPU thread: on small tensors several wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _matmul_precision(precision: str, device: torch.device) -> str:
    """Return torch's setting for products of fp32 matrices."""
    if precision == "tf32":
        return "high"
    if precision == "medium" and device.type == "cpu" and _medium_is_single():
        return "medium"  # fp32 all the same, by code that is faster on AMD
    return "highest"


@functools.cache
def _medium_is_single() -> bool:
    """Return whether this processor multiplies in fp32 where torch allows it bf16."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        return products_of(torch.device("cpu")) == "fp32"
    finally:
        torch.set_float32_matmul_precision(before)


def products_of(device: torch.device) -> str:
    """Return how matrices of fp32 numbers are multiplied here and now.

    `fp32`, `TF32`, `bf16 products` (summed in fp32) or `bf16 autocast`. A number that
    fp32 can hold is multiplied by one: what comes back has the bits that were used.
    """
    one = torch.eye(SIZE, device=device)

    def survives(bits: int) -> bool:
        numbers = torch.full_like(one, 1 + 2.0**-bits)
        return bool((numbers @ one == numbers).all())

    if (one @ one).dtype == torch.bfloat16:
        return "bf16 autocast"
    if survives(23):
        return "fp32"
    return "TF32" if survives(10) else "bf16 products"


@functools.cache
def done(precision: str, device: torch.device) -> str:
    """Return what this machine does where `precision` is asked: see `products_of`."""
    with arithmetic(precision, device):
        return products_of(device)


def instruction_set(device: torch.device) -> str:
    """Return the vector instructions that torch uses, as in `AVX2`, or a GPU's `sm_90`.

    `ATEN_CPU_CAPABILITY` in the environment lowers a processor's.
    """
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return f"sm_{major}{minor}"
    return torch.backends.cpu.get_cpu_capability()
