"""VGG-11 as torchvision trained it on ImageNet: its file, and networks started from it.

The file is looked for where `LAZYRICH_WEIGHTS` says (the file or its folder), or else
in torch's own cache; where it is missing, torch is asked to download it. Its checksum
is verified before it is read.
"""

import functools
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lazyrich_helpers.config import Part, require
from lazyrich_helpers.data.sources import DataError
from lazyrich_helpers.models.convnets import VGG11
from lazyrich_helpers.models.initialization import convolutions, transfer_
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.weights_file import checked, tensors
from lazyrich_helpers.places import chosen, left_as_found

SHA256 = "8a719046"
"""The first hex digits of the file's SHA-256, as its name has them."""
FILE = f"vgg11-{SHA256}.pth"
PLACES = (0, 3, 6, 8, 11, 13, 16, 18)
"""The convolutions among the file's `features`, bottom first."""


@dataclass(frozen=True, kw_only=True)
class ImageNetVGG11(Part, slot="init", kind="imagenet_vgg11"):
    """VGG-11's convolutions as trained on ImageNet; the classifier as Xavier draws it.

    The paper says "pre-trained" and no more. torchvision's classifier has 4,096 units
    where the paper's VGG-11 has 512, so that only the eight convolutions, weights and
    biases, can be taken over. These are the weights without batch norm.

    Source: Li & Banerjee (2021), Table 1; torchvision's `VGG11_Weights.IMAGENET1K_V1`.
    """

    sha256: str = SHA256
    """First hex digits of the file's SHA-256: another file is another config."""

    def require_ready(self, network: Network) -> None:
        _require_fitting(network)
        self._weights()

    def initialize_(self, network: Network, seed: int, inputs: Tensor) -> None:
        del inputs
        _require_fitting(network)
        transfer_(network, seed, self._weights())

    def _weights(self) -> tuple[Tensor, ...]:
        if self.sha256 != SHA256:
            raise DataError(
                f"the config asks for weights with SHA-256 {self.sha256}, this version "
                f"reads {SHA256}."
            )
        return _read(weights_path(), self.sha256)


def weights_path() -> Path:
    """Return where the file is, or belongs: see the module's first lines."""
    path = chosen("LAZYRICH_WEIGHTS", Path(torch.hub.get_dir()) / "checkpoints")
    return path if path.suffix == ".pth" and not path.is_dir() else path / FILE


def _require_fitting(network: Network) -> None:
    """Raise ValueError unless ImageNet's convolutions fit, by their shapes."""
    expected = _shapes(VGG11().build((3, 32, 32), 10))
    shapes = _shapes(network)
    known = "vgg11 of width 64 for images of 3 channels, as ImageNet's weights are"
    found = f"{len(shapes)} convolutions, {shapes[:1]} at the bottom"
    require(shapes == expected, "model", known, found)


def _shapes(network: Network) -> list[tuple[int, ...]]:
    return [tuple(layer.weight.shape) for layer in convolutions(network)]


@functools.lru_cache(maxsize=1)
def _read(path: Path, sha256: str) -> tuple[Tensor, ...]:
    """Return the convolutions' weights and biases, bottom first, the file checked."""
    if not path.is_file():
        _download(path)
    state = tensors(checked(path, sha256, "delete it and fetch it anew"))
    names = [f"features.{i}.{kind}" for i in PLACES for kind in ("weight", "bias")]
    return tuple(state[name] for name in names)


def _download(path: Path) -> None:
    where = "where torchvision's VGG11_Weights.IMAGENET1K_V1.url says"
    try:
        from lazyrich_helpers.data.vision import models

        url = models().VGG11_Weights.IMAGENET1K_V1.url
        where = f"from {url}"
        with left_as_found(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(
                url, str(path), hash_prefix=SHA256, progress=sys.stderr.isatty()
            )
    except (ImportError, OSError, RuntimeError) as error:
        raise DataError(
            f"ImageNet's weights need {FILE}, which is not at {path}, and downloading "
            f"it did not work; fetch it {where} and put it there, or set "
            "LAZYRICH_WEIGHTS to the file or to its folder."
        ) from error
