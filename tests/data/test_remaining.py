"""What a subset leaves out shares no image with it, and is treated alike."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch

from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.datasets import DataPart, Split, images
from lazyrich_helpers.data.remaining import remaining, turned
from lazyrich_helpers.data.subsets import balanced_subsets
from tests import tiny
from tests.data.test_datasets import put


def seen(split) -> set[bytes]:
    return {image.numpy().tobytes() for image in split.images}


@pytest.mark.parametrize("subset_seed", [0, 1])
def test_other_images_are_in_none_of_its_sets(subset_seed):
    part = images("digits", train_size=200, subset_seed=subset_seed, image_size=9)
    data, other = part.load(), remaining(part, 600).load()
    own = [seen(split) for split in (data.train, data.held_out, data.test)]
    assert len(set.union(*own)) == 200 + 200 + 500  # digits are all different
    assert len(seen(other.train)) == 600 and not seen(other.train) & set.union(*own)
    assert not seen(other.held_out) & (set.union(*own) | seen(other.train))
    assert torch.equal(other.test.images, data.test.images)
    assert (other.train.labels.bincount() == 60).all()


def colours():
    """Return a 250 + 50 image CIFAR-10, each image of a shade of its own."""
    for batch in range(6):
        shades = (50 * batch + np.arange(50)).astype(np.uint16)
        rows = np.zeros((50, 3072), np.uint8)
        rows[:, 0], rows[:, 1] = shades // 256, shades % 256
        yield pickle.dumps({"data": rows, "labels": [i % 10 for i in range(50)]})


def test_colour_images_stay_cropped_and_normalized(offline, monkeypatch):
    put(offline, "cifar10", colours(), monkeypatch)
    fields = images("cifar10", train_size=50).to_dict()
    del fields["kind"]
    part = CroppedImages(**fields, padding=3)
    other = remaining(part, 150)
    assert isinstance(other, CroppedImages) and isinstance(other, DataPart)
    assert other.padding == 3 and other.skipped == 100
    data, rest = part.load(), other.load()
    assert data.shift == rest.shift == 3 and rest.image_shape == (3, 32, 32)
    own = [seen(split) for split in (data.train, data.held_out, data.test)]
    assert [len(one) for one in own] == [50, 50, 50] and len(seen(rest.train)) == 150
    assert not seen(rest.train) & set.union(*own)


def test_an_image_is_turned_to_the_left_as_often_as_its_label_says():
    marked = torch.zeros(2, 3, 4, 4)
    marked[0, 1, 0, 0] = marked[1, 2, 0, 3] = 1  # top left of one, top right of another
    found = turned(Split(marked, torch.tensor([7, 5])))
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    corners = [tuple(place.nonzero()[0].tolist()) for place in found.images]
    of_one = [(1, 0, 0), (1, 3, 0), (1, 3, 3), (1, 0, 3)]
    of_other = [(2, 0, 3), (2, 0, 0), (2, 3, 0), (2, 3, 3)]
    assert corners[::2] == of_one and corners[1::2] == of_other


def test_turned_images_are_the_others_at_each_turn(offline, monkeypatch):
    put(offline, "cifar10", colours(), monkeypatch)
    fields = images("cifar10", train_size=50).to_dict()
    del fields["kind"]
    part = CroppedImages(**fields)
    plain, other = remaining(part, 150), remaining(part, 150, turns=True)
    assert (plain.num_classes, other.num_classes) == (10, 4)
    data, rest = other.load(), plain.load()
    assert data.num_classes == 4 and data.shift == 4
    assert len(data.train) == other.train_size == 600
    for name in ("train", "held_out", "test"):
        found, expected = getattr(data, name), getattr(rest, name)
        for k in range(4):
            back = found.images[found.labels == k].rot90(-k, (2, 3))
            assert torch.equal(back, expected.images)
    assert other.load() is data  # kept, as other data are
    with pytest.raises(ValueError, match=r"multiple of 40, for 4 turns .* got 150"):
        dataclasses.replace(other, train_size=150)
    fixed = dataclasses.replace(other, num_views=2).load()
    assert [len(view) for view in fixed.views] == [600, 600] and fixed.shift is None
    assert torch.equal(fixed.views[1].labels, data.train.labels)


def test_subsets_of_one_seed_can_be_kept_apart():
    labels = np.random.Generator(np.random.PCG64(0)).permutation(np.arange(300) % 10)
    labels = labels.astype(np.uint8)
    plain = balanced_subsets(labels, 60, 5)
    assert all(map(np.array_equal, plain, balanced_subsets(labels, 60, 5, skipped=0)))
    # what is held out is what comes next
    assert np.array_equal(plain[1], balanced_subsets(labels, 60, 5, skipped=60)[0])
    chosen, rest = balanced_subsets(labels, 200, 5, skipped=60)
    assert len(chosen) == 200 and len(rest) == 40 and (np.diff(chosen) > 0).all()
    assert not set(chosen) & set(rest) and not set(plain[0]) & {*chosen, *rest}


def test_too_few_or_unknown_others_are_a_sentence():
    part = remaining(images("digits", train_size=500), 300)
    with pytest.raises(
        ValueError,
        match=r"^train_size .* 240 .* 1000 skipped; got 300",
    ):
        part.load()
    with pytest.raises(ValueError, match=r"^data must be images or cropped_images, "):
        remaining(part, 100)
    with pytest.raises(ValueError, match=r"^data must be cropped_images, .*Images"):
        remaining(images("digits", train_size=500), 100, turns=True)
    with pytest.raises(ValueError, match="got 25"):
        remaining(tiny.CONFIG.data, 25)
