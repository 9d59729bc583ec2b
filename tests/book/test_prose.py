"""Numbers that were found are computed where they are read, not typed in prose.

What may be typed: what the paper prints, in a sentence that names the paper; values of
γ, ε, ρ and α and other definitions; and questions that a reader is asked.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.tiny import ROOT

BOOK = ROOT / "book"
PAGES = sorted({*BOOK.rglob("*.ipynb"), *BOOK.glob("*.md")})

NUMBER = r"\d[\d.,]*"
NUMBERS = rf"{NUMBER}(?:(?:,| and| or| to) {NUMBER})*"
RESULT = re.compile(rf"±|{NUMBER}\s(?:points?|%|per\s?cent)(?!\w)")
FENCE = re.compile(r"(`{3,})\s*(.*)")
IN_LINE = re.compile(r"\{[\w:]+\}`[^`]*`|`[^`]*`|\$[^$]*\$")
DEFINED = re.compile(
    rf"[γερα] (?:=|≥|≤|of|near|from|between|in) {NUMBERS} %"
    rf"|(?:largest|only|share) {NUMBERS} %"
    rf"|{NUMBERS} % (?:most|largest|of (?:the|its|all) (?:parameters|weights))"
    r"|95 %|±(?= is| %)|(?:up to|line at) \d+ %"
)
THE_PAPER = re.compile(r"[Pp]aper|Table 1|prints?\b|printed|\bour line\b|we ask")


def prose(path: Path) -> str:
    """Return what a page says, without code, formulas and computed numbers."""
    if path.suffix == ".md":
        text = path.read_text("utf-8")
    else:
        cells = nbformat.read(path, as_version=4).cells
        text = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
    return IN_LINE.sub("", "\n".join(without_code(text)))


def without_code(text: str) -> Iterator[str]:
    """Yield the lines that are in no block of code; directives hold prose."""
    blocks: list[tuple[str, bool]] = []  # how each opened, and whether it is code
    for line in text.splitlines():
        fence = FENCE.match(line)
        if fence and blocks and not fence[2] and fence[1] >= blocks[-1][0]:
            blocks.pop()
        elif fence:
            code = not fence[2].startswith("{") or fence[2].startswith("{code-cell}")
            blocks.append((fence[1], code))
        elif not any(code for _, code in blocks):
            yield line


def typed(text: str) -> list[str]:
    """Return the sentences that have a number which nothing computes."""
    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z*{])|\n\s*\n|\n(?=[|*-])", text)
    return [
        " ".join(sentence.split())
        for sentence in sentences
        if RESULT.search(DEFINED.sub("", " ".join(sentence.split())))
        and not THE_PAPER.search(sentence)
        and not sentence.rstrip().endswith("?")
    ]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_results_in_prose_are_computed(path):
    assert not typed(prose(path))


@pytest.mark.parametrize(
    ("text", "num"),
    [
        ("It loses 17 points.", 1),
        ("It loses 17.5 ± 3 of them.", 1),
        ("They hold 4 % of it. So do others.", 1),
        ("It ends at 93\n%, and goes on.", 1),
        ("| a row | 3 points |\n| another | none |", 1),
        ("The paper's loses 17 points.", 0),
        ("Table 1 has 2.1 % there.", 0),
        ("Is it 4 %, 10 % or half?", 0),
        ("With α = 1, 10 and 30 % it is so.", 0),
        ("The largest 1 % hold it; ± is a 95 % interval.", 0),
        ("Resetting the 0.1 % most active ruins it.", 0),
    ],
)
def test_what_counts_as_typed(text, num):
    assert len(typed(text)) == num


def test_code_and_computed_numbers_are_no_prose(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```python\n5 %\n```\n\n```{code-cell} ipython3\n6 %\n```\n\n"
        "```{tip}\n4 % there\n```\n\n"
        "It is {glue:text}`lost` or `7 %` or $8$ %.\n\n```{note}\n9 % here\n```\n",
        "utf-8",
    )
    left = prose(page)
    assert "9 %" in left and "4 %" in left and "It is" in left
    assert not any(f"{n} %" in left for n in (5, 6, 7))
