import base64
import dataclasses
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib import colormaps
from PIL import Image

from lazyrich_helpers.data.datasets import Split
from lazyrich_helpers.notebook import pictures
from lazyrich_helpers.runner.kept import load_trained
from tests import tiny


@pytest.fixture
def trained(store):
    tiny.finish(store)
    record = store.read(tiny.CONFIG.run_id)
    return load_trained(record, store, "cpu")


def test_samples_are_of_their_class(trained):
    data = trained.data
    found = pictures.samples(data.train, data.num_classes, each=3)
    assert found.shape == (10, 3, 1, 8, 8)
    for label, images in enumerate(found):
        for image in images:
            (place,) = (data.train.images == image).flatten(1).all(1).nonzero()[:1]
            assert data.train.labels[place] == label


def test_more_samples_than_there_are_is_a_sentence(trained):
    with pytest.raises(ValueError, match=r"each must be at most 20, .* got 21"):
        pictures.samples(trained.data.train, 10, each=21)


def test_each_data_set_is_below_the_last(trained):
    data = trained.data
    light = Split(1 - data.train.images, data.train.labels)
    other = dataclasses.replace(data, train=light)
    fig = pictures.sample_figure(data, other, each=2)
    shown = [np.asarray(ax.images[0].get_array()) for ax in fig.axes]
    assert len(shown) == 40
    for dark, inverse in zip(shown[:20], shown[20:], strict=True):
        assert np.allclose(dark, 1 - inverse)
    (first,) = pictures.samples(data.train, 10, each=1)[0]
    assert np.array_equal(shown[0].squeeze(), first[0].numpy())
    plt.close("all")


def test_weight_images_are_rows_of_the_first_layer(trained):
    weight = trained.network.layers[0][1].weight
    units = torch.tensor([3, 0])
    images = pictures.weight_images(trained.final, trained, units)
    assert images.shape == (2, 8, 8)
    assert np.array_equal(images[0].ravel(), weight[3].detach().numpy())


def test_units_come_in_the_order_they_moved(trained):
    units = pictures.most_moved_units(trained, 12)
    size = 64 * 12
    moved = (trained.final - trained.initial)[:size].view(12, 64).norm(dim=1)
    assert sorted(units.tolist()) == list(range(12))
    assert (moved[units].diff() <= 0).all()


def pixels(source: str) -> np.ndarray:
    data = base64.b64decode(source.removeprefix("data:image/webp;base64,"))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_frames_go_from_trained_to_initial_weights(trained):
    made = pictures.first_layer_slider(trained)
    assert made.data["controls"][0]["labels"][:2] == ["0 %", "0.1 %"]
    frames = [made.data["frames"][f"0,{i}"] for i in range(len(pictures.SHARES))]
    shares = [float(f["words"].split(", ")[1].split(" %")[0]) for f in frames]
    assert shares == sorted(shares) and shares[-1] == 100
    before, after, first = (image["source"] for image in frames[0]["images"])
    *same, last = (image["source"] for image in frames[-1]["images"])
    assert same == [before, after] and first == after and last == before != after


def test_shades_are_the_colormaps():
    ramp = pixels(pictures.shaded(np.linspace(0, 1, 32)[None], pictures.WEIGHTS))
    colors = colormaps[pictures.WEIGHTS](np.linspace(0, 1, 32))[:, :3]
    assert (ramp[0] == (255 * colors).round()).all()  # nothing lost in packing
    drawn = pixels(pictures.shaded(np.array([[0.0, 0.5, 1.0]]), pictures.WEIGHTS))
    low, middle, high = drawn[0].tolist()
    assert low[2] > low[0] and high[0] > high[2] and min(middle) > 230
