"""What a page shows beside its figures: findings, tables, numbers in its sentences."""

import io
from collections.abc import Mapping
from html import escape
from typing import Any

import matplotlib as mpl
import pandas as pd
from IPython.core.getipython import get_ipython
from IPython.display import HTML, display
from matplotlib.figure import Figure
from PIL import Image

from lazyrich_helpers.analysis.claims.verdicts import ASKED, Verdict, Word, css_class
from lazyrich_helpers.analysis.figures.style import DPI, RC

Finding = tuple[Verdict | Word | None, str, str]
"""The verdict that marks it, or its word, None where the paper claims nothing; a
sentence of HTML; a figure's name or ""."""


GLUED = "application/papermill.record/"
"""Before the type of what is kept for a sentence."""


def house_style() -> None:
    """Draw figures from now on as the book does: at their own size, sharp, plain."""
    mpl.rcParams.update(RC)
    shell = get_ipython()
    if shell is not None and hasattr(
        shell, "kernel"
    ):  # a notebook's; a terminal's shows no pictures
        shell.run_line_magic("matplotlib", "inline")  # first: it sets a way of its own
        formatter: Any = shell.display_formatter
        formatter.formatters["image/png"].for_type(Figure, png)


def png(figure: Figure, *, dpi: int = DPI) -> bytes:
    """Return a figure as a picture of 256 colours: a third of the bytes, as sharp."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=dpi)
    image = Image.open(drawn).convert("RGB")
    method, dither = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
    packed = io.BytesIO()
    image.quantize(256, method, dither=dither).save(packed, "PNG", optimize=True)
    return packed.getvalue()


WHOSE = (
    "Marks are for the claims in grey, which are numbered as in the book’s ledger; it "
    "has those that are not here, too"
)
MARKS = (
    "✓ holds at the scale beside it · ◐ holds partly · ✗ does not hold · ? undecided: "
    "the interval spans the threshold, or one seed has none · ○ not run at its scale · "
    "→ ours, no claim"
)
SPREAD = (
    "After ± stands half a 95 % interval over seeds; bands and bars in figures are "
    "95 % intervals, too, of two seeds from the one to the other, unless the caption "
    "says otherwise."
)


def findings(*found: Finding, paper: str = "The paper") -> HTML:
    """Return what a chapter found: a line for each, with its mark, claim and link.

    Args:
        found: In order; see `Finding`.
        paper: Whose claims they are, as a sentence begins with it: `Chizat et al.`
    """
    items = "".join(_item(*each, paper=paper) for each in found)
    legend = f'<p class="marks">{WHOSE}: {MARKS}. {SPREAD}</p>'
    return HTML(f'<ul class="findings">{items}</ul>{legend}')


def _item(
    verdict: Verdict | Word | None, sentence: str, figure: str, *, paper: str
) -> str:
    link = f' <a href="#{figure}">Figure</a>' if figure else ""
    if verdict is None:
        return f'<li class="finding-ours">{sentence}{link}</li>'
    word, told = verdict, f"{paper}’s claim: {verdict}."
    if isinstance(verdict, Verdict):
        word = verdict.word
        found = f"holds {verdict.part}" if word is Word.PARTLY else str(verdict)
        told = f"{paper} ({verdict.claim}): {verdict.in_short}. This {found}."
        if word is Word.UNDECIDED or word is Word.NOT_RUN:
            told = told.replace(". This ", ". This is ")
        asked = ASKED.search(verdict.says)
        # else nobody sees what it spans, or what it does not come up to
        if asked and word in (Word.UNDECIDED, Word.PARTLY, Word.FAILS):
            told = f"{told[:-1]} ({asked[1]})."
    mark = f"<em>{escape(told)}</em>"
    return f'<li class="{css_class(Word(word))}">{sentence}{link}<br>{mark}</li>'


def facts(**values: str) -> None:
    """Keep numbers for the page's sentences, which show them by `{glue:text}`.

    As `myst_nb.glue` writes them, whose import takes every page a second.
    """
    for name, value in values.items():
        kept = {"scrapbook": {"name": name, "mime_prefix": GLUED}}
        display({f"{GLUED}text/plain": repr(value)}, raw=True, metadata=kept)


def number_table(
    frame: pd.DataFrame,
    *,
    caption: str = "",
    digits: int | Mapping[str, int] = 1,
    labels: Mapping[str, str] | None = None,
) -> HTML:
    """Return a table for readers: units in its head, thousands apart, no NaN.

    Args:
        frame: Its index comes first, unless it only counts.
        caption: What is shown, in which units.
        digits: After the point, of all numbers or by column; whole ones have none.
        labels: Column or level → its heading.
    """
    counts = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    rows = frame.copy() if counts else frame.reset_index()
    for name in rows.columns:
        places = digits if isinstance(digits, int) else digits.get(name, 1)
        rows[name] = [_cell(value, places) for value in rows[name]]
    rows.columns = [str((labels or {}).get(name, name)) for name in rows.columns]
    html = rows.to_html(index=False, border=0, classes="numbers", escape=True)
    return HTML(html.replace("<thead>", f"<caption>{escape(caption)}</caption><thead>"))


def stacked(*parts: HTML) -> HTML:
    """Return several tables as one output, so that they fold as one."""
    return HTML("".join(str(part.data) for part in parts))


def _cell(value: Any, digits: int) -> str:
    """Return a number as a reader writes it; words as they are."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "–"
    if isinstance(value, int | float) and not isinstance(value, bool):
        digits = 0 if isinstance(value, int) else digits
        return f"{value:,.{digits}f}".replace("-", "−")
    return str(value)
