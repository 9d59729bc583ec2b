"""Figures under sliders that need neither a kernel nor a network."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import ipywidgets
import pandas as pd
from PIL import Image

from lazyrich_helpers.notebook.reinit_view import Pick, ReinitView, recorded_pick
from lazyrich_helpers.reinit.reinitialization import SCENARIOS, percent_label

CONTROL = ipywidgets.Layout(width="100%", max_width="36rem")


@dataclass(frozen=True)
class Frame:
    """One position of a slider."""

    label: str
    alt: str
    """The picture in words."""
    image: Image.Image


def slider(
    description: str,
    rows: Mapping[str, Sequence[Frame]],
    *,
    choice: str = "",
    start: int = 0,
) -> ipywidgets.VBox:
    """Return a slider over pictures drawn beforehand; it also works in a built page.

    The pictures travel inside the widget and the browser alone switches between them.

    Args:
        description: The slider's label.
        rows: Name → frames, the same positions in each. More than one row puts buttons
            above the slider; its position stays when another row is chosen.
        choice: The buttons' label.
        start: Position that is shown first.
    """
    shared = ipywidgets.Layout()  # one for all: each costs space in the page
    stacks = [
        ipywidgets.Stack(
            [ipywidgets.HTML(picture(f.image, f.alt), layout=shared) for f in frames],
            selected_index=start,
        )
        for frames in rows.values()
    ]
    positions = [frame.label for frame in next(iter(rows.values()))]
    control = ipywidgets.SelectionSlider(
        options=[(label, i) for i, label in enumerate(positions)],
        index=start,
        description=description,
        layout=CONTROL,
    )
    for stack in stacks:
        ipywidgets.jslink((control, "index"), (stack, "selected_index"))
    if len(stacks) == 1:
        return ipywidgets.VBox([control, stacks[0]])
    buttons = ipywidgets.ToggleButtons(
        options=[(name, i) for i, name in enumerate(rows)],
        description=choice,
        style={"button_width": "auto"},
    )
    chosen = ipywidgets.Stack(stacks, selected_index=0)
    ipywidgets.jslink((buttons, "index"), (chosen, "selected_index"))
    return ipywidgets.VBox([buttons, control, chosen])


def picture(image: Image.Image, alt: str) -> str:
    """Return an `<img>` that holds the picture itself, in 128 colours.

    A drawing has no more to lose, and this takes a sixth of lossless WebP's time.
    """
    png = io.BytesIO()
    image.quantize(128, Image.Quantize.MAXCOVERAGE).save(png, "PNG")
    data = base64.b64encode(png.getvalue()).decode()
    style = "max-width:100%;height:auto"
    source = f"data:image/png;base64,{data}"
    return f'<img class="frame" alt="{escape(alt)}" style="{style}" src="{source}">'


def reinit_slider(table: pd.DataFrame) -> ipywidgets.VBox | ipywidgets.HTML:
    """Return the slider over `ReinitView`, at the same share for γ and ε.

    `table` is from `tables.reinit_table`; several learning rates become buttons.
    """
    if table.empty:
        return ipywidgets.HTML("Not run yet.")
    if "lr" in table:
        rates = sorted(table.lr.unique(), reverse=True)
        rows = {f"{lr:g}": _frames(table.loc[table.lr == lr]) for lr in rates}
    else:
        rows = {"": _frames(table)}
    return slider("γ = ε", rows, choice="learning rate")


def _frames(table: pd.DataFrame) -> list[Frame]:
    view = ReinitView(table)
    frames = []
    for fraction in log_fractions(table):
        picks = {s: recorded_pick(table, s, fraction) for s in SCENARIOS}
        image = view.picture(picks)
        frames.append(Frame(percent_label(fraction), in_words(picks), image))
    return frames


def log_fractions(table: pd.DataFrame) -> list[float]:
    """Return 0 and two fractions a decade, from 0.001 % to 100 %, that are recorded."""
    wanted = [0.0, *(float(f"{10 ** (k / 2):.6g}") for k in range(-10, 1))]
    return [fraction for fraction in wanted if fraction in set(table.fraction)]


def in_words(picks: Mapping[str, Pick]) -> str:
    """Return what a picture of `ReinitView` shows, for readers who do not see it."""
    verbs = {"active": "γ = {} of the parameters reset", "lazy": "ε = {} kept"}
    sentences = []
    for scenario, pick in picks.items():
        share = verbs[scenario].format(percent_label(pick.fraction))
        values = (f"{v:.0f} % at width {w}" for w, v in pick.accuracies.items())
        sentences.append(f"{share}: test accuracy {', '.join(values)}.")
    return " ".join(sentences)
