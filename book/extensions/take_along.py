"""What a reader takes along: executed notebooks, all records, as tables too; and what a
page says of itself to a search engine or a chat."""

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
    """Write every record into `_static/records.zip`, and tables of all as CSV.

    Where it is there and of the same records and package, it stays.
    """
    if exception or app.builder.format != "html":
        return
    target = Path(app.outdir, "_static", "records.zip")
    state = Path(app.config.nb_execution_cache_path).name.encode()  # see book_build
    if target.exists() and zipfile.ZipFile(target).comment == state:
        return
    # Only here: torch, which records need, takes seconds to import.
    from lazyrich_helpers.analysis.tables.plain import plain_tables
    from lazyrich_helpers.experiments.record import Record

    texts = {path.name: path.read_text("utf-8") for path in RECORDS.glob("*.json")}
    files = {f"records/{name}": texts[name] for name in sorted(texts)}
    tables = plain_tables([Record.from_json(text) for text in files.values()])
    for name, table in tables.items():
        files[f"tables/{name}.csv"] = table.to_csv(index=False, float_format="%.6g")
    with zipfile.ZipFile(target, "w") as archive:
        archive.comment = state
        for name, content in files.items():
            packed = zipfile.ZipInfo(name, STAMP)
            archive.writestr(packed, content, zipfile.ZIP_DEFLATED)


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
    """Let a fold be read aloud by what it shows, not as one of many alike.

    And let what stands in the list of references be its items.
    """
    generic = ' aria-label="Toggle hidden content"'
    body = context.get("body", "").replace(f"<summary{generic}>", "<summary>")
    context["body"] = body.replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the parts; Sphinx calls this once, before it reads any page."""
    app.connect("html-page-context", describe_page)
    app.connect("html-page-context", name_folds)
    app.connect("build-finished", hand_out_outputs)
    app.connect("build-finished", pack_records)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
