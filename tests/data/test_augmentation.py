"""Images are moved whole, by every shift, and mirrored half of the time."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from lazyrich_helpers.data import augmentation
from lazyrich_helpers.data.augmentation import CroppedImages, normalized, shifted
from lazyrich_helpers.data.datasets import Dataset, Split
from lazyrich_helpers.data.sources import source_of
from lazyrich_helpers.lws.schedules import TopK
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training import loop
from lazyrich_helpers.training.optimizers import SGD
from tests import tiny


def test_every_image_is_one_of_the_shifts_each_as_often():
    image = torch.rand(3, 5, 5, generator=generator("image"))
    padded = F.pad(image, [2] * 4)
    known = {}
    for row in range(5):
        for column in range(5):
            crop = padded[:, row : row + 5, column : column + 5]
            for mirrored, one in ((False, crop), (True, crop.flip(2))):
                known[one.contiguous().numpy().tobytes()] = (row, column, mirrored)
    num = 20_000
    out = shifted(image.expand(num, 3, 5, 5), 2, generator("test"))
    found = [known[one.contiguous().numpy().tobytes()] for one in out]
    counts = torch.tensor([found.count(kind) for kind in known.values()])
    assert counts.sum() == num and len(known) == 50
    expected = num / 50
    assert ((counts - expected).abs() < 5 * expected**0.5).all()


def test_no_padding_only_mirrors():
    images = torch.rand(64, 3, 4, 4)
    out = shifted(images, 0, generator("test"))
    same = (out == images).all(dim=(1, 2, 3))
    flipped = (out == images.flip(3)).all(dim=(1, 2, 3))
    assert (same ^ flipped).all() and 10 < same.sum() < 54


def test_normalized_by_channel():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as printed
    images = torch.tensor(mean)[:, None, None] + torch.tensor(std)[:, None, None]
    split = Split(images.expand(1, 3, 2, 2), torch.zeros(1))
    torch.testing.assert_close(normalized(split).images, torch.ones(1, 3, 2, 2))
    with pytest.raises(ValueError, match=r"of three channels; got \(1, 1, 2, 2\)"):
        normalized(Split(torch.zeros(1, 1, 2, 2), torch.zeros(1)))


def coloured(num=70):
    """Return a data set of colour images, random but for a hint of the class."""
    images = torch.rand(num, 3, 6, 6, generator=generator("coloured"))
    labels = torch.arange(num) % 10
    return images, labels


@pytest.fixture
def fake(monkeypatch):
    """Let `CroppedImages` read made-up images."""
    images, labels = coloured()
    split = Split(images, labels)
    made = Dataset(split, split, split, digest="made", num_classes=10)
    monkeypatch.setattr(augmentation.Images, "load", lambda *_: made)
    augmentation._load.cache_clear()
    yield
    augmentation._load.cache_clear()


def part(**fields):
    digest = source_of("cifar10").digest
    return CroppedImages(
        dataset="cifar10", train_size=70, subset_seed=0, image_size=32, digest=digest,
        **fields,
    )  # fmt: skip


def weights(data, config, **options):
    network = loop.new_network(config, data)
    list(loop.train(network, data, config, **options))
    return flat_parameters(network)


def small(**training):
    """Return a config of few steps, whose data is given to `train` apart."""
    config = tiny.training(num_epochs=4, **training)
    return dataclasses.replace(config, optimizer=SGD(lr=0.1))


def test_fresh_shifts_change_from_step_to_step_and_resume(fake):
    data, config = part(padding=1).load(), small()
    assert data.shift == 1 and not data.views
    once, again = weights(data, config), weights(data, config)
    assert torch.equal(once, again)
    still = dataclasses.replace(data, shift=None)
    assert not torch.equal(once, weights(still, config))
    top = dataclasses.replace(config, updates=TopK(k=1))
    torch.testing.assert_close(
        weights(data, top), weights(data, top, cache_bytes=0), rtol=0, atol=0
    )  # nothing could be kept


def test_views_are_taken_in_turn_and_can_be_kept(fake):
    data, config = part(padding=1, num_views=2).load(), small()
    assert data.shift is None and len(data.views) == 2
    one, two = (view.images for view in data.views)
    assert not torch.equal(one, two)
    assert torch.equal(one, part(padding=1, num_views=3).load().views[0].images)

    def losses(views):
        given = dataclasses.replace(data, views=views)
        epochs = loop.train(loop.new_network(config, data), given, config)
        return [epoch.train_loss for epoch in epochs]

    first, second = data.views
    in_turn = losses((first, second))
    assert in_turn[:1] == losses((first,))[:1] != losses((second,))[:1]
    assert in_turn[:2] == losses((first, second, first))[:2] != losses((first,))[:2]
    assert in_turn[:3] == losses((first, second, first))[:3]
    assert in_turn[:3] != losses((first, second, second))[:3]
    top = dataclasses.replace(config, updates=TopK(k=1))
    kept, anew = weights(data, top), weights(data, top, cache_bytes=0)
    torch.testing.assert_close(kept, anew)
