"""Heat maps of where a network's active parameters are: a rectangle per layer."""

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image

from lazyrich_helpers.analysis.figure_style import DPI, WIDTH

SHADES = "cividis"
"""Dark where never active, light where always: the same in any kind of vision."""
MAP_ROOM, GAP = 4.25, 0.1
"""Inches for all layers side by side, and between two of them."""
THINNEST, NARROWEST = 0.06, 0.2
"""Least height and width of a layer in inches: ten rows of a top layer must be seen."""
LOWEST = 0.6
"""Least height in inches of the highest layer."""


def rectangle_sizes(shapes: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """Return width and height, in inches, at which matrices (rows, columns) are drawn.

    One scale for all columns, and for all rows the same one, unless the highest would
    then be lower than `LOWEST`: then rows are stretched. What would still be too narrow
    or too thin to see gets the least size that can be seen, at the widest one's cost.
    """
    room = MAP_ROOM - GAP * (len(shapes) - 1)
    scale = room / sum(columns for _, columns in shapes)
    widths = np.array([columns * scale for _, columns in shapes])
    widths = np.maximum(widths, NARROWEST)
    widths[widths.argmax()] -= widths.sum() - room
    heights = np.array([rows * scale for rows, _ in shapes])
    heights *= max(1.0, LOWEST / heights.max())
    heights = np.maximum(heights, THINNEST)
    return list(zip(widths.tolist(), heights.tolist(), strict=True))


def heat_map_image(
    maps: Sequence[np.ndarray],
    shapes: Sequence[tuple[int, int]],
    alpha: int,
    *,
    least_height: float = 0.0,
) -> Image.Image:
    """Return one network's heat maps, a rectangle per layer, bottom first.

    They are to scale where `rectangle_sizes` can have them so.

    Args:
        maps: Per layer, how often its weights are active, 0 to 1, pooled, (rows,
            columns): outputs downwards, inputs to the right.
        shapes: Per layer, the weight matrix's own shape (out, in).
        alpha: In percent, for the title.
        least_height: In inches, so that several pictures can be of one size.

    Source: Li & Banerjee (2021), Figures 5 and 6.
    """
    sizes = rectangle_sizes(shapes)
    tallest = max(height for _, height in sizes)
    tall = max(tallest + 0.8, least_height)  # with a title and the layers' numbers
    figure = Figure(figsize=(WIDTH, tall), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    shades = ScalarMappable(Normalize(0, 100), SHADES)
    left, middle = 0.1, 0.3 + tallest / 2
    for index, (values, (width, height)) in enumerate(zip(maps, sizes, strict=True)):
        inches = (left, middle - height / 2, width, height)
        ax = figure.add_axes(np.divide(inches, (WIDTH, tall, WIDTH, tall)).tolist())
        ax.imshow(100 * values, cmap=shades.cmap, vmin=0, vmax=100, aspect="auto")
        ax.set_xticks([])
        ax.set_yticks([])
        figure.text((left + width / 2) / WIDTH, 0.1 / tall, str(index + 1), ha="center")
        left += width + GAP
    bar = figure.add_axes((0.87, 0.3 / tall, 0.015, tallest / tall))
    figure.colorbar(shades, cax=bar, ticks=[0, 50, 100], format="%d %%")
    listed = ", ".join(f"{rows}×{columns}" for rows, columns in shapes)
    figure.text(0.02, 1 - 0.2 / tall, f"α = {alpha} %; {listed}", fontsize="small")
    canvas.draw()
    return Image.fromarray(np.array(canvas.buffer_rgba())).convert("RGB")
