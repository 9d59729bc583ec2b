import numpy as np
import pytest

from lazyrich_helpers.notebook.reinit_view import Pick, ReinitView, recorded_pick
from tests.test_plots import table  # noqa: F401  (a fixture)

ORANGE, GREY = (255, 127, 14), (209, 209, 209)


def picks(fraction: float) -> dict[str, Pick]:
    return {s: Pick(fraction, {10: 50.0}, "note") for s in ("active", "lazy")}


def strip_colors(image: np.ndarray) -> list[list[int]]:
    """Return how many pixels of each strip are orange and grey."""
    half = len(image) // 2
    parts = image[: half // 4], image[half : half + half // 4]
    return [
        [int((part == color).all(-1).sum(1).max()) for color in (ORANGE, GREY)]
        for part in parts
    ]


def test_pick_is_the_mean_over_seeds_with_its_n(table):  # noqa: F811
    pick = recorded_pick(table, "lazy", 0.1)
    assert pick.accuracies == pytest.approx({10: 50, 100: 30})
    assert pick.note == "500 test images, n = 2"


def test_unequal_numbers_of_seeds_are_said(table):  # noqa: F811
    fewer = table[(table.width == 10) | (table.seed == 0)]
    assert recorded_pick(fewer, "active", 0.1).note.endswith("n = 1 to 2")


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_orange_is_the_share_that_is_reset(table, fraction):  # noqa: F811
    image = np.asarray(ReinitView(table).picture(picks(fraction)))
    for (orange, grey), reset in zip(
        strip_colors(image), (fraction, 1 - fraction), strict=True
    ):
        # Where the line through the curves meets a strip, a pixel or two are its.
        assert orange / (orange + grey) == pytest.approx(reset, abs=0.02)


def test_nothing_of_a_picture_stays_for_the_next(table):  # noqa: F811
    view = ReinitView(table)
    first = view.picture(picks(0.1))
    other = view.picture(picks(0.5))
    again = view.picture(picks(0.1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_learning_rates_are_not_mixed(table):  # noqa: F811
    import pandas as pd

    mixed = pd.concat([table.assign(lr=0.1), table.assign(lr=0.01)])
    with pytest.raises(ValueError, match="lr must be one value"):
        ReinitView(mixed)
