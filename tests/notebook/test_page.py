"""What a page shows beside its figures."""

import io

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from myst_nb.ext import glue
from PIL import Image

from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Word
from lazyrich_helpers.notebook import page
from lazyrich_helpers.notebook.page import (
    facts,
    findings,
    number_table,
    png,
    stacked,
)


def test_findings_have_their_mark_and_lead_to_their_figure():
    claim = Claim("A1", "It falls", lambda: Finding(Word.HOLDS, ""))
    partly = claim.given(Finding(Word.PARTLY, "", "for w ≥ 1,000"))
    html = findings(
        (partly, "It falls by <b>3</b>.", "fig-a"),
        (Word.FAILS, "No.", ""),
        (None, "Ours.", ""),
    ).data
    assert '<li class="verdict-partly">It falls by <b>3</b>.' in html
    assert (
        "The paper (A1): It falls. This holds for w ≥ 1,000." in html
        and 'href="#fig-a"' in html
    )
    assert '<li class="verdict-does-not-hold">No.' in html and html.count("href") == 1
    assert '<li class="finding-ours">Ours.</li>' in html
    assert all(mark in html for mark in "✓◐✗?○→")
    assert "95 % interval" in html and "The paper’s claim: does not hold." in html
    open_ = claim.given(Finding(Word.UNDECIDED, ""))
    theirs = findings((open_, "Some.", ""), paper="Chizat et al.").data
    assert "Chizat et al. (A1): It falls. This is undecided." in theirs
    assert "The paper" not in theirs


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (Word.PARTLY, "It falls. This holds for w ≥ 9 (we ask: by 3)."),
        (Word.UNDECIDED, "It falls. This is undecided for w ≥ 9 (we ask: by 3)."),
        (Word.FAILS, "It falls. This does not hold for w ≥ 9 (we ask: by 3)."),
        (Word.HOLDS, "It falls. This holds for w ≥ 9."),
    ],
)
def test_findings_say_what_is_asked_where_the_word_does_not_say_it(word, told):
    claim = Claim("A1", "It falls (we ask: by 3)", lambda: Finding(word, ""))
    verdict = claim.given(Finding(word, "", "for w ≥ 9"))
    assert f"The paper (A1): {told}</em>" in findings((verdict, "Some.", "")).data


def test_a_table_for_readers():
    frame = pd.DataFrame({"lost": [-1234.56, float("nan")], "n": [3, 12_000]})
    table = number_table(frame, caption="a < b", digits={"lost": 2}, labels={"n": "N"})
    assert "<caption>a &lt; b</caption>" in table.data
    assert "−1,234.56" in table.data and "12,000" in table.data
    assert ">–<" in table.data and "NaN" not in table.data and ">N<" in table.data
    assert "<th>0</th>" not in table.data
    indexed = number_table(frame.set_index("n"), digits=0).data
    assert "−1,235" in indexed
    assert indexed.index("<th>n</th>") < indexed.index("<th>lost</th>")


def test_tables_that_fold_as_one():
    one, two = (number_table(pd.DataFrame({name: [1]})) for name in "ab")
    assert stacked(one, two).data == f"{one.data}{two.data}"


def test_a_picture_of_few_colours_looks_the_same_and_is_lighter():
    figure = Figure(figsize=(3, 2))
    ax = figure.subplots()
    for place in range(12):
        ax.fill_between([0, 1], place, place + 1, color=f"C{place}", alpha=0.3)
        ax.plot([0, 1], [0, place], label="a line")
    ax.legend()
    plain = io.BytesIO()
    figure.savefig(plain, dpi=200)
    small = png(figure, dpi=200)
    before, after = (Image.open(f).convert("RGB") for f in (plain, io.BytesIO(small)))
    assert after.size == before.size == (600, 400)
    apart = np.abs(np.asarray(before, int) - np.asarray(after, int))
    assert apart.max() < 32 and apart.mean() < 4
    assert after.getpixel((0, 0)) == (255, 255, 255)
    assert len(small) < 0.6 * len(plain.getvalue())


def test_facts_are_kept_as_myst_nb_keeps_them(monkeypatch):
    def keep(data, *, raw, metadata):
        kept.append((data, raw, metadata))

    kept: list[tuple] = []
    monkeypatch.setattr(page, "display", keep)
    monkeypatch.setattr(glue, "ipy_display", keep)
    facts(lead="+2.3 ± 0.4", quoted='the net\'s "best"')
    InteractiveShell.instance()
    try:
        glue.glue("lead", "+2.3 ± 0.4", display=False)
        glue.glue("quoted", 'the net\'s "best"', display=False)
    finally:
        InteractiveShell.clear_instance()
    assert kept[:2] == kept[2:]
