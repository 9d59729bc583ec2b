"""Data is what its checksum vouches for, balanced, or one sentence; never another."""

import dataclasses
import gzip
import hashlib
import pickle
import socket
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from lazyrich_helpers.data import vision
from lazyrich_helpers.data.datasets import DataPart, images
from lazyrich_helpers.data.sources import SOURCES, DataError, data_folder, read
from lazyrich_helpers.data.subsets import balanced_subsets


def idx_contents():
    """Return a 40 + 20 image MNIST; image i has pixels i, and label i % 10."""
    for count in (40, 20):
        pixels = np.arange(count, dtype=np.uint8).repeat(28 * 28)
        yield bytes(16) + pixels.tobytes()
        yield bytes(8) + (np.arange(count, dtype=np.uint8) % 10).tobytes()


def cifar_contents():
    """Return a 100 + 20 image CIFAR-10; pixels are 0 in red, 1 green, 2 blue."""
    for _ in range(6):
        rows = np.arange(3, dtype=np.uint8).repeat(1024)[None].repeat(20, axis=0)
        labels = [label % 10 for label in range(20)]
        yield pickle.dumps({"data": rows, "labels": labels})


def put(folder: Path, dataset: str, contents, monkeypatch) -> list[Path]:
    """Make `contents` the published files of `dataset`, below `folder`."""
    contents = list(contents)
    paths = [folder / name for name in SOURCES[dataset].files]
    md5s = [hashlib.md5(c, usedforsecurity=False).hexdigest() for c in contents]
    files = dict(zip(SOURCES[dataset].files, md5s, strict=True))
    source = dataclasses.replace(SOURCES[dataset], files=files)
    monkeypatch.setitem(SOURCES, dataset, source)
    for path, content in zip(paths, contents, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return paths


@pytest.fixture
def mnist(offline, monkeypatch):
    """The four files of the made MNIST."""
    return put(offline, "mnist", idx_contents(), monkeypatch)


def test_idx_files_are_read_as_written(mnist):
    data = images("mnist", train_size=20).load()
    for split in (data.train, data.held_out):
        assert split.images.shape == (20, 1, 28, 28)
        values = (split.images * 255).round().long()  # (n, 1, 28, 28), image i holds i
        assert torch.equal(values, values[:, :, :1, :1].expand_as(values))
        assert torch.equal(values[:, 0, 0, 0] % 10, split.labels)
    assert (data.test.images[:, 0, 3, 5] * 255).tolist() == pytest.approx(range(20))
    assert data.test.labels.tolist() == list(range(10)) * 2


def test_packed_files_give_the_same_data(mnist, monkeypatch):
    plain = images("mnist", train_size=20).load()
    for path in mnist:
        pack(path, bytes)
    moved = mnist[0].parents[2].rename(mnist[0].parents[2].with_name("elsewhere"))
    monkeypatch.setenv("LAZYRICH_DATA", str(moved))  # another folder: read anew
    again = images("mnist", train_size=20).load()
    assert again is not plain and again.digest == plain.digest
    assert torch.equal(again.test.images, plain.test.images)


def test_cifar_batches_are_read_as_written(offline, monkeypatch):
    put(offline, "cifar10", cifar_contents(), monkeypatch)
    part = images("cifar10", train_size=50)
    data = part.load()
    assert data.image_shape == part.image_shape == (3, 32, 32)
    red_green_blue = data.train.images.mean(dim=(0, 2, 3)) * 255
    assert red_green_blue.tolist() == pytest.approx([0, 1, 2])
    assert len(data.train) == len(data.held_out) == 50 and len(data.test) == 20


def pack(path: Path, damage) -> None:
    content = bytearray(gzip.compress(path.read_bytes()))
    path.with_name(path.name + ".gz").write_bytes(damage(content))
    path.unlink()


def no_header(content):
    content[:2] = b"no"
    return content


def bad_block(content):
    content[10:] = b"\x07" * 50
    return content


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = {
    "missing": Path.unlink,
    "directory": make_directory,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-5]),
    "altered": flip,
    "packed, not gzip": lambda path: pack(path, no_header),
    "packed, truncated": lambda path: pack(path, lambda c: c[:-20]),
    "packed, bad block": lambda path: pack(path, bad_block),
}


@pytest.mark.parametrize("which", [0, 3])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_sentence_with_a_remedy(mnist, damage, which):
    DAMAGES[damage](mnist[which])
    with pytest.raises(DataError) as raised:
        images("mnist", train_size=20).load()
    message = str(raised.value)
    assert "\n" not in message and message.endswith(".")
    assert mnist[which].name in message and str(mnist[which].parents[2]) in message
    assert "delete it and fetch it anew" in message or "put the files" in message


def test_nothing_is_downloaded_where_everything_is_there(mnist, monkeypatch):
    def fail():
        raise AssertionError("tried to download")

    monkeypatch.setattr(vision, "datasets", fail)
    assert len(images("mnist", train_size=10).load().test) == 20


MNIST = ("MNIST", "raw")


@pytest.mark.parametrize(
    ("folders", "rename"),
    [
        (MNIST, lambda name: f"{name}.gz"),  # not packed, whatever it is called
        (MNIST, lambda name: name.replace("-idx", ".idx")),
        ((*MNIST, "raw"), str),
        (("MNIST",), str),
        ((), str),  # the variable names the innermost folder
        (("mnist-dataset",), lambda name: f"{name}.gz"),
    ],
)
def test_files_that_lie_near_are_read(mnist, offline, folders, rename):
    for path in mnist:
        other = offline.joinpath(*folders, rename(path.name))
        other.parent.mkdir(parents=True, exist_ok=True)
        path.rename(other)
    assert len(images("mnist", train_size=10).load().test) == 20


def test_a_sound_file_beside_a_damaged_one_is_read(mnist):
    mnist[3].write_bytes(gzip.compress(mnist[3].read_bytes()))  # without its ending
    path = mnist[0].with_name(mnist[0].name + ".gz")
    path.write_bytes(gzip.compress(mnist[0].read_bytes()))
    flip(mnist[0])
    assert len(images("mnist", train_size=10).load().test) == 20


def test_files_of_the_same_name_of_another_data_set_are_not_blamed(mnist, monkeypatch):
    monkeypatch.setenv("LAZYRICH_DATA", str(mnist[0].parents[1]))
    with pytest.raises(DataError) as raised:
        images("fashion_mnist", train_size=10).load()
    assert "which holds raw, and" in str(raised.value)
    assert "delete" not in str(raised.value)


def test_a_folder_that_is_not_there_is_not_made(offline, monkeypatch):
    def fail():
        raise AssertionError("tried to download")

    monkeypatch.setattr(vision, "datasets", fail)
    monkeypatch.setenv("LAZYRICH_DATA", str(offline / "mistyped" / "data"))
    with pytest.raises(
        DataError, match=r"mistyped/data, which is not a folder; make it .*; put"
    ):
        images("mnist", train_size=10).load()
    assert list(offline.iterdir()) == []


def fetching(monkeypatch, fetch):
    """Let downloads of CIFAR-10 end as `fetch` does, once their folder is made."""

    def download(root, train, download):
        folder = Path(root, "cifar-10-batches-py")
        folder.mkdir(parents=True, exist_ok=True)
        fetch(folder)

    module = types.SimpleNamespace(CIFAR10=download)
    monkeypatch.setattr(vision, "datasets", lambda: module)


@pytest.mark.parametrize("error", [ImportError, OSError, RuntimeError])
def test_a_download_that_fails_leaves_no_folder(offline, monkeypatch, capsys, error):
    timeouts = []

    def fail(folder):
        timeouts.append(socket.getdefaulttimeout())
        raise error("the host\nis dead")

    fetching(monkeypatch, fail)
    with pytest.raises(DataError) as raised:
        images("cifar10", train_size=50).load()
    said = str(raised.value)
    assert "\n" not in said and "(the host is dead)" in said
    for word in ("cifar10 needs cifar-10-batches-py/data_batch_1", "LAZYRICH_DATA"):
        assert word in said
    for word in ("cifar-10-python.tar.gz", "170 MB", "cs.toronto.edu", str(offline)):
        assert word in said
    assert list(offline.iterdir()) == []
    assert "170 MB" in capsys.readouterr().err, "said before it waits"
    assert timeouts == [60] and socket.getdefaulttimeout() is None


def test_what_a_failed_download_got_stays(offline, monkeypatch):
    def fail(folder):
        (folder / "part").touch()
        raise OSError

    fetching(monkeypatch, fail)
    with pytest.raises(DataError):
        images("cifar10", train_size=50).load()
    assert (offline / "cifar-10-batches-py" / "part").exists()


def test_a_download_that_fails_at_the_end_is_a_sentence_too(mnist, monkeypatch):
    content = mnist[3].read_bytes()
    mnist[3].unlink()

    def fetch_then_fail():
        mnist[3].write_bytes(content)
        raise OSError("No space left on device")

    monkeypatch.setattr(vision, "datasets", fetch_then_fail)
    with pytest.raises(DataError):
        images("mnist", train_size=20).load()


def test_nothing_is_unpickled_before_its_checksum_passed(offline, monkeypatch):
    paths = put(offline, "cifar10", cifar_contents(), monkeypatch)

    class Trap:
        def __reduce__(self):
            return (Path.touch, (offline / "sprung",))

    for path in paths[3:]:
        path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"data_batch_4 .* is truncated or altered"):
        images("cifar10", train_size=50).load()
    assert not (offline / "sprung").exists()


def test_a_config_of_other_data_is_refused():
    part = dataclasses.replace(images("digits", train_size=100), digest="0" * 12)
    with pytest.raises(DataError, match="digest 000000000000"):
        part.load()


def test_digits_are_all_there():
    data = images("digits", train_size=1000).load()
    assert isinstance(images("digits", train_size=1000), DataPart)
    assert (data.image_shape, data.num_classes) == ((1, 8, 8), 10)
    assert len(data.train) == 1000 and len(data.test) == 500
    for split in (data.train, data.test):
        assert (split.labels.bincount(minlength=10) * 10 == len(split)).all()
        assert split.images.min() == 0 and split.images.max() == 1
    assert {data.train.images.dtype, data.test.images.dtype} == {torch.float32}


def test_splits_share_no_image():
    data = images("digits", train_size=500).load()
    splits = (data.train, data.held_out, data.test)
    seen = [{tuple(x.flatten().tolist()) for x in s.images} for s in splits]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 1500


def test_another_subset_seed_draws_other_images_and_the_same_test():
    one, again, two = (
        images("digits", train_size=200, subset_seed=s).load() for s in (0, 0, 1)
    )
    assert one.digest == again.digest != two.digest
    assert not torch.equal(one.train.images, two.train.images)
    assert torch.equal(one.test.images, two.test.images)


def test_balanced_subsets():
    labels = np.random.Generator(np.random.PCG64(0)).permutation(np.arange(300) % 10)
    before = np.random.get_state()[1].copy()  # noqa: NPY002  (must not be touched)
    chosen, rest = balanced_subsets(labels.astype(np.uint8), 100, 5)
    assert (np.bincount(labels[chosen]) == 10).all()
    assert (np.bincount(labels[rest]) == 10).all()
    assert not set(chosen) & set(rest)
    for indices in (chosen, rest):
        assert (np.diff(indices) > 0).all()
    again, _ = balanced_subsets(labels.astype(np.uint8), 100, 5)
    other, _ = balanced_subsets(labels.astype(np.uint8), 100, 6)
    assert np.array_equal(chosen, again) and not np.array_equal(chosen, other)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_the_held_out_set_is_smaller_where_a_class_runs_out():
    labels = (np.arange(300) % 10).astype(np.uint8)
    chosen, rest = balanced_subsets(labels, 250, 0)
    assert len(chosen) == 250 and len(rest) == 50
    with pytest.raises(ValueError, match=r"train_size must be at most 300 .* got 310"):
        balanced_subsets(labels, 310, 0)


def test_enlargement_is_bilinear():
    small = images("digits", train_size=10).load().train.images[0, 0].numpy()
    part = images("digits", train_size=10, image_size=28)
    assert part.load().image_shape == part.image_shape == (1, 28, 28)
    large = part.load().train.images[0, 0]
    # Pixel centres: the large image's pixel j lies at (j + 1/2) 8/28 - 1/2.
    places = (np.arange(28) + 0.5) * 8 / 28 - 0.5
    rows = np.stack([np.interp(places, np.arange(8), row) for row in small])
    both = np.stack([np.interp(places, np.arange(8), column) for column in rows.T]).T
    np.testing.assert_allclose(large.numpy(), both, atol=1e-6)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"dataset": "imagenet", "train_size": 10}, "dataset must be one of digits"),
        ({"dataset": "digits", "train_size": 0}, "train_size must be .*; got 0"),
        ({"dataset": "digits", "train_size": 15}, "train_size must be .*; got 15"),
        ({"dataset": "mnist", "train_size": 10, "image_size": 8}, "28 pixels of mnist"),
        ({"dataset": "digits", "train_size": 10, "subset_seed": -1}, "got -1"),
    ],
)
def test_a_wrong_choice_is_named(choices, words):
    with pytest.raises(ValueError, match=words):
        images(**choices)


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_sources_know_how_many_images_they_have(name):
    try:
        train, _, test, _ = read(name, data_folder())
    except DataError:
        pytest.skip("not here")
    source = SOURCES[name]
    assert (len(train), len(test)) == (source.num_train, source.num_test)
