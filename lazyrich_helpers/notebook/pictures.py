"""Images as images: samples of the data, and a first layer's weights."""

import base64
import io
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from lazyrich_helpers.data.datasets import Dataset, Split
from lazyrich_helpers.notebook.widgets import Explorer, slider
from lazyrich_helpers.reinit.reinitialization import (
    movement_order,
    percent_label,
    reinitialized,
)
from lazyrich_helpers.training.loop import Trained

NUM_UNITS = 6
SHARES = (0.0, 0.001, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Values of γ that `first_layer_slider` shows."""
WEIGHTS = "RdBu_r"
"""Blue where negative, red where positive."""


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
        num_rows, num_classes, figsize=(5.2, 0.56 * num_rows), squeeze=False,
        layout="constrained",
    )  # fmt: skip
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

    Of all parameters (p,), bottom first, laid out as in `trained`; layer 0 has to be
    fully connected. Channels are averaged.
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


def first_layer_slider(trained: Trained) -> Explorer:
    """Return a slider over γ: the first layer before, after and re-initialized."""
    units = most_moved_units(trained, NUM_UNITS)
    order = movement_order(trained.initial, trained.final)
    before = weight_images(trained.initial, trained, units)
    after = weight_images(trained.final, trained, units)
    limit = float(np.abs(np.stack([before, after])).max())
    frames = {}
    for place, share in enumerate(SHARES):
        reset = reinitialized(
            trained.initial, trained.final, order, fraction=share, scenario="active"
        )
        now = weight_images(reset, trained, units)
        rows = {"before training": before, "after it": after, "re-initialized": now}
        back = 100 * float((now == before).mean())
        frames[f"0,{place}"] = {
            "images": [_row(name, images / limit) for name, images in rows.items()],
            "words": f"At γ = {percent_label(share)}, {back:.0f} % of the weights that "
            "are shown equal their initial values.",
        }
    controls = [slider("stop", "γ", map(percent_label, SHARES))]
    ramp = shaded(np.linspace(0, 1, 32)[None], WEIGHTS)
    scale = {"image": ramp, "low": f"−{limit:.2g}", "high": f"{limit:.2g}"}
    start = {"stop": SHARES.index(0.1)}
    return Explorer("frames", controls, {"frames": frames, "scale": scale}, start)


def _row(name: str, images: np.ndarray) -> dict[str, Any]:
    """Return units side by side, of weights from −1 to 1, with a gap between two."""
    padded = np.pad(images, ((0, 0), (0, 0), (0, 1)))
    strip = np.concatenate(list(padded), axis=1)[:, :-1]
    height, width = strip.shape
    picture = {"source": shaded((strip + 1) / 2, WEIGHTS), "label": name}
    alt = f"Weights of {len(images)} units of the first layer, {name}."
    return picture | {"width": 540, "height": round(540 * height / width), "alt": alt}


def shaded(values: np.ndarray, shades: str) -> str:
    """Return values from 0 to 1 as a picture of as many pixels, a data URI.

    It has 16 shades where they are of one hue, of a diverging map 32.
    """
    count = 32 if shades == WEIGHTS else 16
    levels = np.clip(values * count, 0, count - 1).astype(np.uint8)
    return paletted(levels, colormaps[shades](np.linspace(0, 1, count))[:, :3])


def paletted(levels: np.ndarray, colors: np.ndarray) -> str:
    """Return a picture as a data URI: for each pixel, uint8, one of colours (k, 3)."""
    image = Image.fromarray(levels, "P")
    image.putpalette((255 * colors).round().astype(np.uint8).tobytes())
    # Smallest for so few pixels: its header and palette are.
    webp = io.BytesIO()
    image.convert("RGB").save(webp, "WEBP", lossless=True, quality=100, method=6)
    return "data:image/webp;base64," + base64.b64encode(webp.getvalue()).decode()
