"""torchvision's layouts are the ones `data.py` reads."""

import importlib.util

import pytest

from lazyrich_helpers.data import vision
from lazyrich_helpers.data.sources import SOURCES
from lazyrich_helpers.models.imagenet import FILE

# Not importorskip: a plain import is just what fails beside a CPU-only torch.
if importlib.util.find_spec("torchvision") is None:
    pytest.skip("needs torchvision", allow_module_level=True)


def test_every_downloader_exists():
    for source in SOURCES.values():
        assert not source.downloader or hasattr(vision.datasets(), source.downloader)


def test_cifar_10s_checksums_are_the_published_ones():
    published = vision.datasets().CIFAR10
    files = dict(published.train_list + published.test_list)
    folder = published.base_folder
    expected = {f"{folder}/{name}": md5 for name, md5 in files.items()}
    assert SOURCES["cifar10"].files == expected


def test_vgg_11s_file_is_the_published_one():
    url = vision.models().VGG11_Weights.IMAGENET1K_V1.url
    assert url.rsplit("/", 1)[1] == FILE
