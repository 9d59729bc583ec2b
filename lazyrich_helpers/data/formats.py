"""How the content of a data set's files becomes arrays."""

import io
import pickle

import numpy as np
from numpy.typing import NDArray

from lazyrich_helpers.data.subsets import balanced_subsets

Bytes = NDArray[np.uint8]
Arrays = tuple[Bytes, Bytes, Bytes, Bytes]
"""Images (n, channels, height, width) and labels (n,) to train on, then to test on."""
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def parse_digits(contents: list[bytes]) -> Arrays:
    """Return the embedded 8×8 digits; which are the test images is ours."""
    with np.load(io.BytesIO(contents[0])) as stored:
        pixels, labels = stored["images"][:, None], stored["labels"]
    # The set has no official split: 50 images of each class are the test set, always.
    test, _ = balanced_subsets(labels, 500, seed=0)
    train = np.setdiff1d(np.arange(len(labels)), test)
    return pixels[train], labels[train], pixels[test], labels[test]


def parse_idx(contents: list[bytes]) -> Arrays:
    """Return what four IDX files hold, in the order of `IDX_FILES`."""
    # An IDX header is 16 bytes for images, 8 for labels; the MD5 vouches for the rest.
    train, test = (
        np.frombuffer(content, np.uint8, offset=16).reshape(-1, 1, 28, 28)
        for content in contents[::2]
    )
    train_labels, test_labels = (
        np.frombuffer(content, np.uint8, offset=8) for content in contents[1::2]
    )
    return train, train_labels, test, test_labels


def parse_cifar(contents: list[bytes]) -> Arrays:
    """Return what batches of CIFAR-10 hold, the last one to test on."""
    batches = [pickle.loads(content, encoding="latin1") for content in contents]
    pixels = [np.asarray(b["data"], np.uint8).reshape(-1, 3, 32, 32) for b in batches]
    labels = [np.asarray(b["labels"], np.uint8) for b in batches]
    train, train_labels = np.concatenate(pixels[:-1]), np.concatenate(labels[:-1])
    return train, train_labels, pixels[-1], labels[-1]
