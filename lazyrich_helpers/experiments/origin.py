"""Where a record's numbers came from: code, versions, machine."""

import datetime
import functools
import hashlib
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lazyrich_helpers.data.datasets import Dataset
from lazyrich_helpers.experiments.record import NUMERICS
from lazyrich_helpers.places import PACKAGE, ROOT
from lazyrich_helpers.training import arithmetic


def origin_of(data: Dataset, precision: str) -> dict[str, Any]:
    """Return a record's origin, taken as its training starts, on `data`'s device.

    Its `arithmetic` is what the device does at `precision`, and its `instruction_set`
    the vector instructions that it does it with.
    """
    return {
        "numerics": dict(NUMERICS),
        "data": data.digest,
        "num_train": len(data.train),
        "num_test": len(data.test),
        "arithmetic": arithmetic.done(precision, data.device),
        **made_by(data.device),
    }


def made_by(device: torch.device) -> dict[str, Any]:
    """Return the code, the versions and the machine of what begins now."""
    return {
        "commit": commit(),
        "source": source_digest(),
        "device": device_name(device),
        "instruction_set": arithmetic.instruction_set(device),
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # a plain one, for checkpoints
        "numpy": np.__version__,
        "start": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


@functools.cache
def commit() -> str:
    """Return the checkout's commit, `+` appended where the package was edited."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        edited = _git("status", "--porcelain", "--", "lazyrich_helpers")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if edited else "")


def _git(*words: str) -> str:
    command = ["git", "-C", str(ROOT), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@functools.cache
def source_digest() -> str:
    """Return twelve hex digits that stand for the package's source files."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def vector_digest(vector: Tensor) -> str:
    """Return twelve hex digits that stand for a vector's very bits."""
    return hashlib.sha256(vector.cpu().numpy().tobytes()).hexdigest()[:12]


def device_name(device: torch.device) -> str:
    """Return the processor's or the GPU's model name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1] for line in lines if line.startswith("model n")]
        return f"CPU, {names[0].strip()}"
    except (OSError, IndexError):
        return f"CPU, {platform.processor() or platform.machine()}"
