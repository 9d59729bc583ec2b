"""About how much memory a run takes, known before it runs: rather too much.

Counted are the images; of each parameter, what training holds of it and what ordering
all of them by their movement takes; what all modules make of a batch, or of the images
tested at once; and cached activations. Not counted are Python and torch themselves and
the workspace of libraries. On a CPU whole runs of a wide ReLU-Net and of VGG-5 took 0.5
and 0.7 times as much.
"""

import copy
import functools
import math
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.sources import source_of
from lazyrich_helpers.lws.frozen_prefix import MOST_BYTES
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.measures.costs import num_parameters, num_views
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.training.loop import EVAL_BATCH
from lazyrich_helpers.training.run_config import RunConfig, without_seed

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
SINGLE = 4
"""Bytes of a number in fp32."""
EACH = 9
"""Numbers for each parameter: 5 in training, 9 where movements are put in order."""
FEW = 10_000_000
"""Parameters of a network that is tried with numbers; `meta` takes a second first."""
IN_A_ROW = 4
"""Outputs at a time: what a layer reads and makes, and the copies of a library."""


def peak_bytes(config: RunConfig, *, num: int = 1) -> float:
    """Return the bytes that a run holds at its fullest; `num` runs, trained as one."""
    outputs = _output_numbers(config.blueprint(), config.data.image_shape)
    batch = config.training.batch_size * sum(outputs)
    batch = max(batch, EVAL_BATCH * IN_A_ROW * max(outputs))
    images, cached = _image_numbers(config), 0.0
    if not isinstance(config.updates, Full):
        sets = max(1, num_views(config)) + 1
        num_images = images / math.prod(config.data.image_shape)
        cached = min(sets * MOST_BYTES, SINGLE * num_images * max(outputs))
    return SINGLE * (images + num * (EACH * num_parameters(config) + batch)) + cached


def _image_numbers(config: RunConfig) -> float:
    """Return the numbers of all images: trained and tested on, held out, variants."""
    columns = config.columns()
    num, source = columns["train_size"], source_of(columns["dataset"])
    images = num + min(num, max(source.num_train - num, 0)) + source.num_test
    if isinstance(config.data, CroppedImages):  # as they were, and normalized
        images = 2 * images + config.data.num_views * num
    return images * math.prod(config.data.image_shape)


@functools.lru_cache
def _output_numbers(network: Network, shape: tuple[int, int, int]) -> list[int]:
    """Return how many numbers each module makes of an image."""
    few = sum(weight.numel() for weight in network.parameters()) < FEW
    device, sizes = "cpu" if few else "meta", []
    network = copy.deepcopy(network).eval().to_empty(device=device)  # it is shared

    def note(module: nn.Module, inputs: object, output: Tensor) -> None:
        sizes.append(output.numel())

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(note)
    with torch.no_grad():
        network(torch.zeros(1, *shape, device=device))
    return sizes


def require_room(configs: Sequence[RunConfig], device: str) -> None:
    """Stop where a run does not fit what is free, by its estimate.

    Raises:
        ValueError: Of the first network that does not.
    """
    there = free(device)
    for config in {without_seed(config): config for config in configs}.values():
        need = peak_bytes(config)
        if need > there:
            raise ValueError(
                f"{config.model} takes about {need / 1e9:,.1f} GB to train, by "
                f"estimate, and {there / 1e9:,.1f} GB are free here; choose smaller "
                "widths."
            )


def free(device: str) -> float:
    """Return how many bytes of memory nobody uses; infinite if unknown.

    What the system keeps of files makes way, and counts as free.
    """
    if torch.device(device).type == "cuda":
        unused = torch.cuda.memory_reserved(device)
        unused -= torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    machine = 1024 * _figure(MEMINFO, "MemAvailable:")
    files = sum(_figure(CGROUP / "memory.stat", f"{x}active_file") for x in ("", "in"))
    used = _figure(CGROUP / "memory.current") - files
    container = _figure(CGROUP / "memory.max") - used
    return min(machine, container if math.isfinite(container) else math.inf)


def _figure(path: Path, name: str = "") -> float:
    """Return the number that follows `name` on a file's line; infinite: none, "max"."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.search(rf"^{name}\s*(\d+)", text, re.MULTILINE)
    return float(found[1]) if found else math.inf
