"""The files of the data sets: where they are, whether they are whole, what they hold.

Every file is checked against its published MD5 before it is parsed.
"""

import gzip
import hashlib
import io
import os
import pickle
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lazyrich_helpers.config import require
from lazyrich_helpers.subsets import balanced_subsets

Bytes = NDArray[np.uint8]
Arrays = tuple[Bytes, Bytes, Bytes, Bytes]
"""Images (n, channels, height, width) and labels (n,) to train on, then to test on."""


class DataError(ValueError):
    """A data file is missing, truncated or altered; the message says what to do."""


@dataclass(frozen=True)
class Source:
    """A data set's files with their MD5 (unpacked), and how they become arrays."""

    files: dict[str, str]
    parse: Callable[[list[bytes]], Arrays]
    image_size: int
    max_pixel: int
    num_train: int
    """Images that are not test images."""
    num_test: int
    channels: int = 1
    downloader: str = ""
    """The class in `torchvision.datasets`; empty where the data is embedded."""

    @property
    def digest(self) -> str:
        """Twelve hex digits that stand for the content of all files."""
        return hashlib.sha256("".join(self.files.values()).encode()).hexdigest()[:12]


def data_folder() -> Path:
    """Return the folder of downloaded data: `LAZYRICH_DATA`, or `data/` in the repo."""
    default = Path(__file__).resolve().parents[1] / "data"
    return Path(os.environ.get("LAZYRICH_DATA") or default)


def source_of(dataset: str) -> Source:
    """Return the source named `dataset`; ValueError if there is none."""
    require(dataset in SOURCES, "dataset", f"one of {', '.join(SOURCES)}", dataset)
    return SOURCES[dataset]


def read(dataset: str, folder: Path) -> Arrays:
    """Return the arrays of `dataset`, its files checked; download what is missing.

    Raises:
        DataError: If a file is missing, truncated or altered.
    """
    source = source_of(dataset)
    if not source.downloader:
        folder = Path(__file__).parent
    elif not all(_found(folder / name) for name in source.files):
        _download(dataset, source, folder)
    files = source.files.items()
    return source.parse([_checked(dataset, folder / name, md5) for name, md5 in files])


def _found(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return next((p for p in (path, packed) if p.is_file()), None)


def _checked(dataset: str, path: Path, md5: str) -> bytes:
    found = _found(path)
    if found is None:
        raise DataError(_missing(dataset, path.parent, path.name))
    try:
        content = found.read_bytes()
        if found.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{found} of {dataset} cannot be read ({error}); delete it and fetch it "
            "anew."
        ) from error
    # Checked before it is parsed: CIFAR-10's files are pickles, which can run code.
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if actual != md5:
        raise DataError(
            f"{found} of {dataset} is truncated or altered (MD5 {actual}, published "
            f"{md5}); delete it and fetch it anew."
        )
    return content


def _download(dataset: str, source: Source, folder: Path) -> None:
    try:
        from lazyrich_helpers.vision import datasets

        for train in (True, False):
            fetch = getattr(datasets(), source.downloader)
            fetch(str(folder), train=train, download=True)
    except (ImportError, OSError, RuntimeError) as error:
        lacking = [name for name in source.files if not _found(folder / name)]
        first = lacking[0] if lacking else next(iter(source.files))
        raise DataError(_missing(dataset, folder, first)) from error


def _missing(dataset: str, folder: Path, name: str) -> str:
    return (
        f"{dataset} needs {name} (plain or .gz) under {folder}, and downloading it did "
        "not work; put the files there, or set LAZYRICH_DATA to the folder that has "
        "them."
    )


def _parse_digits(contents: list[bytes]) -> Arrays:
    with np.load(io.BytesIO(contents[0])) as stored:
        pixels, labels = stored["images"][:, None], stored["labels"]
    # The set has no official split: 50 images of each class are the test set, always.
    test, _ = balanced_subsets(labels, 500, seed=0)
    train = np.setdiff1d(np.arange(len(labels)), test)
    return pixels[train], labels[train], pixels[test], labels[test]


def _parse_idx(contents: list[bytes]) -> Arrays:
    # An IDX header is 16 bytes for images, 8 for labels; the MD5 vouches for the rest.
    train, test = (
        np.frombuffer(content, np.uint8, offset=16).reshape(-1, 1, 28, 28)
        for content in contents[::2]
    )
    train_labels, test_labels = (
        np.frombuffer(content, np.uint8, offset=8) for content in contents[1::2]
    )
    return train, train_labels, test, test_labels


def _parse_cifar(contents: list[bytes]) -> Arrays:
    batches = [pickle.loads(content, encoding="latin1") for content in contents]
    pixels = [np.asarray(b["data"], np.uint8).reshape(-1, 3, 32, 32) for b in batches]
    labels = [np.asarray(b["labels"], np.uint8) for b in batches]
    train, train_labels = np.concatenate(pixels[:-1]), np.concatenate(labels[:-1])
    return train, train_labels, pixels[-1], labels[-1]


def _idx_files(folder: str, *md5s: str) -> dict[str, str]:
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    paths = (f"{folder}/raw/{name}" for name in names)
    return dict(zip(paths, md5s, strict=True))


SOURCES = {
    "digits": Source(
        {"digits.npz": "35fa292850aefdac88ea117403394609"},
        _parse_digits,
        image_size=8,
        max_pixel=16,
        num_train=1297,
        num_test=500,
    ),
    "mnist": Source(
        _idx_files(
            "MNIST",
            "6bbc9ace898e44ae57da46a324031adb",
            "a25bea736e30d166cdddb491f175f624",
            "2646ac647ad5339dbf082846283269ea",
            "27ae3e4e09519cfbb04c329615203637",
        ),
        _parse_idx,
        image_size=28,
        max_pixel=255,
        num_train=60_000,
        num_test=10_000,
        downloader="MNIST",
    ),
    "fashion_mnist": Source(
        _idx_files(
            "FashionMNIST",
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "9018921c3c673c538a1fc5bad174d6f9",
            "8181f5470baa50b63fa0f6fddb340f0a",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
        _parse_idx,
        image_size=28,
        max_pixel=255,
        num_train=60_000,
        num_test=10_000,
        downloader="FashionMNIST",
    ),
    "cifar10": Source(
        {
            "cifar-10-batches-py/data_batch_1": "c99cafc152244af753f735de768cd75f",
            "cifar-10-batches-py/data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "cifar-10-batches-py/data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "cifar-10-batches-py/data_batch_4": "634d18415352ddfa80567beed471001a",
            "cifar-10-batches-py/data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "cifar-10-batches-py/test_batch": "40351d587109b95175f43aff81a1287e",
        },
        _parse_cifar,
        image_size=32,
        max_pixel=255,
        num_train=50_000,
        num_test=10_000,
        channels=3,
        downloader="CIFAR10",
    ),
}
