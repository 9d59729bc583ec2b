import base64
import html.parser
import io

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from ipywidgets.embed import dependency_state
from PIL import Image

from lazyrich_helpers import plots, widgets
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


def test_slider_has_a_picture_with_alt_text_per_position(table):  # noqa: F811
    control, stack = widgets.reinit_slider(table).children
    assert len(stack.children) == len(control.options) == 3
    assert [label for label, _ in control.options] == ["0 %", "10 %", "100 %"]
    alts = [image_of(picture)["alt"] for picture in stack.children]
    assert alts[1] == (
        "γ = 10 % of the most active parameters reset: "
        "test accuracy 50 % at width 10, 30 % at width 100."
    )


def test_pictures_are_the_figures(table):  # noqa: F811
    picture = widgets.reinit_slider(table).children[1].children[1]
    source = image_of(picture)["src"] or ""
    shown = Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))
    fig = plots.reinit_frame(table, 0.1)
    direct = io.BytesIO()
    fig.savefig(direct, dpi=widgets.FRAME_DPI)
    plt.close(fig)
    expected = Image.open(direct).convert("RGB")
    assert np.array_equal(np.asarray(shown.convert("RGB")), np.asarray(expected))


def test_slider_is_linked_without_a_kernel(table):  # noqa: F811
    box = widgets.reinit_slider(table)
    control, stack = box.children
    page = dependency_state([box], drop_defaults=False)  # what a built page holds
    (link,) = [m["state"] for m in page.values() if m["model_name"] == "LinkModel"]
    assert link["source"] == [f"IPY_MODEL_{control.model_id}", "index"]
    assert link["target"] == [f"IPY_MODEL_{stack.model_id}", "selected_index"]


def test_alt_text_is_escaped():
    fig = plt.figure()
    box = widgets.slider("x", [widgets.Frame("a", 'less "than" <b>', fig)])
    assert image_of(box.children[1].children[0])["alt"] == 'less "than" <b>'


def test_no_records_are_a_sentence(table):  # noqa: F811
    assert widgets.reinit_slider(table.iloc[:0]).value == "Not run yet."
