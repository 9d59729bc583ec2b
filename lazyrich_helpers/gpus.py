"""Named GPUs, and the least time that work takes on one: the roofline.

The numbers are peaks from the vendor's data sheets, products of dense matrices. No
program reaches them: what follows from them is a bound from below, not a promise.

Source: Williams, Waterman & Patterson (2009), "Roofline: an insightful visual
performance model"; NVIDIA's sheets, each named below.
"""

from dataclasses import dataclass

from lazyrich_helpers.config import FP32
from lazyrich_helpers.costs import Cost

LAUNCH = 5e-6
"""Seconds to start a kernel from Python, step by step; between 2 and 25 µs are usual.

It is no peak, but a typical value: networks too small for a GPU take longer or shorter
in proportion to it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU's peaks. Rates are a second's."""

    name: str
    single: float
    """Operations in fp32."""
    tf32: float
    """Operations with products in TF32; fp32's where it has none."""
    half: float
    """Operations with products in bf16; fp32's where it has none."""
    bandwidth: float
    """Bytes to or from its memory."""
    memory: float
    """Bytes."""

    def operation_seconds(self, cost: Cost, precision: str) -> float:
        """Return the least seconds of the operations; `precision` as in `Training`."""
        speeds = dict.fromkeys(FP32, self.single)
        speeds |= {"tf32": self.tf32, "bf16": self.half}
        return (cost.linear + cost.conv) / speeds[precision]

    def seconds(self, cost: Cost, precision: str, *, efficiency: float = 1.0) -> float:
        """Return seconds: the longer of operations and bytes, and of kernels' starts.

        Args:
            cost: Of the work.
            precision: As in `Training`.
            efficiency: Share of its peaks that the GPU is taken to reach, 0 to 1; the
                starts are not peaks.
        """
        operations = self.operation_seconds(cost, precision)
        longer = max(operations, cost.bytes / self.bandwidth)
        return longer / efficiency + LAUNCH * cost.kernels


TERA, GIGA = 1e12, 1e9

GPUS = (
    Gpu(  # "NVIDIA H200 Tensor Core GPU", SXM; the sheet's tensor rates are for sparse
        name="H200",  # matrices: halved here, as for H100, A100 and L40S
        single=67 * TERA,
        tf32=494.5 * TERA,
        half=989.5 * TERA,
        bandwidth=4800 * GIGA,
        memory=141 * GIGA,
    ),
    Gpu(  # "NVIDIA H100 Tensor Core GPU", SXM
        name="H100",
        single=67 * TERA,
        tf32=494.5 * TERA,
        half=989.5 * TERA,
        bandwidth=3350 * GIGA,
        memory=80 * GIGA,
    ),
    Gpu(  # "NVIDIA A100 Tensor Core GPU", 80 GB SXM
        name="A100",
        single=19.5 * TERA,
        tf32=156 * TERA,
        half=312 * TERA,
        bandwidth=2039 * GIGA,
        memory=80 * GIGA,
    ),
    Gpu(  # "NVIDIA L40S"
        name="L40S",
        single=91.6 * TERA,
        tf32=183 * TERA,
        half=362 * TERA,
        bandwidth=864 * GIGA,
        memory=48 * GIGA,
    ),
    Gpu(  # "NVIDIA Ada GPU Architecture", appendix A; bf16 products with fp32 sums
        name="RTX 4090",
        single=82.6 * TERA,
        tf32=82.6 * TERA,
        half=165.2 * TERA,
        bandwidth=1008 * GIGA,
        memory=24 * GIGA,
    ),
    Gpu(  # "NVIDIA T4 Tensor Core GPU"; it has neither TF32 nor bf16
        name="T4",
        single=8.1 * TERA,
        tf32=8.1 * TERA,
        half=8.1 * TERA,
        bandwidth=320 * GIGA,
        memory=16 * GIGA,
    ),
)
"""From the fastest down."""


def gpu_named(name: str) -> Gpu:
    """Return the GPU of that name.

    Raises:
        ValueError: If it is not in the table.
    """
    known = {gpu.name: gpu for gpu in GPUS}
    if name not in known:
        raise ValueError(f"gpu must be one of {', '.join(known)}; got {name!r}.")
    return known[name]
