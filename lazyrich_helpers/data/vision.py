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
    """Return `torchvision.datasets`.

    Raises:
        ImportError: If torchvision is not installed.
    """
    _declare_missing_operators()
    import torchvision.datasets

    return torchvision.datasets


def models() -> ModuleType:
    """Return `torchvision.models`.

    Raises:
        ImportError: If torchvision is not installed.
    """
    _declare_missing_operators()
    import torchvision.models

    return torchvision.models


def _declare_missing_operators() -> None:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ImportError("torchvision is not installed.")
    if _STUBS:
        return
    try:
        torch.ops.load_library(Path(spec.origin).parent / "_C.so")
    except OSError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for name in ("nms", "qnms"):
            library.define(name + signature)
        _STUBS.append(library)
