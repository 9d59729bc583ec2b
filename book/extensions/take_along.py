"""What a reader takes along: executed notebooks, all records; and what a page says
of itself to a search engine or a chat."""

import re
import shutil
import sys
import zipfile
from html import escape, unescape
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lazyrich_helpers.places import chosen  # noqa: E402

RECORDS = chosen("LAZYRICH_RECORDS", ROOT / "book" / "records")
STAMP = (1980, 1, 1, 0, 0, 0)
"""Of every file in the archive, so that equal records are an equal archive."""


def pack_records(app: Sphinx, exception: Exception | None) -> None:
    """Write every record into `_static/records.zip`."""
    if exception or app.builder.format != "html":
        return
    target = Path(app.outdir, "_static", "records.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(RECORDS.glob("*.json")):
            archive.writestr(
                zipfile.ZipInfo(f"records/{path.name}", STAMP),
                path.read_bytes(),
                zipfile.ZIP_DEFLATED,
            )


def hand_out_outputs(app: Sphinx, exception: Exception | None) -> None:
    """Let the theme's download button give the notebook that was executed."""
    if exception:
        return
    executed = Path(app.outdir).parent / "jupyter_execute"
    for path in executed.rglob("*.ipynb"):
        source = Path(app.outdir, "_sources", path.relative_to(executed))
        if source.exists():
            shutil.copyfile(path, source)


def describe_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any
) -> None:
    """Say in the page's head what it asks: its first paragraph, which is a question."""
    found = re.search(r"<p>(.*?)</p>", context.get("body", ""), re.DOTALL)
    if template != "page.html" or found is None:
        return
    says, title = _plain(found[1])[:200], _plain(context.get("title", ""))
    says, title = escape(says), escape(title)
    context["metatags"] = context.get("metatags", "") + (
        f'<meta name="description" content="{says}">'
        f'<meta property="og:title" content="{title}">'
        f'<meta property="og:description" content="{says}">'
        '<meta property="og:type" content="article">'
    )


def _plain(html: str) -> str:
    """Return the words alone."""
    return " ".join(unescape(re.sub(r"<.*?>", "", html)).split())


def name_folds(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any
) -> None:
    """Let a fold be read aloud by what it shows, not as one of many alike."""
    generic = ' aria-label="Toggle hidden content"'
    context["body"] = context.get("body", "").replace(
        f"<summary{generic}>", "<summary>"
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the parts; Sphinx calls this once, before it reads any page."""
    app.connect("html-page-context", describe_page)
    app.connect("html-page-context", name_folds)
    app.connect("build-finished", hand_out_outputs)
    app.connect("build-finished", pack_records)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
