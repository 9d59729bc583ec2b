"""The files of the data sets, each checked against its published MD5."""

import gzip
import hashlib
import socket
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lazyrich_helpers.config import require_one_of
from lazyrich_helpers.data import formats
from lazyrich_helpers.data.formats import Arrays
from lazyrich_helpers.places import PACKAGE, ROOT, chosen, left_as_found

NEAR = ("", "*/", "*/*/", "*/*/*/")
"""Where a file of the data folder is looked for, if it is not where it belongs."""
GZIP = b"\x1f\x8b"
"""How a packed file begins."""
SILENCE = 60.0
"""Seconds without a byte after which a download has failed."""


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
    num_classes: int = 10
    channels: int = 1
    downloader: str = ""
    """The class in `torchvision.datasets`; empty where the data is embedded."""
    origin: str = ""
    """What it downloads, how much, from where."""

    @property
    def digest(self) -> str:
        """Twelve hex digits that stand for the content of all files."""
        return hashlib.sha256("".join(self.files.values()).encode()).hexdigest()[:12]


def data_folder() -> Path:
    """Return the folder of downloaded data: `LAZYRICH_DATA`, or `data/` in the repo."""
    return chosen("LAZYRICH_DATA", ROOT / "data")


def source_of(dataset: str) -> Source:
    """Return the source named `dataset`; ValueError if there is none."""
    require_one_of(SOURCES, "dataset", dataset)
    return SOURCES[dataset]


def read(dataset: str, folder: Path) -> Arrays:
    """Return the arrays of `dataset`, its files checked; download what is missing.

    A file that is not where torchvision has it is taken from near there, packed or not,
    if it has the published MD5.

    Raises:
        DataError: If a file is missing, truncated or altered.
    """
    source = source_of(dataset)
    if not source.downloader:
        folder = PACKAGE / "data"
    found = _contents(dataset, source, folder)
    if source.downloader and len(found) < len(source.files):
        _download(dataset, source, folder)
        found = _contents(dataset, source, folder)
    if len(found) < len(source.files):
        raise DataError(_missing(dataset, source, folder))
    return source.parse(found)


def _contents(dataset: str, source: Source, folder: Path) -> list[bytes]:
    """Return the content of each file that is somewhere, checked."""
    files = source.files.items()
    each = [_content(dataset, folder, name, md5) for name, md5 in files]
    return [content for content in each if content is not None]


def _content(dataset: str, folder: Path, name: str, md5: str) -> bytes | None:
    problem = ""
    for path in _candidates(folder, name):
        try:
            content = path.read_bytes()
            if content.startswith(GZIP):  # whatever it is called: browsers rename
                content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            said = f"{path} of {dataset} cannot be read ({error})"
        else:
            # Before it is parsed: CIFAR-10's files are pickles, which can run code.
            actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if actual == md5:
                return content
            sums = f"MD5 {actual}, published {md5}"
            said = f"{path} of {dataset} is truncated or altered ({sums})"
        if path.parent == (folder / name).parent:  # elsewhere it may be another's
            problem = problem or f"{said}; delete it and fetch it anew."
    if problem:
        raise DataError(problem)
    return None


def _candidates(folder: Path, name: str) -> Iterator[Path]:
    """Yield the files that may be the one called `name`, what is right first."""
    right, file = (folder / name).parent, Path(name).name
    spellings = dict.fromkeys((file, file.replace("-idx", ".idx")))
    endings = [f"{each}{end}" for each in spellings for end in ("", ".gz")]
    yield from filter(Path.is_file, (right / each for each in endings))
    for place in NEAR:
        for each in endings:
            yield from filter(Path.is_file, sorted(folder.glob(place + each)))


def _download(dataset: str, source: Source, folder: Path) -> None:
    """Fetch all files into `folder`, in torchvision's layout."""
    if not _may_make(folder):
        raise DataError(_missing(dataset, source, folder))
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)
    try:
        from lazyrich_helpers.data.vision import datasets

        fetch = getattr(datasets(), source.downloader)
        print(f"Fetching {dataset}: {source.origin}.", file=sys.stderr, flush=True)
        with left_as_found(folder / Path(next(iter(source.files))).parent):
            for train in (True, False):
                fetch(str(folder), train=train, download=True)
    except (ImportError, OSError, RuntimeError) as error:
        raise DataError(_missing(dataset, source, folder, str(error))) from error
    finally:
        socket.setdefaulttimeout(before)


def _missing(dataset: str, source: Source, folder: Path, why: str = "") -> str:
    names = [n for n in source.files if not any(_candidates(folder, n))]
    name = (names or list(source.files))[0]
    if _may_make(folder):
        there = sorted(path.name for path in folder.glob("[!.]*"))[:5]
        state = f"which holds {', '.join(there) or 'nothing'}, and downloading it did "
        state += "not work" + (f" ({' '.join(why.split())})" if why else "")
    else:
        state = "which is not a folder; make it to have them downloaded"
    return (
        f"{dataset} needs {name} (plain or .gz) under {folder}, {state}; put the files "
        f"there ({source.origin}), or set LAZYRICH_DATA "
        "to the folder that has them."
    )


def _may_make(folder: Path) -> bool:
    """Return whether to download into `folder`: a mistyped one is not to be made."""
    return folder.is_dir() or folder == ROOT / "data"


def _idx_source(name: str, origin: str, *md5s: str) -> Source:
    """Return a data set of MNIST's kind: four files, in torchvision's layout."""
    paths = (f"{name}/raw/{file}" for file in formats.IDX_FILES)
    return Source(
        dict(zip(paths, md5s, strict=True)),
        formats.parse_idx,
        image_size=28,
        max_pixel=255,
        num_train=60_000,
        num_test=10_000,
        downloader=name,
        origin=f"four .gz files, {origin}",
    )


SOURCES = {
    "digits": Source(
        {"digits.npz": "35fa292850aefdac88ea117403394609"},
        formats.parse_digits,
        image_size=8,
        max_pixel=16,
        num_train=1297,
        num_test=500,
    ),
    "mnist": _idx_source(
        "MNIST",
        "12 MB, from https://ossci-datasets.s3.amazonaws.com/mnist",
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    "fashion_mnist": _idx_source(
        "FashionMNIST",
        "31 MB, from http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
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
        formats.parse_cifar,
        image_size=32,
        max_pixel=255,
        num_train=50_000,
        num_test=10_000,
        channels=3,
        downloader="CIFAR10",
        origin="cifar-10-python.tar.gz, 170 MB, packed or not, from "
        "https://www.cs.toronto.edu/~kriz, the only host, which is often slow",
    ),
}
