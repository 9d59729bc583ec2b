"""Print the book of one page, `singlehtml`, by a Chromium: figures, no sliders."""

import sys
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

MARGIN = {"top": "15mm", "bottom": "15mm", "left": "15mm", "right": "15mm"}


def print_pdf(folder: Path, target: Path) -> None:
    """Print the page in `folder` that holds the whole book into `target`."""
    (page_file,) = folder.glob("book/intro.html")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch()
        except Error:  # playwright's own was not downloaded: the system's
            options = {"executable_path": "/usr/bin/chromium", "args": ["--no-sandbox"]}
            browser = playwright.chromium.launch(**options)
        page = browser.new_page()
        page.goto(page_file.resolve().as_uri())
        page.wait_for_function("!window.MathJax || MathJax.startup.promise")
        page.emulate_media(media="print", color_scheme="light")
        page.pdf(path=target, format="A4", margin=MARGIN, print_background=True)
        browser.close()
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    print_pdf(Path(sys.argv[1]), Path(sys.argv[2]))
