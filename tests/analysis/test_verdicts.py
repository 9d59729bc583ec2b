"""A verdict is one of five words, and its numbers stand once."""

import dataclasses
import re

import pandas as pd
import pytest

from lazyrich_helpers.analysis.claims import activity as activity_claims
from lazyrich_helpers.analysis.claims import lws as lws_claims
from lazyrich_helpers.analysis.claims import pretrained_lws as pretrained_lws_claims
from lazyrich_helpers.analysis.claims import reinit as reinit_claims
from lazyrich_helpers.analysis.claims import timing as timing_claims
from lazyrich_helpers.analysis.claims import width as claims
from lazyrich_helpers.analysis.claims.amounts import Points, Several, Share
from lazyrich_helpers.analysis.claims.everywhere import (
    everywhere,
    for_widths,
    over,
    word_of,
)
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Word
from lazyrich_helpers.runner.grid_points import BOOK
from tests.analysis import (
    test_activity_claims,
    test_claims,
    test_lws_claims,
    test_timing_claims,
)

HOLDS, PARTLY, FAILS, UNDECIDED, NOT_RUN = Word


TABLE = pd.DataFrame({"width": [16], "value": [3.0]})


MODULES = (
    *(claims, reinit_claims, activity_claims, timing_claims),
    *(lws_claims, pretrained_lws_claims),
)


def above_line(table: pd.DataFrame, *, line: float) -> Finding:
    """A check."""
    return Finding(word_of(bool(table.value.max() > line)), f"at most {line:g}")


def all_claims() -> list[Claim]:
    """Return every claim of every module, once."""
    found: list[Claim] = []

    def add(value: object) -> None:
        if isinstance(value, Claim) and value not in found:
            found.append(value)
        elif isinstance(value, tuple | list):
            for each in value:
                add(each)
        elif isinstance(value, dict):
            add(list(value.values()))

    for module in MODULES:
        add(list(vars(module).values()))
    add([claims.width_claims(depth) for depth in claims.WIDEST])
    return found


CLAIMS = all_claims()
NAMES = re.compile(r"VGG-\d+|ResNet-\d+|CIFAR-\d+|K40m|\b[A-G]\d+\b")
"""What has a digit and is no number."""


def test_every_claim_is_looked_at():
    assert len(CLAIMS) > 45
    assert {claim.name[0] for claim in CLAIMS} == set("ABDEGS")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_a_sentence_has_no_number_of_its_own(claim):
    typed = re.sub(r"\{.*?\}", "", claim.says)
    typed = typed.replace("1/", "").replace("(1 − ρ)", "")  # {factor}, and a formula
    assert not re.search(r"\d", NAMES.sub("", typed)), claim.says


NUMBERS = [
    *(test_claims.NUMBERS + test_activity_claims.NUMBERS),
    *(test_lws_claims.NUMBERS + test_timing_claims.NUMBERS),
]


def test_each_number_is_tried_with_the_verdict():
    asked = {(claim.name, name) for claim in CLAIMS for name in claim.asks}
    assert {(claim.name, name) for claim, name, *_ in NUMBERS} == asked


@pytest.mark.parametrize("number", NUMBERS, ids=lambda n: f"{n[0].name} {n[1]}")
def test_a_verdict_is_about_the_number_in_its_sentence(number):
    claim, name, value, *found = number
    other = dataclasses.replace(claim, asks={**claim.asks, name: value})
    of_runs = isinstance(found[0], pd.DataFrame) and "width" in found[0]
    before, after = (
        each.verdict(*found) if of_runs else each.verdict_on(*found)
        for each in (claim, other)
    )
    assert before.word in (HOLDS, PARTLY), before
    assert before.says != after.says
    assert (before.word, before.part) != (after.word, after.part), after


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_each_number_that_is_asked_for_is_in_the_sentence(claim):
    for name, value in claim.asks.items():
        other = type(value)([7, 8]) if isinstance(value, tuple) else type(value)(7)
        changed = dataclasses.replace(claim, asks={**claim.asks, name: other})
        assert changed.sentence != claim.sentence, name
    if claim.least_width > 1:
        changed = dataclasses.replace(claim, least_width=7)
        assert changed.sentence != claim.sentence


def test_there_are_five_words_and_each_has_its_box():
    words = ["holds", "partly", "does not hold", "undecided", "not run"]
    assert [*Word] == words
    css = (BOOK / "static" / "book.css").read_text("utf-8")
    for word in Word:
        box = Claim("X1", "It is so", above_line).given(Finding(word, ""))._repr_html_()
        (kind,) = re.findall(r'class="verdict (.*?)"', box)
        (rules,) = re.findall(rf"^\.{kind} {{(.*?)}}", css, re.M | re.S)
        assert "--verdict-icon" in rules and "--verdict-color" in rules
    icons = set(re.findall(r"^\.verdict-.*?--verdict-icon: (.*?);", css, re.M | re.S))
    assert len(icons) == len(Word)
    used = re.findall(r"^\.verdict-(.*?) {", css, re.M)
    assert sorted(used) == sorted(word.replace(" ", "-") for word in Word)


def test_the_book_names_the_words():
    text = (BOOK / "intro.md").read_text("utf-8")
    for word in Word:
        assert f"*{word}*" in text


@pytest.mark.parametrize(
    ("words", "word", "part"),
    [
        ([HOLDS, HOLDS], HOLDS, ""),
        ([HOLDS, FAILS], PARTLY, "at 0"),
        ([FAILS, HOLDS, HOLDS, UNDECIDED, NOT_RUN], PARTLY, "at 1 2"),
        ([FAILS, UNDECIDED], FAILS, ""),
        ([HOLDS, UNDECIDED], UNDECIDED, ""),
        ([HOLDS, UNDECIDED, NOT_RUN], NOT_RUN, ""),
    ],
)
def test_places_make_one_word(words, word, part):
    def named(places: list[int]) -> str:
        return "at " + " ".join(map(str, places))

    found = over(dict(enumerate(words)), named, "numbers")
    assert found == Finding(word, "numbers", part)


def test_widths_in_words():
    widths = [10, 100, 1000, 5000]
    assert for_widths([1000, 5000], widths) == "for w ≥ 1,000"
    assert for_widths([10, 100], widths) == "for w ≤ 100"
    assert for_widths([5000], widths) == "for w = 5,000"
    assert for_widths([10, 1000], widths) == "for w = 10 and 1,000"


def test_numbers_in_words():
    assert f"{Points(1)}, {Points(2)}, {Points(0.5)}" == "1 point, 2 points, 0.5 points"
    assert f"{Share(0.001)} {Share(1)}" == "0.1 % 100 %"
    several = Several((1, 3, 10))
    assert f"{several} {several:or} {Several((1,))}" == "1, 3 and 10 1, 3 or 10 1"
    assert f"{Several(map(Share, (0.01, 0.1)))}" == "1 and 10 %"


def test_everywhere():
    assert everywhere([True, True]) is True
    assert everywhere([True, None]) is None
    assert everywhere([None, False]) is False
    assert [*map(word_of, (True, False, None))] == [HOLDS, FAILS, UNDECIDED]


def test_a_narrow_network_says_what_it_says_and_where_it_was_not_run():
    claim = Claim("X1", "More than {line}", above_line, {"line": 2}, least_width=64)
    verdict = claim.verdict(TABLE)
    assert verdict.word is NOT_RUN and verdict.numbers == "at most 2"
    assert str(verdict) == "not run at w = 64; at 16: holds"
    assert claim.verdict(TABLE.assign(width=64)).word is HOLDS
    assert str(claim.verdict(TABLE.iloc[:0])) == "not run"
    box = verdict._repr_html_()
    assert "verdict-not-run" in box and "<strong>Not run at w" in box


def test_what_is_proved_does_not_wait_for_runs():
    claim = Claim("X1", "It is", above_line, {"line": 2}, proof="It cannot be.")
    for table in (TABLE, TABLE.iloc[:0]):
        verdict = claim.verdict(table)
        assert verdict.word is FAILS and verdict.numbers.startswith("It cannot be.")
        assert "Does not hold, proved." in verdict._repr_html_()
    assert claim.verdict(TABLE).numbers.endswith("at most 2")


def test_a_verdict_says_what_a_larger_scale_says():
    claim = Claim("X1", "More than {line}", above_line, {"line": 2})
    small, large = claim.verdict(TABLE), claim.verdict(TABLE.assign(value=1.0))
    both = small.beside(large, 64)
    assert both.word is HOLDS
    assert both.numbers == "at most 2 At w = 64: does not hold: at most 2"
    assert small.beside(claim.verdict(TABLE.iloc[:0]), 64) == small


def test_a_verdict_in_text_and_in_html():
    claim = Claim("X1", "α > {line}", above_line, {"line": 2})
    verdict = claim.verdict(TABLE)
    assert repr(verdict) == "X1: α > 2. HOLDS: at most 2"
    assert "α &gt; 2." in verdict._repr_html_()


def test_numbers_that_a_box_has_no_room_for_are_folded():
    short, long = (
        Finding(HOLDS, "Numbers.", "", " ".join(["1"] * n)) for n in (36, 37)
    )
    boxes = [
        Claim("X1", "It is", above_line).given(f)._repr_html_() for f in (short, long)
    ]
    assert [box.count("<p>1 1") for box in boxes] == [1, 0]


def test_a_box_folds_what_we_ask_and_what_the_runs_were():
    claim = Claim("X1", "It grows (we ask: by {line}), always", above_line, {"line": 2})
    runs = TABLE.assign(dataset="mnist", lr=0.001)
    box = claim.verdict(runs)._repr_html_()
    shown, folded = box.split("<details>")
    assert "It grows, always." in shown and "we ask" not in shown
    assert "<summary>MNIST · w = 16 · lr 0.001</summary><p>We ask: by 2. at" in folded
