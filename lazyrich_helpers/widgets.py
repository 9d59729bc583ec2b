"""The figure functions under sliders that need neither a kernel nor a network."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import ipywidgets
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from lazyrich_helpers import plots
from lazyrich_helpers.reinit import percent_label

FRAME_DPI = 110


@dataclass(frozen=True)
class Frame:
    """One position of a slider."""

    label: str
    alt: str
    """The picture in words."""
    figure: Figure


def slider(description: str, frames: Sequence[Frame]) -> ipywidgets.VBox:
    """Return a slider over pictures drawn beforehand; it also works in a built page.

    The pictures travel inside the widget and the browser alone switches between them.
    Closes the figures.
    """
    shared = ipywidgets.Layout()  # one for all: each costs space in the page
    pictures = [ipywidgets.HTML(_picture(frame), layout=shared) for frame in frames]
    control = ipywidgets.SelectionSlider(
        options=[(frame.label, i) for i, frame in enumerate(frames)],
        index=0,
        description=description,
        layout=ipywidgets.Layout(width="100%", max_width="36rem"),
    )
    stack = ipywidgets.Stack(children=pictures, selected_index=0)
    ipywidgets.jslink((control, "index"), (stack, "selected_index"))
    return ipywidgets.VBox([control, stack])


def _picture(frame: Frame) -> str:
    png, webp = io.BytesIO(), io.BytesIO()
    frame.figure.savefig(png, dpi=FRAME_DPI)
    plt.close(frame.figure)
    Image.open(png).convert("RGB").save(webp, "WEBP", lossless=True, method=2)
    data = base64.b64encode(webp.getvalue()).decode()
    alt = escape(frame.alt)
    style = "max-width:100%;height:auto"
    source = f"data:image/webp;base64,{data}"
    return f'<img class="frame" alt="{alt}" style="{style}" src="{source}">'


def reinit_slider(table: pd.DataFrame) -> ipywidgets.VBox | ipywidgets.HTML:
    """Return the γ slider over `plots.reinit_frame`, at the logarithmic fractions."""
    if table.empty:
        return ipywidgets.HTML("Not run yet.")
    chosen = table.loc[table.scenario == "active"]
    widths = sorted(chosen.width.unique())
    frames = []
    for fraction in _log_fractions(chosen):
        label = percent_label(fraction)
        values = ", ".join(
            f"{plots.accuracy_at(chosen, w, fraction):.0f} % at width {w}"
            for w in widths
        )
        alt = (
            f"γ = {label} of the most active parameters reset: test accuracy {values}."
        )
        frames.append(Frame(label, alt, plots.reinit_frame(table, fraction)))
    return slider("γ", frames)


def _log_fractions(table: pd.DataFrame) -> list[float]:
    """Return 0 and two fractions a decade, from 0.001 % to 100 %."""
    wanted = [0.0, *(float(f"{10 ** (k / 2):.6g}") for k in range(-10, 1))]
    return [fraction for fraction in wanted if fraction in set(table.fraction)]
