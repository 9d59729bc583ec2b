"""Print the built pages into one PDF, in the order of `_toc.yml`: no sliders."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Browser, Error, Playwright, sync_playwright
from pypdf import PdfWriter

ROOT = Path(__file__).resolve().parents[2]
MARGIN = {"top": "15mm", "bottom": "15mm", "left": "15mm", "right": "15mm"}

DRAWN = """() => {
    const views = document.querySelectorAll('script[type$="widget-view+json"]').length;
    const drawn = document.querySelectorAll(".widget-subarea > .lm-Widget").length;
    return drawn >= views && [...document.querySelectorAll(".lr-explorer")].every(
        (explorer) => explorer.querySelector("svg, img"));
}"""
"""Whether a page's explorers stand; on a busy machine that takes seconds."""


def pages(toc: dict[str, Any]) -> Iterator[str]:
    """Yield the names of all pages, such as `book/intro`, in reading order."""
    if name := toc.get("root") or toc.get("file"):
        yield name
    for kind in ("parts", "chapters", "sections"):
        for part in toc.get(kind, []):
            yield from pages(part)


def open_browser(playwright: Playwright) -> Browser:
    """Return playwright's own Chromium, or the system's where that was not fetched."""
    try:
        return playwright.chromium.launch()
    except Error:
        return playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )


def print_pdf(folder: Path, target: Path) -> None:
    """Print the pages of a built book in `folder` into `target`."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    whole = PdfWriter()
    with sync_playwright() as playwright:
        browser = open_browser(playwright)
        page = browser.new_page(color_scheme="light")
        for name in pages(toc):
            page.goto((folder / f"{name}.html").resolve().as_uri())
            page.evaluate("window.MathJax && MathJax.startup.promise")
            page.wait_for_function(DRAWN)
            page.emulate_media(media="print")
            printed = page.pdf(format="A4", margin=MARGIN, print_background=True)
            whole.append(io.BytesIO(printed), outline_item=page.title())
        browser.close()
    whole.write(target)
    print(f"{target}: {len(whole.pages)} pages, {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    print_pdf(Path(sys.argv[1]), Path(sys.argv[2]))
