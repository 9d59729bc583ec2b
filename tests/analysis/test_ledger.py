"""The ledger: every claim is in it, and what is open says what would decide it."""

import base64
import dataclasses
import math
import re
from types import SimpleNamespace

import pandas as pd
import pytest

from lazyrich_helpers.analysis.claims import questions as all_questions
from lazyrich_helpers.analysis.claims.headlines import coverage
from lazyrich_helpers.analysis.claims.ledger import (
    KINDS,
    OPEN,
    LedgerRow,
    Neighbour,
    in_one_sentence,
    ledger,
    ledger_table,
    neighbours_table,
    word_counts,
)
from lazyrich_helpers.analysis.claims.question import (
    EITHER,
    PAPER,
    TIMES,
    TUNED,
    UNLEARNED,
    Question,
    Runs,
)
from lazyrich_helpers.analysis.claims.questions import questions
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Word
from lazyrich_helpers.analysis.claims.width import SIZES
from lazyrich_helpers.analysis.figures.ledger import stacked_words
from lazyrich_helpers.analysis.tables.status import read_inventory
from lazyrich_helpers.experiments.recipes import Results
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.measures.costs import operations
from lazyrich_helpers.notebook import ledger_view
from lazyrich_helpers.notebook.deciding import ANY, Decider, deciders, open_runs, rates
from lazyrich_helpers.runner.command_line import PROGRAM, parse
from tests import browser as chromium
from tests import tiny
from tests.analysis.test_status import RATES, plant
from tests.refresh_outputs import README, ROOT, with_findings

STATIC = ROOT / "book" / "static"
HOLDS, PARTLY, FAILS, UNDECIDED, NOT_RUN = Word
CLAIMS = {"G1", "S3", "S5"}.union(
    *(
        {f"{group}{n}" for n in range(1, last + 1)}
        for group, last in {"A": 12, "B": 5, "D": 9, "E": 14}.items()
    )
)
"""Of the main paper, but for S1, S2 and S4, which define what is trained."""


@pytest.fixture(scope="module")
def asked() -> list[Question]:
    return questions()


@pytest.fixture(scope="module")
def rows(asked) -> list[LedgerRow]:
    return ledger(asked)


def test_every_claim_of_the_paper_is_asked_and_none_twice(asked):
    table = ledger_table(asked)
    assert set(table.claim) == CLAIMS
    assert not table.duplicated(["paper_says", "about", "setting"]).any()


def test_a_setting_goes_by_the_learning_rate(asked):
    relu = [q for q in asked if q.section == "4" and q.setting != EITHER]
    assert {q.setting for q in relu} == {PAPER, TUNED}
    for question in relu:
        at_paper = "· lr 0.1 ·" in question.verdict.scope
        assert at_paper == (question.setting == PAPER), question


@pytest.fixture(scope="module")
def needed(rows):
    return deciders(rows)


def test_what_is_open_names_runs_that_can_be_started(rows, needed):
    for row, found in zip(rows, needed, strict=True):
        left = [v for v in row.verdicts if v.word in OPEN and v.claim not in TIMES]
        assert bool(found) == bool(left), row
        for each in found:
            words = each.command.removeprefix(PROGRAM).split()
            assert parse(words).command == "train"
            assert each.num > 0 and 0 < each.core_hours < math.inf
    runs = open_runs(rows, needed)
    assert runs.command.is_unique and runs.core_hours.is_monotonic_increasing
    told = {claim for claims in runs.claims for claim in claims.split(", ")}
    assert told == {
        r.first.verdict.claim for r, n in zip(rows, needed, strict=True) if n
    }


def test_readme_says_what_the_records_say():
    text = README.read_text("utf-8")
    assert with_findings(text) == text, "`make outputs` renews it"


# --- Made-up questions ----------------------------------------------------------------

LR, WIDTH, SEEDS = 0.1, 10, range(5)


def question(word, num_seeds, least_width=1, name="A1") -> Question:
    """Return a question that so many seeds of a width left with a word."""
    runs = Runs(recipe="figure-2", choices={"widths": [WIDTH], "lrs": [LR]})
    recipe = runs.results.recipe
    times, origin = {"total": 100.0}, {"threads": 2}
    records = [
        Record(config, "ok", times=times, origin=origin) for config in recipe.configs
    ]
    missing = recipe.configs[num_seeds:]
    vars(runs)["results"] = Results(recipe, tuple(records[:num_seeds]), missing, 0)
    verdict = Claim(name, "It is so", lambda: Finding(word, "")).verdict_on()
    where = {"section": "4", "about": "nets", "page": "04"}
    return Question(verdict=verdict, runs=runs, least_width=least_width, **where)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (question(UNDECIDED, 5), f"--widths {WIDTH} --lrs {LR} --seeds 5 6 7 8 9"),
        (question(UNDECIDED, 3), f"--widths {WIDTH} --lrs {LR}"),
        (question(NOT_RUN, 5, 1000), f"--widths 1000 --lrs {LR}"),
        (question(NOT_RUN, 5), f"--widths 10 100000 --lrs {LR}"),
        (question(NOT_RUN, 0), f"--widths {WIDTH} --lrs {LR}"),
    ],
)
def test_what_lacks_is_run_first(asked, words):
    ((found,),) = deciders(ledger([asked]))
    assert found.command == f"{PROGRAM} train figure-2 {words}"


def test_no_run_of_ours_decides_times_of_another_machine():
    assert deciders(ledger([question(NOT_RUN, 0, name="E14")])) == [()]


def test_runs_like_those_recorded_cost_what_they_took():
    asked = question(UNDECIDED, 5)
    (config, *_) = asked.runs.results.recipe.configs
    recipe = asked.runs.results.recipe
    work = operations(config, recipe.measures, eval_every=recipe.eval_every)
    speed = rates([asked])
    for kind in ("relu_net", ANY):
        assert speed[kind, config.training.precision] == pytest.approx(200 / work)
    ((more,),) = deciders(ledger([asked]))
    assert more.num == 5 and more.core_hours == pytest.approx(5 * 200 / 3600)


def test_a_run_on_a_gpu_has_no_cores():
    asked = question(UNDECIDED, 5)
    (config, *_) = asked.runs.results.recipe.configs
    own = {"num_test": 1000, "threads": None}
    on_gpu = tiny.record(config, 900, times={"total": 1e6}, origin=own)
    runs = SimpleNamespace(records=(on_gpu,), results=asked.runs.results)
    (fake,) = [SimpleNamespace(runs=runs)]
    assert rates([fake]) == {} and rates([fake, asked]) == rates([asked])


def test_a_cost_that_nothing_tells_is_said_to_be_so():
    (row,) = ledger([question(UNDECIDED, 5)])
    decider = Decider(f"{PROGRAM} train figure-2", math.nan, 5)
    shown = ledger_view.ledger_html([row], [(decider,)]).data
    assert "5 to run, at a cost not known.</p>" in shown
    table = ledger_view.open_runs_html(open_runs([row], [(decider,)])).data
    assert "not known" in table and "nan" not in table


def test_settings_are_columns_of_one_row():
    paper, tuned = question(HOLDS, 5), question(FAILS, 5)
    lrs = {"widths": [WIDTH], "lrs": [0.001]}
    tuned = dataclasses.replace(tuned, runs=Runs(recipe="figure-2", choices=lrs))
    sizes = question(HOLDS, 5, name="S5")
    rows = ledger([tuned, paper, dataclasses.replace(sizes, about="a size")])
    assert [row.words for row in rows] == [(HOLDS, FAILS), (HOLDS,)]
    assert (rows[0].at(PAPER), rows[0].at(TUNED)) == (paper.verdict, tuned.verdict)
    assert rows[1].at(PAPER) == rows[1].at(TUNED) == sizes.verdict
    kinds = {kind: [is_so(row) for row in rows] for kind, is_so in KINDS.items()}
    assert kinds["holds at whichever rate it is asked"] == [False, True]
    assert kinds["better at the paper's rate than at a tuned one"] == [True, False]
    assert kinds["better at a tuned rate than at the paper's"] == [False, False]
    (row,) = ledger([question(PARTLY, 5)])
    own = [kind for kind, is_so in KINDS.items() if is_so(row)]
    assert own == ["holds partly, and not by width"]


def test_each_claim_counts_once_in_the_sentence():
    found = [(HOLDS, "A"), (HOLDS, "A"), (HOLDS, "B"), (UNDECIDED, "B"), (FAILS, "C")]
    found += [(HOLDS, "D"), (FAILS, "D"), (PARTLY, "E"), (NOT_RUN, "F")]
    rows = []
    for place, (word, name) in enumerate(found):
        asked = dataclasses.replace(question(word, 5, name=name), about=f"{place}")
        rows += ledger([asked])
    narrow = Finding(HOLDS, "", "at w = 16")
    for part, name in ((narrow, "G"), (narrow, "H"), (Finding(HOLDS, ""), "H")):
        asked = question(HOLDS, 5, name=name)
        verdict = dataclasses.replace(asked.verdict, part=part.part)
        rows += ledger([dataclasses.replace(asked, verdict=verdict, about=part.part)])
    rows += ledger([question(HOLDS, 5, name="E5")])
    asked = question(NOT_RUN, 5, name="D1")
    verdict = dataclasses.replace(asked.verdict, part="at w = 64; at 16: does not hold")
    rows += ledger([dataclasses.replace(asked, verdict=verdict)])
    text = in_one_sentence(rows)
    assert "9 claims, 4 hold" in text and "(1 of them" in text and "2 in some" in text
    assert "1 in none" in text and "for 2 no test is decided yet, of which 1" in text


def test_a_size_is_that_of_the_network_which_need_not_be_trained():
    for network, recipe in {"VGG-5": "vgg5", "ResNet-18": "resnet18"}.items():
        config = Runs(recipe=f"figure-1-{recipe}").results.recipe.configs[0]
        assert SIZES[network].verdict_on(config).word is HOLDS
    narrow = dataclasses.replace(config.model, width=32)
    config = dataclasses.replace(config, model=narrow)
    assert SIZES["ResNet-18"].verdict_on(config).word is FAILS


def test_verdicts_say_of_which_networks_they_are(asked):
    deep = [one for one in asked if one.about == "ReLU-Net d = 4, MNIST"]
    for one in deep:  # at 0.1 these are near chance; the untrained have no rate
        said = one.verdict.part.endswith(UNLEARNED)
        asked_of_trained = one.setting == PAPER and one.verdict.claim not in ("S3",)
        asked_of_trained &= one.verdict.word is not NOT_RUN or one.verdict.part != ""
        assert said == asked_of_trained, one.verdict
    narrow = {one.verdict.claim: one for one in asked if "w = 16" in one.about}
    for claim in ("D3", "D6", "E12"):
        assert str(narrow[claim].verdict).endswith("at w = 16")


def test_networks_learn_if_they_do_at_some_width(asked, monkeypatch):
    found = [one for one in asked if one.setting == PAPER][:1]
    runs = SimpleNamespace(records=["two widths"])
    for widest, part in ((0.9, found[0].verdict.part), (0.4, UNLEARNED)):
        table = pd.DataFrame({"width": [10, 100], "test_accuracy": [0.3, widest]})
        monkeypatch.setattr(all_questions, "runs_table", lambda _, table=table: table)
        (told,) = all_questions._told_of_learning(runs, found)
        assert told.verdict.part.endswith(part)
        assert (UNLEARNED in told.verdict.part) == (widest < 0.5)


def test_what_needs_no_rate_counts_for_both(asked):
    table = ledger_table(asked)
    for setting in (PAPER, TUNED):
        num = table.setting.isin([setting, EITHER]).sum()
        assert word_counts(table, setting).to_numpy().sum() == num


def test_a_bar_has_a_piece_with_its_number_for_each_word(ax):
    counts = pd.DataFrame({str(word): [n, 0] for n, word in enumerate(Word, 1)})
    stacked_words(counts.set_axis(["4", "5"]), ax)
    widths = [round(patch.get_width()) for patch in ax.patches]
    assert widths == [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]
    assert [t.get_text() for t in ax.texts if t.get_text()] == list("12345")


# --- On the page ----------------------------------------------------------------------


def test_a_row_tells_the_filter_its_words_and_escapes_what_it_says(rows, needed):
    html = str(ledger_view.ledger_html(rows, needed).data)
    found = re.findall(r'<tr data-words="([^"]*)" data-section="([^"]*)">', html)
    assert found == [("|".join(row.words), row.first.section) for row in rows]
    assert "hidden>" in html, "without its script it filters nothing"
    (odd,) = ledger([dataclasses.replace(rows[0].first, about="w < 10 & more")])
    assert "w &lt; 10 &amp; more" in str(ledger_view.ledger_html([odd], [()]).data)


@pytest.mark.parametrize("size", [chromium.DESKTOP, chromium.PHONE])
def test_the_filter_leaves_the_rows_that_are_asked_for(
    browser, rows, needed, tmp_path, size
):
    page = tmp_path / "page.html"
    files = [STATIC / "book.css", STATIC / "ledger.js"]
    style, script = (path.read_text("utf-8") for path in files)
    body = ledger_view.ledger_html(rows, needed).data
    page.write_text(f"<style>{style}</style><script>{script}</script>{body}", "utf-8")

    def shown(seen) -> int:
        num = seen.page.locator("tbody tr:visible").count()
        assert (
            seen.page.locator("output").text_content() == f"{num} of {len(rows)} rows"
        )
        return num

    with chromium.visit(browser, page.as_uri(), size=size) as seen:
        assert shown(seen) == len(rows)
        seen.page.keyboard.press("Tab")
        seen.page.keyboard.type("fashion a8")
        of_text = [
            "fashion" in r.first.about.lower() and r.first.verdict.claim == "A8"
            for r in rows
        ]
        assert shown(seen) == sum(of_text) > 0
        seen.page.get_by_label("Find").fill("")
        for word in (PARTLY, FAILS, UNDECIDED, NOT_RUN):
            seen.page.get_by_label(str(word), exact=True).press(" ")
        assert shown(seen) == sum(HOLDS in row.words for row in rows)
        seen.page.get_by_label("Section").select_option("4")
        of_four = [HOLDS in row.words and row.first.section == "4" for row in rows]
        assert shown(seen) == sum(of_four) > 0
        assert seen.errors == []


def test_files_are_in_the_page(asked):
    table = ledger_table(asked)
    html = str(ledger_view.downloads(table).data)
    csv, json = re.findall(r"base64,([^\"]*)", html)
    assert base64.b64decode(csv).decode() == table.to_csv(index=False)
    assert '"claim":"G1"' in base64.b64decode(json).decode()


def test_a_run_counts_once_in_the_coverage(store):
    before = coverage(read_inventory(store))
    plant(store, RATES.configs[0])  # of two recipes
    after = coverage(read_inventory(store))
    assert after == before.replace("0 of the ", "1 of the ", 1) != before
    assert after.endswith("at the paper’s scale are recorded (0 %), and 0 others.")


def test_neighbours_have_a_row_for_each_claim_here_and_in_the_files(asked):
    claim = Claim(
        name="XX1", says="Wide < deep (we ask for {n})", check=len, asks={"n": 3}
    )
    verdict = claim.given(Finding(Word.FAILS, "1 & 2."), "digits · n = 5")
    one = Neighbour(paper="A & B (2020)", page="book/papers/ab", verdicts=(verdict,))
    html = str(ledger_view.neighbours_html([one]).data)
    for text in ("XX1", "A &amp; B (2020)", "Wide &lt; deep.", 'href="papers/ab.html"'):
        assert text in html
    assert "does not hold" in html and "We ask for 3." in html
    (row,) = neighbours_table([one, one]).drop_duplicates().to_dict("records")
    assert row["claim"] == "XX1" and row["verdict"] == "does not hold"
    assert {*row} <= {*ledger_table(asked)} and row["scope"] == "digits · n = 5"
    assert row["found"] == "1 & 2." and row["paper_says"] == verdict.says
