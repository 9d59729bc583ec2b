"""Images as images: samples of the data, and a first layer's weights."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from lazyrich_helpers.analysis.figure_style import DPI
from lazyrich_helpers.data.datasets import Dataset, Split
from lazyrich_helpers.notebook.widgets import Frame
from lazyrich_helpers.reinit.reinitialization import (
    movement_order,
    percent_label,
    reinitialized,
)
from lazyrich_helpers.training.loop import Trained

NUM_UNITS = 6
SHARES = (0.0, 0.001, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Values of γ that `weight_frames` shows."""


def samples(split: Split, num_classes: int, *, each: int) -> Tensor:
    """Return the first `each` images of every class, (num_classes, each, c, h, w).

    Raises:
        ValueError: If a class has fewer.
    """
    rows = []
    for label in range(num_classes):
        found = split.images[split.labels == label][:each]
        if len(found) < each:
            raise ValueError(
                f"each must be at most {len(found)}, the images of class {label}; "
                f"got {each}."
            )
        rows.append(found)
    return torch.stack(rows)


def sample_figure(*sets: Dataset, each: int = 4) -> Figure:
    """Return training images, a column per class, each data set below the last."""
    num_classes = max(data.num_classes for data in sets)
    num_rows = each * len(sets)
    figure, axes = plt.subplots(
        num_rows,
        num_classes,
        figsize=(5.2, 0.56 * num_rows),
        layout="constrained",
        squeeze=False,
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for data, rows in zip(sets, axes.reshape(len(sets), each, -1), strict=True):
        images = samples(data.train, data.num_classes, each=each)
        for label, column in enumerate(images.cpu()):
            for ax, image in zip(rows[:, label], column, strict=True):
                shown = image.permute(1, 2, 0).numpy()
                ax.imshow(shown, cmap="gray_r", vmin=0, vmax=1)
    return figure


def weight_images(parameters: Tensor, trained: Trained, units: Tensor) -> np.ndarray:
    """Return the incoming weights of some units of layer 0, (units, height, width).

    Args:
        parameters: All parameters of the network (p,), bottom first.
        trained: Says how they are laid out; layer 0 has to be fully connected.
        units: Which units, (units,), int64. Channels are averaged.
    """
    shape = trained.data.image_shape
    weight = next(iter(trained.network.parameters()))
    rows = parameters[: weight.numel()].view(weight.shape)[units]
    return rows.view(-1, *shape).mean(1).cpu().numpy()


def most_moved_units(trained: Trained, num_units: int) -> Tensor:
    """Return the units of layer 0 whose incoming weights moved farthest, (units,)."""
    weight = next(iter(trained.network.parameters()))
    moved = (trained.final - trained.initial)[: weight.numel()].view(weight.shape)
    return moved.norm(dim=1).argsort(descending=True, stable=True)[:num_units]


def weight_frames(trained: Trained) -> list[Frame]:
    """Return the first layer before, after and re-initialized, at each of `SHARES`."""
    units = most_moved_units(trained, NUM_UNITS)
    order = movement_order(trained.initial, trained.final)
    before = weight_images(trained.initial, trained, units)
    after = weight_images(trained.final, trained, units)
    limit = float(np.abs(np.stack([before, after])).max())
    frames = []
    for share in SHARES:
        reset = reinitialized(
            trained.initial, trained.final, order, fraction=share, scenario="active"
        )
        label = percent_label(share)
        now = weight_images(reset, trained, units)
        back = float((now == before).mean())
        alt = (
            f"Weights of {len(units)} units of the first layer, as images. At γ = "
            f"{label}, {100 * back:.0f} % of them equal their initial values."
        )
        rows = {"before": before, "after": after, "reset": now}
        frames.append(Frame(label, alt, _drawn(rows, limit)))
    return frames


def _drawn(rows: Mapping[str, np.ndarray], limit: float) -> Image.Image:
    figure = Figure(figsize=(5.2, 3.0), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    scale = Normalize(-limit, limit)
    shades = ScalarMappable(scale, "RdBu_r")
    for place, (name, images) in enumerate(rows.items()):
        # Units side by side in one image: axes are what takes the time to draw.
        padded = np.pad(images, ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
        strip = np.concatenate(list(padded), axis=1)[:, :-1]
        ax = figure.add_axes((0.12, 0.68 - 0.32 * place, 0.77, 0.3))
        ax.imshow(strip, cmap=shades.cmap, norm=scale)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
    bar = figure.add_axes((0.91, 0.06, 0.015, 0.9))
    figure.colorbar(shades, cax=bar, ticks=[-limit, 0, limit], format="%.1f")
    canvas.draw()
    return Image.fromarray(np.array(canvas.buffer_rgba())).convert("RGB")
