"""torchvision, imported so that it also works beside a CPU-only torch.

Its compiled operators may be built for CUDA; two of them are then declared first, which
suffices for data sets and weights. On a matching install this does nothing.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

import torch

_STUBS: list[torch.library.Library] = []  # a library's declarations die with it


def datasets() -> ModuleType:
    """Return `torchvision.datasets`; ImportError if it is not installed."""
    return _imported("torchvision.datasets")


def models() -> ModuleType:
    """Return `torchvision.models`; ImportError if it is not installed."""
    return _imported("torchvision.models")


def _imported(name: str) -> ModuleType:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ImportError("torchvision is not installed.")
    try:
        torch.ops.load_library(Path(spec.origin).parent / "_C.so")
    except OSError:
        if not _STUBS:
            _STUBS.append(torch.library.Library("torchvision", "FRAGMENT"))
            signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            for operator in ("nms", "qnms"):
                _STUBS[0].define(operator + signature)
    return importlib.import_module(name)
