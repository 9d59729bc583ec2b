"""Heat maps are to scale as far as they can be seen."""

import numpy as np
import pytest

from lazyrich_helpers.analysis import heat_map_image as module
from lazyrich_helpers.analysis.heat_map_image import heat_map_image, rectangle_sizes


def lightest_box(image: np.ndarray) -> tuple[int, int]:
    """Return height and width in pixels of what is drawn in the brightest shade."""
    bright = (np.abs(image.astype(int) - (253, 231, 55)).sum(-1) < 40).nonzero()
    return np.ptp(bright[0]) + 1, np.ptp(bright[1]) + 1


def test_heat_maps_are_to_scale_and_bright_where_active(monkeypatch):
    monkeypatch.setattr(module, "SHADES", "viridis")
    shapes = [(100, 200), (100, 100), (10, 100)]
    boxes = []
    for lit in range(2):
        maps = [np.full((8, 8), float(i == lit)) for i in range(3)]
        picture = heat_map_image(maps, shapes, 1)
        boxes.append(lightest_box(np.asarray(picture)[:, :470]))  # less the colour bar
    (tall, wide), (same, half) = boxes
    assert tall == pytest.approx(same, abs=2)
    assert wide == pytest.approx(2 * half, abs=4)


def test_rectangles_are_to_scale_as_far_as_they_can_be_seen():
    sizes = np.array(rectangle_sizes([(50, 9), (50, 450), (10, 2450)]))
    room = module.MAP_ROOM - 2 * module.GAP
    assert sizes[:, 0].sum() == pytest.approx(room)
    assert sizes[0, 0] == module.NARROWEST  # 9 columns would be 0.01 inches
    assert sizes[1, 0] == pytest.approx(room * 450 / (9 + 450 + 2450))
    assert sizes[:, 1].tolist() == pytest.approx([0.6, 0.6, 0.12])
    wide = rectangle_sizes([(1000, 784), (1000, 1000), (10, 1000)])
    assert wide[0][0] / wide[0][1] == pytest.approx(0.784)
    assert wide[2][1] == module.THINNEST


def test_pictures_can_be_of_one_size():
    small = [(8, 8)] * 2
    maps = [np.zeros((8, 8))] * 2
    picture = heat_map_image(maps, small, 1, least_height=3.0)
    assert picture.size[1] == round(3.0 * module.DPI)
