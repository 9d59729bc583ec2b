"""The built book, as a reader without kernel or network meets it."""

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import Locator

from lazyrich_helpers.analysis.claims.verdicts import MOST_WORDS, num_words
from tests import browser as chromium
from tests.tiny import ROOT


def names_in_toc() -> list[str]:
    """Every page that `_toc.yml` lists, in any of its nested forms."""

    def walk(node) -> Iterator[str]:
        if isinstance(node, list):
            for item in node:
                yield from walk(item)
        elif isinstance(node, dict):
            for key, value in node.items():
                if key in ("root", "file"):
                    yield value
                else:
                    yield from walk(value)

    return list(walk(yaml.safe_load((ROOT / "_toc.yml").read_text())))


PAGES = names_in_toc()


@pytest.fixture(scope="session")
def book(tmp_path_factory) -> Path:
    """The book's `html` folder: that of `LAZYRICH_BUILT`, or built here, smallest."""
    if built := os.environ.get("LAZYRICH_BUILT"):
        return ROOT / built
    folder = tmp_path_factory.mktemp("book")
    environment = os.environ | {
        "LAZYRICH_BUDGET": "smoke",
        "LAZYRICH_STORE": str(folder / "store"),
    }
    program = Path(sys.executable).with_name("jupyter-book")
    command = [str(program), "build", str(ROOT)]
    options = ["-n", "-W", "--keep-going", "--path-output", str(folder)]
    done = subprocess.run(
        command + options,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return folder / "_build" / "html"


@pytest.fixture(scope="session")
def server(book) -> Iterator[str]:
    """Address of a web server over the book, so that both ways to read are tried."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(book))
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://localhost:{served.server_port}"
        served.shutdown()


@pytest.fixture
def address(request, book) -> str:
    """Where the book begins: on disk or, by indirect parameter, on the server."""
    if not (book / "_static" / "lib" / "require.js").exists():
        pytest.skip("Page tests need the scripts that npm fetches over a network.")
    if getattr(request, "param", "file") == "http":
        return request.getfixturevalue("server")
    return request.getfixturevalue("book").as_uri()


EVERY_PAGE = pytest.mark.parametrize("name", PAGES)


# --- What needs no browser ------------------------------------------------------------


LOADED = (
    r"<script[^>]*embed-amd",
    r"<script[^>]*widget-state\+json",
    r"<script[^>]*/require\b",
    r"<script[^>]*widgets-from-here",
)


def test_the_widget_manager_is_loaded_where_a_widget_is_and_nowhere_else(book):
    texts = {path.name: path.read_text() for path in book.rglob("*.html")}
    shown = {name for name, text in texts.items() if "widget-view+json" in text}
    assert {"04_active_parameters.html"} <= shown < texts.keys()
    for pattern in LOADED:
        found = {name for name, text in texts.items() if re.search(pattern, text)}
        assert found == shown, pattern


MOST_BYTES = 1_000_000


@EVERY_PAGE
def test_a_page_is_light(book, name):
    """With its pictures, without the libraries that all pages share."""
    page = book / f"{name}.html"
    text = page.read_text()
    pictures = {
        page.parent / src for src in re.findall(r'src="(\S+/_images/.+?)"', text)
    }
    assert len(text) + sum(each.stat().st_size for each in pictures) < MOST_BYTES


@EVERY_PAGE
def test_a_verdict_is_short(book, name):
    """Unfolded, the line of its scope with it."""
    text = (book / f"{name}.html").read_text()
    for box in text.split('<div class="verdict ')[1:]:
        shown = re.sub("<.*?>", " ", box.split(">", 1)[1].split("</summary>")[0])
        assert num_words(unescape(shown)) <= MOST_WORDS, shown


BUTTONS = r"colab\.research|mybinder\.org"


def test_no_button_leads_to_a_repository_that_is_not_named(book):
    settings = yaml.safe_load((ROOT / "_config.yml").read_text())
    pages = [path for path in book.rglob("*.html") if "book" in path.parts]
    with_buttons = {path.stem for path in pages if re.search(BUTTONS, path.read_text())}
    notebooks = {path.stem for path in (ROOT / "book").rglob("*.ipynb")}
    assert with_buttons == (notebooks if settings["repository"]["url"] else set())


def images(text: str) -> list[Tag]:
    """Return every image of a page, those inside widgets included."""
    page = BeautifulSoup(text, "html.parser")
    # A widget's HTML waits in a script, as JSON: quotes are escaped, so is "<".
    inside = [script.get_text() for script in page("script")]
    inside = [s.replace("\\u003c", "<").replace('\\"', '"') for s in inside]
    parts = [page, *(BeautifulSoup(text, "html.parser") for text in inside)]
    return [image for part in parts for image in part("img")]


@EVERY_PAGE
def test_page_is_there_and_its_images_say_what_they_show(book, name):
    page = (book / name).with_suffix(".html")
    assert page.exists()
    silent = [
        (image.get("src") or "")[:60]
        for image in images(page.read_text())
        if not (image.get("alt") or "").strip()
    ]
    assert not silent


def test_images_inside_widgets_are_looked_at():
    """The test above would be hollow if the parser did not see into widgets."""
    state = r'{"value": "<img src=\"data:,\"> <img alt=\"a curve\">"}'
    found = images(f"<script>{state}</script>")
    assert [image.get("alt") for image in found] == [None, "a curve"]


# --- What a reader meets --------------------------------------------------------------


def press(slider: Locator, key: str) -> str | None:
    """Press a key as a reader on the keyboard does; return what is then spoken."""
    slider.focus()
    slider.press(key)
    return slider.get_attribute("aria-valuetext")


HTML = "all => all.map(each => each.innerHTML)"
NAMELESS = """all => all.filter(each => each.checkVisibility() &&
    !each.ariaLabel && !each.textContent.trim()).length"""


@EVERY_PAGE
@pytest.mark.parametrize(
    ("address", "size", "theme"),
    [("file", chromium.DESKTOP, "light"), ("http", chromium.PHONE, "dark")],
    indirect=["address"],
)
def test_page_stands_without_network_and_its_sliders_move_by_keyboard(
    browser, address, name, size, theme
):
    place = f"{address}/{name}.html"
    with chromium.visit(browser, place, size=size, theme=theme) as seen:
        page = seen.page
        assert seen.outside == [], "needs a network"
        assert seen.errors == [], "raises an error"
        # `visit` has waited for every formula; none may be a red error text.
        assert page.locator("mjx-merror").count() == 0, "has a formula in error"
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        nameless = page.locator("summary").evaluate_all(NAMELESS)
        assert nameless == 0, "has folds without a name"
        strangers = page.locator("[role=list] > :not([role=listitem])")
        assert strangers.count() == 0, "has lists of what are no items"
        for explorer in page.locator(".lr-explorer").all():
            said = explorer.locator(".lr-said, .lr-row")  # or pictures
            for slider in explorer.locator("input[type=range]:visible").all():
                label = slider.evaluate("slider => slider.labels[0].innerText")
                assert label.strip(), "has a slider without a name"
                # From the right end, ArrowRight would rightly do nothing.
                first, before = press(slider, "Home"), said.evaluate_all(HTML)
                assert press(slider, "ArrowRight") != first, label
                assert said.evaluate_all(HTML) != before, label
                assert press(slider, "ArrowLeft") == first, label
        assert seen.errors == [], "raises an error as its sliders move"
        assert seen.outside == [], "needs a network as its sliders move"


@EVERY_PAGE
def test_phone_does_not_scroll_sideways_and_what_is_wider_says_that_it_does(
    browser, address, name
):
    place = f"{address}/{name}.html"
    with chromium.visit(browser, place, size=chromium.PHONE) as seen:
        width, window = seen.page.evaluate(
            "[document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert width <= window, "scrolls sideways"
        too_wide = seen.page.evaluate(
            """() => [...document.querySelectorAll(".bd-article img")]
                .filter(image => image.getBoundingClientRect().right > innerWidth)
                .filter(image => !image.closest("figure, div.cell_output"))
                .map(image => image.alt)"""
        )
        assert too_wide == [], "has images wider than the screen"
        # Times out where something that is wider does not say that it scrolls.
        seen.page.evaluate("document.fonts.ready")
        seen.page.wait_for_function(
            """() => [...document.querySelectorAll(".bd-article *")]
                .filter(each => !each.matches("pre, span.math"))
                .filter(each => each.scrollWidth > each.clientWidth + 1)
                .filter(each => getComputedStyle(each).overflowX === "auto")
                .filter(each => each.checkVisibility())
                .every(each => each.matches(".wide[tabindex='0']"))"""
        )


def test_theme_button_turns_the_page_dark_and_light(browser, address):
    with chromium.visit(browser, f"{address}/book/intro.html") as seen:
        met = set()
        for _ in range(3):  # the button goes round: system, light, dark
            seen.page.locator("button.theme-switch-button:visible").first.click()
            met.add(seen.page.evaluate("document.documentElement.dataset.theme"))
        assert met == {"light", "dark"}


def test_buttons_change_the_views_and_leave_the_slider_alone(browser, address):
    place = f"{address}/book/04_active_parameters.html"
    with chromium.visit(browser, place) as seen:
        explorer = seen.page.locator(".lr-explorer").first
        slider, curve = explorer.locator("input[type=range]"), explorer.locator("svg")
        spoken, first = press(slider.first, "End"), curve.first.inner_html()
        explorer.get_by_label("0.01", exact=True).check()
        assert curve.first.inner_html() != first
        assert slider.first.get_attribute("aria-valuetext") == spoken
        assert seen.errors == []


# --- On paper -------------------------------------------------------------------------


def test_a_page_in_the_dark_is_printed_in_the_light(browser, address):
    place = f"{address}/book/intro.html"
    theme = "document.documentElement.dataset.theme"
    with chromium.visit(browser, place, theme="dark") as seen:
        seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert seen.page.evaluate(theme) == "light"
        seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert seen.page.evaluate(theme) == "dark"


@pytest.mark.parametrize("name", ["book/04_active_parameters", "book/08_conclusion"])
def test_paper_has_all_of_what_scrolls_and_explorers_as_they_stand(
    browser, address, name
):
    with chromium.visit(browser, f"{address}/{name}.html") as seen:
        seen.page.emulate_media(media="print")
        hidden = seen.page.evaluate(
            """() => [...document.querySelectorAll(".lr-explorer, .ledger, pre")]
                .filter((element) => element.checkVisibility())
                .filter((element) => element.scrollHeight > element.clientHeight + 1
                    || element.scrollWidth > element.clientWidth + 1)
                .filter((e) => getComputedStyle(e).overflow !== "visible")
                .map((element) => element.className || element.textContent)"""
        )
        assert hidden == []
        for explorer in seen.page.locator(".lr-explorer").all():
            assert explorer.locator("svg, img").first.is_visible()
            assert not explorer.locator("input[type=range]").first.is_visible()
