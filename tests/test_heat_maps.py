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
from tests.test_widgets import image_of


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
    buttons, control, chosen = heat_maps.heat_map_slider(results).children
    assert [label for label, _ in buttons.options] == ["1 %", "10 %", "30 %"]
    assert [label for label, _ in control.options] == ["6", "12"]
    assert len(chosen.children) == 3
    alt = image_of(chosen.children[0].children[1])["alt"] or ""
    assert alt.startswith("Heat maps of width 12, α = 1 %: weights are active in ")
    assert alt.count(",") == 4


def test_records_without_maps_are_a_sentence(results, store):
    for path in store.folder.glob("*.npz"):
        path.unlink()
    assert heat_maps.heat_map_slider(results).value == "Not run yet."


def test_learning_rates_are_not_averaged(results, store):
    other = tiny.config(model=ReluNet(width=6, depth=2), optimizer=Adam(lr=0.001))
    both = tiny.results(store, *tiny.WIDTHS, other, measures=(Activity,))
    with pytest.raises(ValueError, match="lr must be one value"):
        heat_maps.heat_map_slider(both)
    _, control, _ = heat_maps.heat_map_slider(both, lr=0.001).children
    assert [label for label, _ in control.options] == ["6"]
