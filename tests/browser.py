"""A headless Chromium without network, for tests that look at built pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    sync_playwright,
)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LOCAL = ("file:", "data:", "blob:", "about:", "http://localhost:")
"""How the address of something begins that needs no network."""

DESKTOP = (1280, 900)
PHONE = (390, 844)


def chromium() -> str:
    """Return the path of a Chromium, or leave the test with one sentence."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    message = "Page tests need Chromium on PATH; on Debian: apt-get install chromium."
    if os.environ.get("LAZYRICH_REQUIRE_BROWSER") == "1":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def start() -> Iterator[Browser]:
    """Start Chromium with every name but `localhost` unknown to it."""
    options = [
        "--no-sandbox",  # which root, in a container, cannot have
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost",
    ]
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


@dataclass
class Visit:
    """One open page and what it did that a reader should never notice."""

    page: Page
    errors: list[str] = field(default_factory=list)
    """Of the console, of scripts, and of files that could not be loaded."""
    outside: list[str] = field(default_factory=list)
    """Addresses that would have needed a network."""

    def __post_init__(self) -> None:
        page = self.page
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("requestfailed", lambda request: self.errors.append(request.url))
        page.on("console", self._note_console)
        page.on("request", self._note_request)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith(LOCAL):
            self.outside.append(request.url)


@contextmanager
def visit(
    browser: Browser,
    address: str,
    *,
    size: tuple[int, int] = DESKTOP,
    theme: Literal["light", "dark"] = "light",
) -> Iterator[Visit]:
    """Open `address` and wait until its formulas and widgets stand.

    Args:
        browser: From `start`.
        address: `file:` or `http://localhost:`.
        size: Width and height of the window, in pixels.
        theme: What the reader's system prefers, "light" or "dark".
    """
    width, height = size
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme=theme
    )
    seen = Visit(page)
    page.goto(address)
    page.wait_for_function(
        """() => {
            const count = (selector) => document.querySelectorAll(selector).length;
            return count(".widget-subarea > .lm-Widget") >=
                count('script[type$="widget-view+json"]') &&
                count(".math mjx-container") >= count(".math");
        }""",
        timeout=20_000,
    )
    try:
        yield seen
    finally:
        page.close()


MODEL = """async ({ esm, css, ...values }) => {
    const told = [];
    window.model = {
        get: (name) => values[name],
        set: (name, value) => {
            values[name] = value;
            for (const [names, call] of told) {
                if (names.split(" ").includes(`change:${name}`)) call();
            }
        },
        on: (names, call) => told.push([names, call]),
        off: () => {},
        save_changes: () => {},
    };
    const style = document.createElement("style");
    style.textContent = css;
    document.head.append(style);
    const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
    window.script = await import(url);
    window.script.default.render({ model: window.model, el: document.body });
}"""


@contextmanager
def widget(browser: Browser, explorer: Any) -> Iterator[Page]:
    """Open a page that holds nothing but an explorer, drawn as in a built page."""
    page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_content(
        "<!doctype html><html lang=en><title>x</title><body></body></html>"
    )
    names = {"esm": "_esm", "css": "_css", "data": "data"}
    names |= {"state": "state", "live": "live"}
    state = explorer.get_state()
    page.evaluate(MODEL, {short: state[name] for short, name in names.items()})
    page.locator(".lr-panel, .lr-row").first.wait_for()
    try:
        yield page
        assert errors == []
    finally:
        page.close()
