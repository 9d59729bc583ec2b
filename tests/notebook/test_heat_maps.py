import numpy as np
import pytest

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.measures.activity import PERCENTS, Activity
from lazyrich_helpers.models.convnets import VGG5, ConvNet
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.models.resnet import ResNet18
from lazyrich_helpers.notebook import heat_maps
from lazyrich_helpers.training.optimizers import Adam
from tests import tiny


@pytest.fixture
def results(store, monkeypatch):
    monkeypatch.setattr(heat_maps, "store_for", lambda _: store)
    return tiny.results(store, *tiny.WIDTHS, measures=(Activity,))


def test_shapes_are_the_weight_matrices(offline):
    def shapes(config):
        return heat_maps.layer_shapes(tiny.record(config))

    assert shapes(tiny.CONFIG) == [(12, 64), (12, 12), (10, 12)]
    conv = tiny.config(model=ConvNet(width=3, depth=2))
    assert shapes(conv) == [(3, 9), (3, 27), (10, 3 * 2 * 2)]
    norm = tiny.config(model=VGG5(width=2, batch_norm=True))
    expected = [(2, 9), (2, 18), (4, 18), (4, 36), (8, 36), *[(8, 72)] * 5]
    expected += [(16, 8), (10, 16)]
    assert shapes(norm) == expected
    colour = tiny.config(data=images("cifar10", train_size=200))  # not there, offline
    assert shapes(colour)[0] == (12, 3 * 32 * 32)


def test_layers_of_several_matrices_are_a_sentence():
    blocks = tiny.config(model=ResNet18(width=2))
    with pytest.raises(ValueError, match=r"one weight matrix a layer.* got 'resnet18'"):
        heat_maps.layer_shapes(tiny.record(blocks))


def test_maps_are_the_mean_over_seeds_and_agree_with_the_counts(results, store):
    records = results.records[:2]
    for alpha, place in zip(PERCENTS, range(3), strict=True):
        maps = heat_maps.mean_maps(records, store, alpha)
        assert [m.shape for m in maps] == [(6, 64), (6, 6), (10, 6)]
        for layer, found in enumerate(maps):
            counts = [r.measures["activity"]["layers"][layer] for r in records]
            means = [c["gradient"][place] / (3 * c["num_weights"]) for c in counts]
            assert found.mean() == pytest.approx(np.mean(means), abs=2 / 255)


def test_slider_has_a_position_per_width_and_a_button_per_alpha(results):
    made = heat_maps.heat_map_slider(results)
    labels = {c["name"]: c["labels"] for c in made.data["controls"]}
    assert labels == {"stop": ["6", "12"], "row": ["1 %", "10 %", "30 %"]}
    assert made.chosen("stop") == "12"
    assert heat_maps.heat_map_slider(results, start=6).chosen("stop") == "6"
    assert len(made.data["frames"]) == 6
    frame = made.data["frames"]["0,1"]
    assert frame["words"].startswith("Weights are active in ")
    assert frame["words"].count(",") == 3
    assert frame["images"][0]["alt"].startswith("Layer 1, 12×64: ")


def test_large_maps_are_averaged_over_blocks(monkeypatch):
    values = np.arange(90.0).reshape(9, 10)
    assert np.array_equal(heat_maps.block_means(values), values)
    monkeypatch.setattr(heat_maps, "MOST_ROWS", 3)
    monkeypatch.setattr(heat_maps, "MOST_COLUMNS", 5)
    means = heat_maps.block_means(values)
    assert np.array_equal(means, values.reshape(3, 3, 5, 2).mean((1, 3)))


def test_rectangles_are_to_scale_as_far_as_they_can_be_seen():
    wide = heat_maps.rectangle_sizes([(1000, 784), (1000, 1000), (10, 1000)])
    assert wide[0][0] / wide[0][1] == pytest.approx(0.784, abs=0.01)
    assert wide[2] == (wide[1][0], heat_maps.THINNEST)
    low = heat_maps.rectangle_sizes([(50, 9), (50, 450), (10, 2450)])
    assert low[0] == (heat_maps.NARROWEST, heat_maps.LOWEST)
    assert low[2][0] / low[1][0] == pytest.approx(2450 / 450, rel=0.02)


def test_records_without_maps_are_a_sentence(results, store):
    for path in store.folder.glob("*.npz"):
        path.unlink()
    assert heat_maps.heat_map_slider(results).data == "Not run yet."


def test_learning_rates_are_not_averaged(results, store):
    other = tiny.config(model=ReluNet(width=6, depth=2), optimizer=Adam(lr=0.001))
    both = tiny.results(store, *tiny.WIDTHS, other, measures=(Activity,))
    with pytest.raises(ValueError, match="lr must be one value"):
        heat_maps.heat_map_slider(both)
    made = heat_maps.heat_map_slider(both, lr=0.001)
    assert made.data["controls"][0]["labels"] == ["6"]
