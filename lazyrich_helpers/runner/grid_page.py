"""The page of a grid: what was run, how it ended, and where to read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from lazyrich_helpers.runner.grid_points import Point, in_words
from lazyrich_helpers.runner.progress import duration

STYLE = """
:root { color-scheme: light dark; --line: #767676; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem;
  padding: 1rem; color: #1a1a1a; background: #fff; }
a { color: #0b57a4; }
.table { overflow-x: auto; }
table { border-collapse: collapse; }
caption { text-align: left; padding-bottom: .5rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid var(--line); }
td.number { white-space: nowrap; }
td.result { min-width: 8rem; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) {
  body { color: #e8e8e8; background: #16181c; }
  a { color: #8ab4f8; }
}
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A point of a grid, as a row of its page."""

    name: str
    parameters: Point
    result: str
    """`done`, `failed: why`, `running`, ..."""
    seconds: float | None = None
    files: Sequence[str] = ()
    """What there is to read, beside the page."""


def index_page(title: str, notebook: str, rows: Sequence[Row], when: str) -> str:
    """Return the page of a grid: a table of its points, in itself and without scripts.

    Args:
        title: The notebook's.
        notebook: Its file's name.
        rows: One for each point.
        when: The time that it shows.
    """
    shared = _shared(rows)
    names = dict.fromkeys(name for row in rows for name in row.parameters)
    names = [name for name in names if name not in shared]
    alike = ", ".join(f"{k} {escape(in_words(v))}" for k, v in shared.items())
    alike = f" All have {alike}." if shared else ""
    heads = [*names, "result", "time", "read"]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "\n".join(_row(row, names) for row in rows)
    done = sum(row.result.startswith("done") for row in rows)
    failed = sum(row.result.startswith("failed") for row in rows)
    counts = f"{len(rows)} points: {done} done, {failed} failed"
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}: a grid</title>
<style>{STYLE}</style>
<main>
<h1>{escape(title)}</h1>
<p>Notebook <code>{escape(notebook)}</code>, run at each point of a grid.{alike}
As of {escape(when)}; reload for news.</p>
<div class="table" role="region" aria-label="points of the grid" tabindex="0">
<table>
<caption>{counts}.</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>
</main>
</html>
"""


def _shared(rows: Sequence[Row]) -> Point:
    """Return what all of several points have in common: it needs no column."""
    if len(rows) < 2:
        return {}
    first, *others = (row.parameters for row in rows)
    pairs = first.items()
    return {k: v for k, v in pairs if all(k in o and o[k] == v for o in others)}


def _row(row: Row, names: Sequence[str]) -> str:
    values = [
        f"<td>{escape(in_words(row.parameters[name]))}</td>"
        if name in row.parameters
        else "<td></td>"
        for name in names
    ]
    time = "" if row.seconds is None else duration(row.seconds)
    cells = [
        *values,
        f'<td class="result">{escape(row.result)}</td>',
        f'<td class="number">{time}</td>',
        f"<td>{_links(row)}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _links(row: Row) -> str:
    """Return links to a point's files; a screen reader hears whose they are."""
    kinds = {"html": "page", "ipynb": "notebook"}
    links = []
    for file in row.files:
        kind = kinds[file.rpartition(".")[2]]
        label = escape(f"{kind} of {row.name}")
        links.append(f'<a href="./{quote(file)}" aria-label="{label}">{kind}</a>')
    return ", ".join(links)
