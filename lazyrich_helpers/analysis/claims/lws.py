"""The paper's claims about Layer-Wise Sparse training: D1 to D6, D8, D9, E1 to E12.

They are about a `tables.lws.lws_table` of one width. Losses are in points of test
accuracy against full training from the same start with the same seed; a claim holds
where the 95 % interval over seeds lies beyond the line it states. The lines are ours.

What steps took on the clock is checked without intervals, as FLOPs are: D8, E4, E12. A
run's time is there the sum of its steps', which lies on a straight line in the epochs
that it drew by construction: E5, about that line, is asked of the paper's own times
alone (`claims.timing`).

Source: Li & Banerjee (2021), Sections 6.1 and 6.2.
"""

from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Points, Several, Share
from lazyrich_helpers.analysis.claims.lws_checks import (
    ENDS,
    FULL_WIDTH,
    XAVIER,
    costs_between,
    each_loses_more,
    improves,
    in_order,
    loses_less,
    loses_more,
    lws_claim,
    some_loses_less,
    takes_on_average,
)
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding

BOTH_ENDS = "top {ends} bottom {ends}"

STATIC_MNIST = (
    lws_claim(
        "D1",
        "On MNIST training the top {k} and the bottom {k} layer of VGG-5, "
        "w = {least_width}, almost attains full training (we ask: less than {line} is "
        "lost)",
        loses_less("top {k} bottom {k}"),
        {"k": 1, "line": Points(1)},
        least_width=FULL_WIDTH,
    ),
    lws_claim(
        "D2",
        "Training VGG-5's top, both ends or middle, w = {least_width}, loses at most "
        "{line} (we ask: with the top {ks:or} layers, {ends:or} at either end)",
        loses_less("top {ks}", BOTH_ENDS, "middle"),
        {"ks": Several((3, 4)), "ends": ENDS, "line": Points(2)},
        least_width=FULL_WIDTH,
    ),
    lws_claim(
        "D8",
        "Training top and bottom is only mildly faster (we ask: with {ends:or} layers "
        "at either end {low} to {high} of full training's backward operations, and of "
        "its time)",
        costs_between(BOTH_ENDS),
        {"ends": ENDS, "low": Share(0.5), "high": Share(1)},
    ),
)
"""Claims about Figures 7 (a) and 8 (a)."""

STATIC_CIFAR10 = (
    lws_claim(
        "D3",
        "On CIFAR-10 training the top layers of VGG-11 alone does not work well (we "
        "ask: the top {ks} lose more than {line})",
        loses_more("top {ks}"),
        {"ks": ENDS, "line": Points(10)},
    ),
    lws_claim(
        "D4",
        "Training bottom layers alone takes more of them (we ask: of the bottom {qs} "
        "layers, the most lose less than the fewest)",
        improves("bottom {qs}"),
        {"qs": ENDS},
    ),
    lws_claim(
        "D5",
        "Training the middle loses less than {line}",
        loses_less("middle"),
        {"line": Points(5)},
    ),
    lws_claim(
        "D6",
        "Some combination of top and bottom layers almost equals full training (we "
        "ask: with {ends:or} layers at either end less than {line} is lost)",
        some_loses_less(BOTH_ENDS),
        {"ends": ENDS, "line": Points(2)},
    ),
    lws_claim(
        "D9",
        "Training the very top and the very bottom layer of VGG-11 works as well as "
        "training all (we ask: the top {k} and the bottom {k} lose less than {line})",
        loses_less("top {k} bottom {k}"),
        {"k": 1, "line": Points(1)},
    ),
)
"""Claims about Figure 7 (b); D9 is the Introduction's."""


KS = Several((1, 4))
RHOS = Several((0.1, 0.2, 0.3, 0.4, 0.5))
FEW_RHOS = Several((0.1, 0.3, 0.5))
"""Those of our runs of VGG-5."""
ALL_BOTTOMS = "top {ks} all bottoms, ρ {rhos}"
ALL_BOTTOMS_AT_RHO = "top {ks} all bottoms, ρ {rho}"

PRESERVED = lws_claim(
    "E11",
    "Top k all bottoms with a large k and random uniform preserve the accuracy (we "
    "ask: less than {line} is lost by either, the former with k = {k} at ρ = {rho:g})",
    loses_less("top {k} all bottoms, ρ {rho}", "random uniform"),
    {"k": 4, "rho": 0.1, "line": Points(1)},
)
"""Figure 10 says so of both data sets, with a sufficiently large k. The paper's Table 1
stops at k = 4, and has random uniform lose 5.7 points."""


def suitable(network: str, start: str, line: float) -> Claim:
    """Return the claim that a suitable k matches full training from a start."""
    return lws_claim(
        "E1",
        f"Top k all bottoms with a suitable k matches full training of {network} "
        "already at ρ = {rho:g} (we ask: for k = {ks:or} less than {line} is lost)",
        some_loses_less(ALL_BOTTOMS_AT_RHO),
        {"ks": KS, "rho": 0.1, "line": Points(line)},
        start,
    )


def _cheaper(rhos: Several) -> Claim:
    def check(
        table: pd.DataFrame, *, least: float, most: float, slack: float, **asks: Any
    ) -> Finding:
        low, high = 1 / most * (1 - slack), 1 / least * (1 + slack)
        return costs_between(ALL_BOTTOMS)(table, low=low, high=high, **asks)

    return lws_claim(
        "E4",
        "Back-propagation is {least:g} to {most:g} times cheaper (we ask: with top "
        "{ks} all bottoms at ρ = {rhos}, in FLOPs and in time, and leave {slack} "
        "to the luck of the draws)",
        check,
        {"ks": KS, "rhos": rhos, "least": 2, "most": 5, "slack": Share(0.2)},
    )


def _halved(rhos: Several) -> Claim:
    return lws_claim(
        "E12",
        "The time of the whole training is about halved, since the forward pass stays "
        "(we ask: with top {ks} all bottoms at ρ = {rhos}, and nothing cached between "
        "steps, {low} to {high} of full training's on average)",
        takes_on_average(ALL_BOTTOMS),
        {"ks": KS, "rhos": rhos, "low": Share(0.4), "high": Share(0.65)},
    )


RANDOM_MNIST = (
    suitable("VGG-5", XAVIER, 1),
    lws_claim(
        "E9",
        "On MNIST accuracy takes only a slight hit even with the very bottom layer at "
        "ρ = {rho:g} (it does not say with how many at the top; we ask: top {k} bottom "
        "{q} of VGG-5, w = {least_width}, loses less than {line})",
        loses_less("top {k} bottom {q}, ρ {rho}"),
        {"k": 1, "q": 1, "rho": 0.1, "line": Points(1)},
        least_width=FULL_WIDTH,
    ),
    PRESERVED,
    _cheaper(FEW_RHOS),
    _halved(FEW_RHOS),
)
"""Claims about Figures 9 to 12 (a)."""

RANDOM_CIFAR10 = (
    lws_claim(
        "E2",
        "From Xavier's initialization, top k all bottoms at ρ = {rho:g} does not match "
        "full training of VGG-11 (we ask: for k = {ks} more than {line} are lost)",
        loses_more(ALL_BOTTOMS_AT_RHO),
        {"ks": KS, "rho": 0.1, "line": Points(5)},
    ),
    _cheaper(RHOS),
    lws_claim(
        "E6",
        "Random uniform loses some accuracy, random beta most of it (we ask: more than "
        "{uniform}, and more than {beta})",
        each_loses_more({"random uniform": "uniform", "random beta (2, 5)": "beta"}),
        {"uniform": Points(2), "beta": Points(20)},
    ),
    lws_claim(
        "E7",
        "As we read the table, accuracy increases with ρ from Xavier's initialization, "
        "but for one small step (we ask: "
        "top {k} and top {more}, each with all bottoms and with the bottom {q}, lose "
        "less at each of ρ = {rhos} than at the one before)",
        in_order(
            {
                family: [f"{family}, ρ {{rhos}}"]
                for family in (
                    "top {k} all bottoms",
                    "top {more} all bottoms",
                    "top {k} bottom {q}",
                    "top {more} bottom {q}",
                )
            }
        ),
        {"k": 1, "more": 4, "q": 4, "rhos": RHOS},
    ),
    lws_claim(
        "E8",
        "As we read the table, at ρ = {rho:g} more layers at the top are better with "
        "few at the bottom, fewer with all bottoms (we ask, from Xavier's "
        "initialization: top {more} against top {k}, with the bottom {q} and with all "
        "bottoms)",
        in_order(
            {
                "the bottom {q}": [
                    "top {k} bottom {q}, ρ {rho}",
                    "top {more} bottom {q}, ρ {rho}",
                ],
                "all bottoms": [
                    "top {more} all bottoms, ρ {rho}",
                    "top {k} all bottoms, ρ {rho}",
                ],
            }
        ),
        {"k": 1, "more": 4, "q": 4, "rho": 0.1},
    ),
    PRESERVED,
    _halved(RHOS),
)
"""Claims about Table 1's rows that start from Xavier's initialization, and their part
of Figures 9 and 12."""
