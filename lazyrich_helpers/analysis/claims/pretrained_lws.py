"""The paper's claims about pre-trained networks and harder tasks (E1, E3, E10, E13).

As in `static_lws_claims`. A claim looks at runs from the start that it is about, and at
no others: what is said of pre-trained networks is asked of those that start from
ImageNet's weights, and is not run without them. Networks pre-trained here, on other
images (`weights_file`), are no claim's.

Source: Li & Banerjee (2021), Section 6.2.
"""

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Several
from lazyrich_helpers.analysis.claims.everywhere import over, word_of
from lazyrich_helpers.analysis.claims.lws import (
    ALL_BOTTOMS_AT_RHO,
    KS,
    RHOS,
    suitable,
)
from lazyrich_helpers.analysis.claims.lws_cells import (
    cells_for,
    in_part,
    listed,
    lost,
    settings_of,
)
from lazyrich_helpers.analysis.claims.lws_checks import (
    PRETRAINED,
    XAVIER,
    loses_less,
    lws_claim,
    of_their_width,
    starting_from,
)
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Word, widths_of
from lazyrich_helpers.analysis.tables.statistics import (
    above,
    confidence_interval,
    with_interval,
)

LOWER = ("bottom {q}", "all bottoms")


def _plain(values: pd.Series) -> str:
    return with_interval(values, sign=False)


def _loses_more_when_harder(
    easy: pd.DataFrame, hard: pd.DataFrame, *, ks: Several, q: int, rho: float
) -> Finding:
    """Compare what cells lost on either data set; undecided where intervals overlap."""
    templates = [f"top {k} {low}, ρ {{rho}}" for k in ks for low in LOWER]
    cells = cells_for(templates, {"q": q, "rho": rho})
    tables = [starting_from(table, XAVIER) for table in (easy, hard) if not table.empty]
    words, texts = {}, {}
    for cell in cells:
        values = [lost(table, cell).dropna() for table in tables]
        if sum(not each.empty for each in values) < 2:
            words[cell] = Word.NOT_RUN
            continue
        (one, one_half), (two, two_half) = map(confidence_interval, values)
        apart = abs(two - one) > one_half + two_half
        words[cell] = word_of(two > one if apart else None)
        texts[cell] = " and ".join(map(_plain, values))
    what = "Points lost on MNIST and on CIFAR-10"
    if texts:
        what = f"Points lost on MNIST ({settings_of(easy, texts)}) and on CIFAR-10"
    numbers = listed(what, texts, len(cells), hard)
    found = over(words, lambda good: in_part(good, cells), numbers)
    return of_their_width(found, hard)


HARDER = Claim(
    "E10",
    "The harder the task, the more and the more frequent updates the bottom needs (we "
    "ask: with top {ks} and the bottom {q} or all bottoms, at ρ = {rho:g}, more is "
    "lost on CIFAR-10 than on MNIST)",
    _loses_more_when_harder,
    {"ks": KS, "q": 4, "rho": 0.1},
    compares=("updates", "init"),
)
"""About two `tables.lws.lws_table`s: of MNIST, and of CIFAR-10."""


def _starts_better(table: pd.DataFrame) -> Finding:
    full = table.loc[table.schedule == "full"]
    own, plain = (
        starting_from(full, kind).set_index("seed") for kind in (PRETRAINED, XAVIER)
    )
    better = (100 * (own.test_accuracy - plain.test_accuracy)).dropna()
    early = (plain.early_loss - own.early_loss).dropna()
    if better.empty or early.empty:
        numbers = f"Not run yet with the same seeds from {XAVIER} and {PRETRAINED}."
        return Finding(Word.NOT_RUN, numbers)
    numbers = (
        f"Against {XAVIER}, full training from {PRETRAINED} gains {_plain(better)} "
        f"points of test accuracy, and {_plain(early)} nats of training loss over the "
        f"first tenth of the epochs (w = {widths_of(table)[-1]:,}, n = {len(better)})."
    )
    asked = {"generalising": better, "converging": early}
    words = {what: word_of(above(values, 0.0)) for what, values in asked.items()}
    return over(words, lambda good: f"in {Several(good)}", numbers)


def _start_helps(table: pd.DataFrame, *, ks: Several, rho: float) -> Finding:
    words, texts = {}, {}
    cells = cells_for([ALL_BOTTOMS_AT_RHO], {"ks": ks, "rho": rho})
    for cell in cells:
        here, plain = (
            lost(starting_from(table, kind), cell) for kind in (PRETRAINED, XAVIER)
        )
        less = (plain - here).dropna()
        words[cell] = word_of(above(less, 0.0)) if len(less) else Word.NOT_RUN
        texts |= {cell: _plain(less)} if len(less) else {}
    what = f"Points less lost from {PRETRAINED} than from {XAVIER}"
    numbers = listed(what, texts, len(cells), starting_from(table, PRETRAINED))
    return over(words, lambda good: in_part(good, cells), numbers)


PRETRAINED_CIFAR10 = (
    suitable("VGG-11 from pre-trained weights", PRETRAINED, 2),
    lws_claim(
        "E3",
        "From pre-trained weights, top {k} all bottoms is slightly better than full "
        "training (we ask: at ρ = {rhos})",
        loses_less("top {k} all bottoms, ρ {rhos}"),
        {"k": 4, "rhos": Several(RHOS[2:])},
        PRETRAINED,
    ),
    Claim(
        "E10",
        "Pre-training allows a lower ρ (we ask: at ρ = {rho:g} top {ks} all bottoms "
        "lose less than from Xavier's initialization)",
        _start_helps,
        {"ks": KS, "rho": 0.1},
        compares=("updates", "init"),
    ),
    Claim(
        "E13",
        "Trained whole, pre-trained networks generalise better and converge faster (we "
        "ask: better test accuracy, and lower training loss over the first tenth of "
        "the epochs)",
        _starts_better,
        compares=("updates", "init"),
    ),
)
"""Claims about Table 1's rows that start from pre-trained networks; E10 and E13 are
about a table that also has those which start from Xavier's initialization."""
