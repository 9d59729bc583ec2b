"""Where a network is linear: the regions of a plane through three images."""

import string
from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch import Tensor

from lazyrich_helpers.papers.grokalign.measures import ImageRows, load_images
from lazyrich_helpers.papers.grokalign.nets import Weights, hidden, outputs
from lazyrich_helpers.papers.grokalign.training import (
    METHODS,
    GrokkingSettings,
    training,
)
from lazyrich_helpers.training.stack import share_correct

MARGIN = 0.4
"""How far the plane reaches beyond its images, in their distances."""
LETTERS = string.ascii_letters
LEVELS = 3
"""A pixel is at no border of a region, at one, or at several."""


@dataclass(frozen=True, kw_only=True)
class RegionSettings(GrokkingSettings):
    """One network for each method, looked at a few times."""

    methods: tuple[str, ...] = ("weight decay", "GrokAlign")
    seeds: tuple[int, ...] = (0,)
    moments: tuple[int, ...] = (0, 20, 50, 200, 500, 1000, 2000, 3000, 4500, 6500, 8000)
    """Steps after which it is looked at."""
    pixels: int = 56
    """Of the plane's picture, in either direction."""


def plane(corners: Tensor, pixels: int) -> tuple[Tensor, Tensor]:
    """Return the plane through three inputs as a grid, and where those lie in it.

    Args:
        corners: Three inputs (3, d).
        pixels: In either direction.

    Returns:
        Inputs (pixels, pixels, d), the last row at the bottom; columns and rows (3, 2)
        of the three, from 0 to 1.
    """
    start, right_one, up = corners
    across = right_one - start
    one = across / across.norm()
    rest = (up - start) - ((up - start) @ one) * one
    two = rest / rest.norm()
    at = torch.stack([(corners - start) @ one, (corners - start) @ two], 1)  # (3, 2)
    low, high = at.min(0).values, at.max(0).values
    reach = MARGIN * (high - low).max()
    side = (high - low).max() + 2 * reach
    low = (low + high - side) / 2
    steps = (torch.arange(pixels).to(corners) + 0.5) / pixels
    x, y = low[0] + side * steps, low[1] + side * steps.flip(0)
    grid = start + x[None, :, None] * one + y[:, None, None] * two
    places = (at - low) / side
    places[:, 1] = 1 - places[:, 1]
    return grid, places


def regions(weights: Weights, grid: Tensor) -> tuple[str, int]:
    """Return a picture of the first network's regions, and how many it shows.

    The picture has a letter for each pixel, row by row: number `LEVELS * class +
    border` of the alphabet, where `border` says whether none, one or more of the hidden
    units change between on and off towards the next pixel right or below.
    """
    first = [w[:1].detach() for w in weights]
    pixels = grid.shape[0]
    flat = grid.flatten(0, 1)
    on = torch.cat([z[0] > 0 for z in hidden(first, flat)], 1)  # (pixels², units)
    named = outputs(first, flat)[0].argmax(-1)
    square = on.unflatten(0, (pixels, pixels))
    changes = torch.zeros(pixels, pixels, dtype=torch.int64, device=grid.device)
    changes[:, :-1] += (square[:, 1:] != square[:, :-1]).sum(-1)
    changes[:-1] += (square[1:] != square[:-1]).sum(-1)
    codes = LEVELS * named + changes.flatten().clamp_max(LEVELS - 1)
    picture = "".join(LETTERS[code] for code in codes.tolist())
    return picture, len(torch.unique(on, dim=0))


def first_images(data: ImageRows) -> Tensor:
    """Return the first training images of classes 0, 1 and 2, (3, d)."""
    places = [int((data.train_labels == label).nonzero()[0]) for label in range(3)]
    return data.train[places]


def image_places(settings: RegionSettings) -> list[list[float]]:
    """Return where the plane's images lie in its picture, as `plane` does."""
    data = load_images(settings.dataset, settings.train_size, "cpu")
    return plane(first_images(data), settings.pixels)[1].tolist()


def region_pictures(settings: RegionSettings, name: str, device: str) -> pd.DataFrame:
    """Return a row for each moment of a method's training."""
    data = load_images(settings.dataset, settings.train_size, device)
    grid, _ = plane(first_images(data), settings.pixels)
    rows = []
    shorter = replace(settings, num_steps=max(settings.moments))
    for step, weights in training(shorter, METHODS[name], data):
        if step in settings.moments:
            picture, count = regions(weights, grid)
            with torch.no_grad():
                shares = [
                    share_correct(outputs(weights, x), y).item()
                    for x, y in (
                        (data.train, data.train_labels),
                        (data.test, data.test_labels),
                    )
                ]
            rows.append((settings.seeds[0], step, *shares, count, picture))
    names = ["seed", "step", "train", "test", "regions", "picture"]
    return pd.DataFrame(rows, columns=names).round(4)
