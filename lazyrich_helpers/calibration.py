"""How fast this machine trains: a few short trainings, timed once and kept.

The seconds of a training are taken to be a sum of what `costs` counts, each at a fixed
rate: of operations in products and in convolutions, of bytes of activations, and of
kernels. (The bytes of weights grow with the products' operations, at one batch size,
and are paid with them.) The rates are those that fit the seconds of `PROBES` best, by
relative error. Beside other work they come out as those of a machine so busy.
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from lazyrich_helpers import origin
from lazyrich_helpers.arithmetic import arithmetic
from lazyrich_helpers.config import RunConfig, Training
from lazyrich_helpers.convnets import VGG5, ConvNet
from lazyrich_helpers.costs import Cost, step_cost
from lazyrich_helpers.data import Dataset, Split, images
from lazyrich_helpers.initialization import XavierNormal
from lazyrich_helpers.models import ModelPart, ReluNet
from lazyrich_helpers.objectives import CrossEntropy
from lazyrich_helpers.optimizers import Adam
from lazyrich_helpers.planning import blueprint, suitable_threads
from lazyrich_helpers.schedules import Full
from lazyrich_helpers.timing import now
from lazyrich_helpers.train import new_network, train
from lazyrich_helpers.whole_files import write_whole

VERSION = 2
"""Raised by hand when rates are measured otherwise; kept ones are then not used."""
PROBES: tuple[tuple[ModelPart, int, int], ...] = (
    (ReluNet(width=10, depth=4), 128, 100),
    (ReluNet(width=1000, depth=4), 128, 12),
    (ConvNet(width=20, depth=2), 128, 12),
    (VGG5(width=16), 128, 3),
    (VGG5(width=64), 16, 1),
)
"""Network, batch size, steps: small and large, of products and of convolutions."""
RATES = ("linear", "conv", "activations", "kernels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a machine's steps take, at one precision."""

    machine: str
    """Device, threads, torch: for people."""
    linear: float
    """Seconds for each operation of a product."""
    conv: float
    """Seconds for each operation of a convolution."""
    activations: float
    """Seconds for each byte of activations."""
    kernels: float
    """Seconds for each kernel: the fixed cost of a step, by its length."""
    error: float
    """Largest relative error of the fit among the probes."""
    efficiency: dict[str, float]
    """Kind of network → share of its roofline that the largest probe reaches here; the
    roofline is of rates measured here, too."""

    def seconds(self, cost: Cost) -> float:
        """Return how long some work is expected to take here."""
        return sum(getattr(self, name) * getattr(cost, name) for name in RATES)


def rates(device: str, precision: str, folder: Path) -> Rates:
    """Return the rates of this machine, from `folder` if they were measured before.

    Measuring takes about ten seconds. Kept rates are those of the same device, number
    of threads and version of torch.

    Args:
        device: Where.
        precision: As in `Training`.
        folder: Where rates are kept.
    """
    machine = machine_name(device)
    path = folder / "rates.json"
    key = f"{VERSION}, {machine}, {precision}"
    kept = _read(path)
    if key not in kept:
        kept[key] = asdict(measure_rates(device, precision))
        _write(path, kept)
    return Rates(**kept[key])


def machine_name(device: str) -> str:
    """Return device, threads and torch in words."""
    where, threads = torch.device(device), torch.get_num_threads()
    counted = f", {threads} threads" if where.type == "cpu" else ""
    return f"{origin.device_name(where)}{counted}, torch {torch.__version__}"


def _read(path: Path) -> dict[str, dict]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {key: value for key, value in kept.items() if _is_whole(value)}
    except (OSError, ValueError, AttributeError):  # measured anew
        return {}


def _is_whole(value: object) -> bool:
    return isinstance(value, dict) and set(value) == set(Rates.__slots__)


def _write(path: Path, kept: Mapping[str, dict]) -> None:
    with contextlib.suppress(OSError):  # it is only measured again
        write_whole(path, json.dumps(kept, indent=1).encode())


def measure_rates(device: str, precision: str) -> Rates:
    """Return this machine's rates, measured now."""
    configs = [_config(*probe[:2], precision) for probe in PROBES]
    seconds = [
        probe_seconds(config, num_steps, device)
        for config, (_, _, num_steps) in zip(configs, PROBES, strict=True)
    ]
    costs = [
        step_cost(config, range(len(blueprint(config).layers))) for config in configs
    ]
    fitted = fit(costs, seconds)
    found = [
        sum(f * getattr(c, n) for f, n in zip(fitted, RATES, strict=True))
        for c in costs
    ]
    error = max(abs(a / b - 1) for a, b in zip(found, seconds, strict=True))
    peak, bandwidth = peak_rate(device, precision), memory_rate(device)
    reached = [
        max(cost.operations / peak, cost.bytes / bandwidth) / each
        for cost, each in zip(costs, seconds, strict=True)
    ]
    return Rates(
        machine=machine_name(device),
        **dict(zip(RATES, fitted, strict=True)),
        error=error,
        efficiency={"linear": min(reached[1], 1.0), "conv": min(reached[-1], 1.0)},
    )


def fit(costs: Sequence[Cost], seconds: Sequence[float]) -> list[float]:
    """Return the rates, none below 0, with the least squares of relative errors.

    Args:
        costs: Of some work, at least as many as there are `RATES`.
        seconds: What each took.
    """
    table = np.array([[getattr(cost, name) for name in RATES] for cost in costs])
    relative = table / np.array(seconds)[:, None]
    best, least = np.zeros(len(RATES)), np.inf
    # With so few rates, every set of those above 0 can be tried.
    for num in range(1, len(RATES) + 1):
        for chosen in map(list, itertools.combinations(range(len(RATES)), num)):
            scale = relative[:, chosen].max(0)
            if not scale.all():
                continue
            ones = np.ones(len(costs))
            found = np.linalg.lstsq(relative[:, chosen] / scale, ones, rcond=None)[0]
            error = float(
                ((relative[:, chosen] / scale) @ found - ones)
                @ ((relative[:, chosen] / scale) @ found - ones)
            )
            if (found >= 0).all() and error < least:
                best, least = np.zeros(len(RATES)), error
                best[chosen] = found / scale
    return best.tolist()


def _config(model: ModelPart, batch_size: int, precision: str) -> RunConfig:
    return RunConfig(
        data=images("mnist", train_size=10_000),  # its shape; nothing is read
        model=model,
        init=XavierNormal(),
        objective=CrossEntropy(),
        optimizer=Adam(lr=0.001),
        updates=Full(),
        training=Training(num_epochs=2, batch_size=batch_size, precision=precision),
    )


def probe_seconds(config: RunConfig, num_steps: int, device: str) -> float:
    """Return the seconds of a step, on made images, after an epoch to warm up."""
    batch = config.training.batch_size
    shape = (num_steps * batch, *config.data.image_shape)
    labels = torch.arange(shape[0], device=device) % 10
    split = Split(torch.rand(shape, device=device), labels)
    one = Split(split.images[:1], labels[:1])
    data = Dataset(train=split, held_out=one, test=one, digest="")
    with suitable_threads(config, device):
        *_, warm = train(new_network(config, data), data, config, eval_every=2)
    return warm.seconds / num_steps


def peak_rate(device: str, precision: str) -> float:
    """Return the most operations a second seen here, in products or convolutions.

    Torch leaves them to different libraries, of which either may be the faster: on
    AMD's processors fp32 products run at half the rate of convolutions.
    """
    return max(product_rate(device, precision), convolution_rate(device, precision))


def product_rate(device: str, precision: str, size: int = 1024) -> float:
    """Return the operations a second of a product of two large square matrices."""
    with arithmetic(precision, torch.device(device)):
        left, right = (torch.rand(size, size, device=device) for _ in range(2))
        return 2 * size**3 / _least_seconds(lambda: left @ right, device)


def convolution_rate(device: str, precision: str, num_channels: int = 128) -> float:
    """Return the operations a second of a 3×3 convolution of many pixels."""
    with arithmetic(precision, torch.device(device)), torch.no_grad():
        images = torch.rand(16, num_channels, 32, 32, device=device)
        kernels = torch.rand(num_channels, num_channels, 3, 3, device=device)
        images = images.contiguous(memory_format=torch.channels_last)
        num = 2 * 9 * images.numel() * num_channels
        return num / _least_seconds(
            lambda: F.conv2d(images, kernels, padding="same"), device
        )


def memory_rate(device: str, num_bytes: int = 2**28) -> float:
    """Return the bytes a second, read and written, of copying a large tensor."""
    source = torch.rand(num_bytes // 4, device=device)
    target = torch.empty_like(source)
    return 2 * num_bytes / _least_seconds(lambda: target.copy_(source), device)


def _least_seconds(work: Callable[[], object], device: str, times: int = 5) -> float:
    """Return the least seconds of a few tries: of the machine at its best."""
    where, found = torch.device(device), []
    for _ in range(times):
        began = now(where)
        work()
        found.append(now(where) - began)
    return min(found)
