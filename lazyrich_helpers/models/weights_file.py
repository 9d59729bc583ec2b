"""A start from a file of trained convolutions, which its digest names.

`make_weights` makes such a file from a network that was trained here. `imagenet` reads
the one that torchvision publishes.
"""

import functools
import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lazyrich_helpers.config import Part, require
from lazyrich_helpers.data.sources import DataError
from lazyrich_helpers.models.initialization import convolutions, transfer_
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.places import ROOT, chosen

CONVOLUTIONS = "convolutions"
"""What the file holds: weights and biases by turns, bottom first."""
DIGITS = 8
"""Hex digits of a SHA-256 that name a file, at the least."""
COMMITTED = ROOT / "book" / "weights"
"""Files that are part of the book."""
UNKNOWN = "0" * DIGITS
"""Stands for the digest of a file that has not been made yet."""


@dataclass(frozen=True, kw_only=True)
class WeightsFile(Part, slot="init", kind="weights_file"):
    """Convolutions as a file has them; all else as Xavier draws it.

    One file serves all seeds.
    """

    file: str
    """Its name, in the folder that `LAZYRICH_WEIGHTS` names or in `book/weights`."""
    sha256: str
    """First hex digits of its SHA-256: another file is another config."""

    def check(self) -> None:
        plain = bool(self.file) and Path(self.file).name == self.file
        require(plain, "file", "a file's name, without a folder", self.file)
        digits = set(self.sha256) <= set("0123456789abcdef")
        long = DIGITS <= len(self.sha256) <= 64
        wanted = f"{DIGITS} to 64 hex digits, in lower case"
        require(digits and long, "sha256", wanted, self.sha256)

    def require_ready(self, network: Network) -> None:
        self._fitting(network)

    def initialize_(self, network: Network, seed: int, inputs: Tensor) -> None:
        del inputs
        transfer_(network, seed, self._fitting(network))

    def _fitting(self, network: Network) -> tuple[Tensor, ...]:
        """Return the weights; ValueError unless the network's are shaped so."""
        weights = self._weights()
        require_plain(network)
        found = [tuple(layer.weight.shape) for layer in convolutions(network)]
        wanted = [tuple(values.shape) for values in weights[::2]]
        shapes = f"of convolutions {wanted}, as {self.file} has them"
        require(found == wanted, "model", shapes, found)
        return weights

    def _weights(self) -> tuple[Tensor, ...]:
        path = weights_path(self.file)
        if self.sha256 == UNKNOWN:
            raise DataError(
                f"{self.file}, the weights to start from, has not been made yet; train "
                "what it is made of by `python -m lazyrich_helpers.run "
                "pretrain-standin`, make it by `python -m "
                f"lazyrich_helpers.runner.make_weights RUN_ID {path}`, and list it in "
                "`vgg11_exhibits.STANDINS`."
            )
        if not path.is_file():
            raise DataError(
                f"{path}, the weights to start from, is not there; put it there, or "
                "set LAZYRICH_WEIGHTS to the folder where it is."
            )
        return _read(path, self.sha256)


def weights_path(file: str) -> Path:
    """Return where a file is, or belongs; `LAZYRICH_WEIGHTS` goes before the book's."""
    committed = COMMITTED / file
    path = chosen("LAZYRICH_WEIGHTS", COMMITTED)
    path = (path.parent if path.is_file() else path) / file  # it may be ImageNet's own
    return committed if committed.is_file() and not path.is_file() else path


def require_plain(network: Network) -> None:
    """Raise ValueError unless convolutions' parameters are all that is to be kept."""
    # With batch norm, they alone are not the network.
    num, stateful = len(convolutions(network)), any(True for _ in network.buffers())
    found = f"{num} convolutions" + (" and batch norm" if stateful else "")
    plain = num > 0 and not stateful
    require(plain, "model", "one of convolutions, without batch norm", found)


@functools.lru_cache(maxsize=4)
def _read(path: Path, sha256: str) -> tuple[Tensor, ...]:
    remedy = "delete it and make it anew"
    content = checked(path, sha256, remedy)
    try:
        found = tuple(tensors(content)[CONVOLUTIONS])
        assert all(isinstance(values, Tensor) for values in found)
    except Exception as error:  # torch.load raises many kinds
        raise DataError(
            f"{path} holds no convolutions ({type(error).__name__}); {remedy}."
        ) from error
    return found


def checked(path: Path, sha256: str, remedy: str) -> bytes:
    """Return a file's content, of which the SHA-256 starts with `sha256`.

    Raises:
        DataError: If it cannot be read, or is another's; with the remedy.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); {remedy}.") from error
    actual = hashlib.sha256(content).hexdigest()[: len(sha256)]
    if actual != sha256:
        raise DataError(
            f"{path} is truncated or altered (SHA-256 {actual}, asked for {sha256}); "
            f"{remedy}."
        )
    return content


def tensors(content: bytes) -> Any:
    """Return what torch saved as `content`; nothing in it is ever executed."""
    with warnings.catch_warnings(action="ignore"):  # about the file's format
        return torch.load(io.BytesIO(content), "cpu", weights_only=True)
