"""The ledger on a page: a table that can be searched, and the files to take along.

`book/static/ledger.js` filters it; without that, in JupyterLab, it is a plain table.
"""

import base64
import math
from collections.abc import Iterable, Sequence
from html import escape

import pandas as pd
from IPython.display import HTML

from lazyrich_helpers.analysis.claims.ledger import KINDS, LedgerRow, Neighbour
from lazyrich_helpers.analysis.claims.question import PAPER, SECTIONS, TUNED
from lazyrich_helpers.analysis.claims.verdicts import ASKED, Verdict, Word, css_class
from lazyrich_helpers.notebook.deciding import Deciders
from lazyrich_helpers.notebook.page import number_table

HEADS = ("What the paper says", "At the paper’s learning rate", "At a tuned one")


def ledger_html(rows: Sequence[LedgerRow], found: Sequence[Deciders]) -> HTML:
    """Return a row for each claim, in a frame of its own that scrolls."""
    form = f'<form class="ledger-filter" hidden>{_controls()}</form>'
    return HTML(form + _table("ledger", "All claims", HEADS, map(_row, rows, found)))


def _table(kind: str, name: str, heads: Sequence[str], rows: Iterable[str]) -> str:
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    return (
        f'<div class="{kind}" role="region" aria-label="{name}" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _controls() -> str:
    words = "".join(
        f'<label class="{css_class(word)}"><input type="checkbox" name="word" '
        f'value="{word}" checked> {word}</label> '
        for word in Word
    )
    sections = "".join(
        f'<option value="{section}">{section} {name}</option>'
        for section, name in SECTIONS.items()
    )
    return (
        '<label>Find <input type="search" name="text"></label> '
        f'<label>Section <select name="section"><option value="">all</option>{sections}'
        f"</select></label> <fieldset><legend>Verdict, at either rate</legend>{words}"
        '</fieldset><output aria-live="polite"></output>'
    )


def _row(row: LedgerRow, found: Deciders) -> str:
    first = row.first
    commands = dict.fromkeys(
        f"<p><code>{escape(each.command)}</code>: {each.num} to run, "
        f"{_cost(each.core_hours)}.</p>"
        for each in found
    )
    decided = (
        f"<details><summary>What would decide it</summary>{''.join(commands)}</details>"
        if commands
        else ""
    )
    words = escape("|".join(row.words))
    return (
        f'<tr data-words="{words}" data-section="{first.section}"><td><p><strong>'
        f"{first.verdict.claim}</strong> {escape(first.about)}</p><p>"
        f'{escape(first.verdict.in_short)}. <a href="{first.page}.html">Chapter</a></p>'
        f"{decided}</td>{_cell(row.at(PAPER), HEADS[1])}"
        f"{_cell(row.at(TUNED), HEADS[2])}</tr>"
    )


def _cell(verdict: Verdict | None, head: str) -> str:
    if verdict is None:
        return f'<td data-head="{head}">–</td>'
    short = verdict.brief or verdict.numbers
    brief = f"<p>{escape(short)}</p>" if len(short) <= MOST_SHOWN else ""
    asked = ASKED.search(verdict.says)
    line = f"<p>{escape(asked[1][0].upper() + asked[1][1:])}.</p>" if asked else ""
    proved = ", proved" if verdict.proved else ""
    return (
        f'<td data-head="{head}" class="{css_class(verdict.word)}">'
        f"<p><strong>{escape(verdict.word)}{proved}</strong> {escape(verdict.part)}</p>"
        f"{brief}<details><summary>{escape(verdict.scope) or 'More'}</summary>"
        f"{line}<p>{escape(verdict.numbers)}</p></details></td>"
    )


def neighbours_html(found: Sequence[Neighbour]) -> HTML:
    """Return a row for each headline claim of the neighbouring papers."""
    heads = ("What the neighbour says", "What we find")
    rows = [
        f"<tr><td><p><strong>{verdict.claim}</strong> {escape(neighbour.paper)}</p>"
        f"<p>{escape(verdict.in_short)}. "
        f'<a href="{neighbour.page.removeprefix("book/")}.html">Chapter</a></p></td>'
        f"{_cell(verdict, heads[1])}</tr>"
        for neighbour in found
        for verdict in neighbour.verdicts
    ]
    return HTML(_table("ledger neighbours", "Neighbours’ claims", heads, rows))


MOST_SHOWN = 160
"""Characters of what was found that are not folded."""


def kinds(rows: Sequence[LedgerRow]) -> HTML:
    """Return how many rows are of each of `ledger.KINDS`, and, unfolded, which."""
    folded = []
    for kind, is_so in KINDS.items():
        own: dict[tuple[str, str], list[str]] = {}
        for row in filter(is_so, rows):
            verdict = row.first.verdict
            key = (verdict.claim, verdict.in_short)
            own.setdefault(key, []).append(row.first.about)
        items = "".join(
            f"<li><strong>{name}</strong> {escape(says)} ({escape('; '.join(about))})."
            for (name, says), about in own.items()
        )
        num = sum(map(len, own.values()))
        summary = f"{escape(kind)}: {num} row{'s' if num != 1 else ''}"
        folded.append(
            f"<details><summary>{summary}</summary><ul>{items}</ul></details>"
        )
    return HTML("".join(folded))


def open_runs_html(runs: pd.DataFrame) -> HTML:
    """Return a table of `deciding.open_runs`: what to start, its cost, and why."""
    names = {"command": "Run", "core_hours": "Core-hours", "num": "Networks"}
    table = runs.assign(
        core_hours=runs.core_hours.map(hours),
        command=[command.removeprefix(PREFIX) for command in runs.command],
    )
    found = str(number_table(table, labels=names | {"claims": "Claims"}).data)
    return HTML(found.replace('numbers"', 'numbers words"'))


PREFIX = "python -m lazyrich_helpers.run train "


def _cost(number: float) -> str:
    known = not math.isnan(number)
    return f"about {hours(number)} core-hours" if known else "at a cost not known"


def hours(number: float) -> str:
    """Return core-hours to about two digits: `0.1`, `19`, `370`; or `not known`."""
    if math.isnan(number):
        return "not known"
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def downloads(frame: pd.DataFrame) -> HTML:
    """Return links to a `ledger_table` as files, which are in the page itself."""
    files = {
        "ledger.csv": ("text/csv", frame.to_csv(index=False)),
        "ledger.json": (
            "application/json",
            frame.to_json(orient="records", force_ascii=False, indent=1),
        ),
    }
    links = [
        f'<a download="{name}" href="data:{kind};base64,'
        f'{base64.b64encode(text.encode()).decode()}">{name}</a>'
        for name, (kind, text) in files.items()
    ]
    return HTML(f"<p>The ledger as a file: {', '.join(links)}.</p>")
