import base64
import html.parser
import io

import ipywidgets
import numpy as np
import pandas as pd
from ipywidgets.embed import dependency_state
from PIL import Image

from lazyrich_helpers.notebook import widgets
from lazyrich_helpers.notebook.reinit_view import ReinitView, recorded_pick
from tests.test_plots import table  # noqa: F401  (a fixture)


class Images(html.parser.HTMLParser):
    """Collects the attributes of <img> tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.found.append(dict(attrs))


def image_of(picture: ipywidgets.HTML) -> dict[str, str | None]:
    (image,) = Images(picture.value).found
    return image


def pixels(picture: ipywidgets.HTML) -> np.ndarray:
    source = image_of(picture)["src"] or ""
    shown = Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))
    return np.asarray(shown.convert("RGB")).astype(int)


def frame(label: str, color: str) -> widgets.Frame:
    return widgets.Frame(label, f"all {color}", Image.new("RGB", (8, 8), color))


def test_slider_has_a_picture_with_alt_text_per_position(table):  # noqa: F811
    control, stack = widgets.reinit_slider(table).children
    assert len(stack.children) == len(control.options) == 3
    assert [label for label, _ in control.options] == ["0 %", "10 %", "100 %"]
    alts = [image_of(picture)["alt"] for picture in stack.children]
    assert alts[1] == (
        "γ = 10 % of the parameters reset: "
        "test accuracy 50 % at width 10, 30 % at width 100. "
        "ε = 10 % kept: test accuracy 50 % at width 10, 30 % at width 100."
    )


def test_pictures_are_the_figures(table):  # noqa: F811
    shown = pixels(widgets.reinit_slider(table).children[1].children[1])
    picks = {s: recorded_pick(table, s, 0.1) for s in ("active", "lazy")}
    expected = np.asarray(ReinitView(table).picture(picks)).astype(int)
    assert np.abs(shown - expected).max() < 32  # 128 colours stand for them all
    assert np.abs(shown - expected).mean() < 1


def test_every_position_is_linked_without_a_kernel(table):  # noqa: F811
    both = pd.concat([table.assign(lr=0.1), table.assign(lr=0.01)])
    box = widgets.reinit_slider(both)
    buttons, control, chosen = box.children
    assert [label for label, _ in buttons.options] == ["0.1", "0.01"]
    page = dependency_state([box], drop_defaults=False)  # what a built page holds
    links = [m["state"] for m in page.values() if m["model_name"] == "LinkModel"]
    found = {(*link["source"], *link["target"]) for link in links}
    slides = {
        (f"IPY_MODEL_{control.model_id}", "index", f"IPY_MODEL_{s.model_id}")
        for s in chosen.children
    }
    assert found == {(*slide, "selected_index") for slide in slides} | {
        (
            f"IPY_MODEL_{buttons.model_id}",
            "index",
            f"IPY_MODEL_{chosen.model_id}",
            "selected_index",
        )
    }


def test_one_row_needs_no_buttons():
    box = widgets.slider("x", {"only": [frame("a", "red"), frame("b", "blue")]})
    control, stack = box.children
    assert isinstance(control, ipywidgets.SelectionSlider)
    assert [pixels(p)[0, 0].tolist() for p in stack.children] == [
        [255, 0, 0],
        [0, 0, 255],
    ]


def test_a_slider_can_start_anywhere():
    frames = [frame("a", "red"), frame("b", "blue")]
    control, stack = widgets.slider("x", {"only": frames}, start=1).children
    assert control.index == stack.selected_index == 1


def test_alt_text_is_escaped():
    text = widgets.picture(Image.new("RGB", (4, 4)), 'less "than" <b>')
    assert image_of(ipywidgets.HTML(text))["alt"] == 'less "than" <b>'


def test_no_records_are_a_sentence(table):  # noqa: F811
    assert widgets.reinit_slider(table.iloc[:0]).value == "Not run yet."
