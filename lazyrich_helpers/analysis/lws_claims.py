"""The paper's claims about Layer-Wise Sparse training (D1 to D8, E1 to E13).

They judge a `lws_tables.lws_table` of one width. Losses are in points of test accuracy
against full training from the same start with the same seed; a claim holds where the
95 % interval over seeds lies beyond the line it states. The lines are ours.

A claim looks at runs from the start that it is about, and at no others: what is said of
pre-trained networks (E1, E3, E10, E13) is judged by those that start from ImageNet's
weights, and is not run without them. Networks pre-trained here, on other images
(`weights_file`), are no claim's.

What steps took on the clock is judged without intervals, as operations are: E4, E12. A
run's time is there the sum of its steps', which lies on a straight line in the epochs
that it drew by construction: E5, about that line, is asked of the paper's own times
alone (`timing_claims`).

Source: Li & Banerjee (2021), Sections 6.1 and 6.2.
"""

from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.claims import above, interval
from lazyrich_helpers.analysis.lws_judges import (
    ENDS,
    MIDDLE,
    all_bottoms,
    both,
    bottoms,
    costs_between,
    each_loses_more,
    improves,
    in_order,
    loses_less,
    loses_more,
    lost,
    named,
    numbers_of,
    said,
    settings_of,
    some_loses_less,
    takes_on_average,
    top_bottom,
    tops,
)
from lazyrich_helpers.analysis.tables import one_setting
from lazyrich_helpers.analysis.verdicts import (
    Claim,
    Finding,
    Judge,
    Points,
    Several,
    Share,
    Word,
    over,
    widths_of,
    word_of,
)
from lazyrich_helpers.models.imagenet import ImageNetVGG11
from lazyrich_helpers.models.initialization import XavierNormal

XAVIER, PRETRAINED = XavierNormal.kind, ImageNetVGG11.kind
KS = Several((1, 4))
RHOS = Several((0.1, 0.2, 0.3, 0.4, 0.5))
FEW_RHOS = Several((0.1, 0.3, 0.5))
"""Those of our runs of VGG-5."""


def _from(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the runs of one kind of start; ValueError if they are of several."""
    rows = table.loc[table.init == kind]
    one_setting(rows, "width", "updates")
    return rows


def starting_from(kind: str, judge: Judge) -> Judge:
    """Return the same test of the runs that start so, whatever others are there."""

    def of_them(table: pd.DataFrame, **asks: Any) -> Finding:
        rows = _from(table, kind)
        if rows.empty:
            return Finding(Word.NOT_RUN, f"Not run yet from {kind}.")
        return judge(rows, **asks)

    return of_them


def _claim(
    number: str,
    says: str,
    judge: Judge,
    start: str = XAVIER,
    least_width: int = 1,
    **asks: Any,
) -> Claim:
    """Return a claim about networks of one start, with what it asks for."""
    return Claim(
        number,
        says,
        starting_from(start, judge),
        asks,
        least_width=least_width,
        compares=("updates", "init"),
    )


FULL_WIDTH = 64
"""Channels of the first block of the paper's VGG-5 and VGG-11."""

STATIC_MNIST = (
    _claim(
        "D1",
        "On MNIST training the top {k} and the bottom {k} layer of VGG-5, "
        "w = {least_width}, almost attains full training (we ask: less than {line} is "
        "lost)",
        loses_less(lambda k: both([k])),
        k=1,
        line=Points(1),
        least_width=FULL_WIDTH,
    ),
    _claim(
        "D2",
        "Training the top {ks:or} layers of VGG-5, w = {least_width}, as many at "
        "either end ({ends:or}), or the middle loses at most {line}",
        loses_less(lambda ks, ends: [*tops(ks), *both(ends), MIDDLE]),
        ks=Several((3, 4)),
        ends=ENDS,
        line=Points(2),
        least_width=FULL_WIDTH,
    ),
    _claim(
        "D8",
        "Training top and bottom is only mildly faster (we ask: with {ends:or} layers "
        "at either end {low} to {high} of full training's backward operations, and of "
        "its time)",
        costs_between(lambda ends: both(ends)),
        ends=ENDS,
        low=Share(0.5),
        high=Share(1),
    ),
)
"""Claims about Figures 7 (a) and 8 (a)."""

STATIC_CIFAR10 = (
    _claim(
        "D3",
        "On CIFAR-10 training the top layers of VGG-11 alone does not work well (we "
        "ask: the top {ks} lose more than {line})",
        loses_more(lambda ks: tops(ks)),
        ks=ENDS,
        line=Points(10),
    ),
    _claim(
        "D4",
        "Training bottom layers alone takes more of them (we ask: of the bottom {qs} "
        "layers, the most lose less than the fewest)",
        improves(lambda qs: bottoms(qs)),
        qs=ENDS,
    ),
    _claim(
        "D5",
        "Training the middle loses less than {line}",
        loses_less(lambda: [MIDDLE]),
        line=Points(5),
    ),
    _claim(
        "D6",
        "Some combination of top and bottom layers almost equals full training (we "
        "ask: with {ends:or} layers at either end less than {line} is lost)",
        some_loses_less(lambda ends: both(ends)),
        ends=ENDS,
        line=Points(2),
    ),
)
"""Claims about Figure 7 (b)."""

PRESERVED = _claim(
    "E11",
    "Top k all bottoms with a large k and random uniform preserve the accuracy (we "
    "ask: less than {line} is lost by either, the former with k = {k} at ρ = {rho:g})",
    loses_less(lambda k, rho: [*all_bottoms([k], [rho]), ("random uniform", None)]),
    k=4,
    rho=0.1,
    line=Points(1),
)
"""Figure 10 says so of both data sets; the paper's Table 1 contradicts it for one."""


def _suitable(network: str, start: str, line: float) -> Claim:
    return _claim(
        "E1",
        f"Top k all bottoms with a suitable k matches full training of {network} "
        "already at ρ = {rho:g} (we ask: for k = {ks:or} less than {line} is lost)",
        some_loses_less(lambda ks, rho: all_bottoms(ks, [rho])),
        start,
        ks=KS,
        rho=0.1,
        line=Points(line),
    )


def _cheaper(rhos: Several) -> Claim:
    def judge(
        table: pd.DataFrame, *, least: float, most: float, slack: float, **asks: Any
    ) -> Finding:
        low, high = 1 / most * (1 - slack), 1 / least * (1 + slack)
        costs = costs_between(lambda ks, rhos: all_bottoms(ks, rhos))
        return costs(table, low=low, high=high, **asks)

    return _claim(
        "E4",
        "Back-propagation is {least:g} to {most:g} times cheaper (we ask: with top "
        "{ks} all bottoms at ρ = {rhos}, in operations and in time, and leave {slack} "
        "to the luck of the draws)",
        judge,
        ks=KS,
        rhos=rhos,
        least=2,
        most=5,
        slack=Share(0.2),
    )


def _halved(rhos: Several) -> Claim:
    return _claim(
        "E12",
        "The time of the whole training is about halved, since the forward pass stays "
        "(we ask: with top {ks} all bottoms at ρ = {rhos}, and nothing kept between "
        "steps, {low} to {high} of full training's on average)",
        takes_on_average(lambda ks, rhos: all_bottoms(ks, rhos)),
        ks=KS,
        rhos=rhos,
        low=Share(0.4),
        high=Share(0.65),
    )


RANDOM_MNIST = (
    _suitable("VGG-5", XAVIER, 1),
    _claim(
        "E9",
        "On MNIST accuracy takes only a slight hit even with the very bottom layer at "
        "ρ = {rho:g} (it does not say with how many at the top; we ask: top {k} bottom "
        "{q} of VGG-5, w = {least_width}, loses less than {line})",
        loses_less(lambda k, q, rho: top_bottom(k, q, [rho])),
        k=1,
        q=1,
        rho=0.1,
        line=Points(1),
        least_width=FULL_WIDTH,
    ),
    PRESERVED,
    _cheaper(FEW_RHOS),
    _halved(FEW_RHOS),
)
"""Claims about Figures 9 to 12 (a)."""

RANDOM_CIFAR10 = (
    _claim(
        "E2",
        "From Xavier's initialization, top k all bottoms at ρ = {rho:g} does not match "
        "full training of VGG-11 (we ask: for k = {ks} more than {line} are lost)",
        loses_more(lambda ks, rho: all_bottoms(ks, [rho])),
        ks=KS,
        rho=0.1,
        line=Points(5),
    ),
    _cheaper(RHOS),
    _claim(
        "E6",
        "Random uniform loses some accuracy, random beta most of it (we ask: more than "
        "{uniform}, and more than {beta})",
        each_loses_more(
            {"uniform": ("random uniform", None), "beta": ("random beta (2, 5)", None)}
        ),
        uniform=Points(2),
        beta=Points(20),
    ),
    _claim(
        "E7",
        "Accuracy increases with ρ in every family (we ask: top {k} and top {more}, "
        "each with all bottoms and with the bottom {q}, lose less at each of "
        "ρ = {rhos} than at the one before)",
        in_order(
            {
                "top {k} all bottoms": lambda k, rhos: all_bottoms([k], rhos),
                "top {more} all bottoms": lambda more, rhos: all_bottoms([more], rhos),
                "top {k} bottom {q}": lambda k, q, rhos: top_bottom(k, q, rhos),
                "top {more} bottom {q}": lambda more, q, rhos: top_bottom(
                    more, q, rhos
                ),
            }
        ),
        k=1,
        more=4,
        q=4,
        rhos=RHOS,
    ),
    _claim(
        "E8",
        "With few layers at the bottom, more at the top are better, with all bottoms "
        "fewer are (we ask: top {more} against top {k} with the bottom {q} and with "
        "all bottoms, at ρ = {rho:g})",
        in_order(
            {
                "the bottom {q}": lambda k, more, q, rho: [
                    *top_bottom(k, q, [rho]),
                    *top_bottom(more, q, [rho]),
                ],
                "all bottoms": lambda k, more, rho: all_bottoms([more, k], [rho]),
            }
        ),
        k=1,
        more=4,
        q=4,
        rho=0.1,
    ),
    PRESERVED,
    _halved(RHOS),
)
"""Claims about Table 1's rows that start from Xavier's initialization, and their part
of Figures 9 and 12."""


def _loses_more_when_harder(
    easy: pd.DataFrame, hard: pd.DataFrame, *, ks: Several, q: int, rho: float
) -> Finding:
    """Compare what cells lost on either data set; undecided where intervals overlap."""
    cells = [
        c for k in ks for c in (*top_bottom(k, q, [rho]), *all_bottoms([k], [rho]))
    ]
    tables = [_from(table, XAVIER) for table in (easy, hard) if not table.empty]
    words, texts = {}, {}
    for cell in cells:
        values = [lost(table, cell).dropna() for table in tables]
        if sum(not each.empty for each in values) < 2:
            words[cell] = Word.NOT_RUN
            continue
        (one, one_half), (two, two_half) = (interval(each) for each in values)
        apart = abs(two - one) > one_half + two_half
        words[cell] = word_of(two > one if apart else None)
        texts[cell] = f"{said(values[0])} and {said(values[1])}"
    what = "Points lost on MNIST and on CIFAR-10"
    if texts:
        what = f"Points lost on MNIST ({settings_of(easy, texts)}) and on CIFAR-10"
    word, part = over(words, lambda good: named(good, cells))
    return Finding(word, numbers_of(what, texts, len(cells), hard), part)


HARDER = Claim(
    "E10",
    "The harder the task, the more and the more frequent updates the bottom needs (we "
    "ask: with top {ks} and the bottom {q} or all bottoms, at ρ = {rho:g}, more is "
    "lost on CIFAR-10 than on MNIST)",
    _loses_more_when_harder,
    {"ks": KS, "q": 4, "rho": 0.1},
    compares=("updates", "init"),
)
"""Judges two `lws_tables.lws_table`s: of MNIST, and of CIFAR-10."""


def _starts_better(table: pd.DataFrame) -> Finding:
    full = table.loc[table.schedule == "full"]
    own, plain = (_from(full, kind).set_index("seed") for kind in (PRETRAINED, XAVIER))
    better = (100 * (own.test_accuracy - plain.test_accuracy)).dropna()
    early = (plain.early_loss - own.early_loss).dropna()
    if better.empty or early.empty:
        numbers = f"Not run yet with the same seeds from {XAVIER} and {PRETRAINED}."
        return Finding(Word.NOT_RUN, numbers)
    numbers = (
        f"Against {XAVIER}, full training from {PRETRAINED} gains {said(better)} "
        f"points of test accuracy, and {said(early)} nats of training loss over the "
        f"first tenth of the epochs (w = {widths_of(table)[-1]:,}, n = {len(better)})."
    )
    asked = {"generalising": better, "converging": early}
    words = {what: word_of(above(values, 0.0)) for what, values in asked.items()}
    word, part = over(words, lambda good: f"in {Several(good)}")
    return Finding(word, numbers, part)


def _start_helps(table: pd.DataFrame, *, ks: Several, rho: float) -> Finding:
    words, texts, cells = {}, {}, all_bottoms(ks, [rho])
    for cell in cells:
        here, plain = (lost(_from(table, kind), cell) for kind in (PRETRAINED, XAVIER))
        less = (plain - here).dropna()
        words[cell] = word_of(above(less, 0.0)) if len(less) else Word.NOT_RUN
        texts |= {cell: said(less)} if len(less) else {}
    what = f"Points less lost from {PRETRAINED} than from {XAVIER}"
    word, part = over(words, lambda good: named(good, cells))
    numbers = numbers_of(what, texts, len(cells), _from(table, PRETRAINED))
    return Finding(word, numbers, part)


PRETRAINED_CIFAR10 = (
    _suitable("VGG-11 from pre-trained weights", PRETRAINED, 2),
    _claim(
        "E3",
        "From pre-trained weights, top {k} all bottoms is slightly better than full "
        "training (we ask: at ρ = {rhos})",
        loses_less(lambda k, rhos: all_bottoms([k], rhos)),
        PRETRAINED,
        k=4,
        rhos=Several(RHOS[2:]),
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
"""Claims about Table 1's rows that start from pre-trained networks; E10 and E13 judge a
table that also has those which start from Xavier's initialization."""
