"""The paper's claims about static Layer-Wise Sparse training (D1 to D6, D8).

They are about a `lws_tables.lws_table` of one width. Losses are in points of test
accuracy against full training from the same start with the same seed; a claim holds
where the 95 % interval over seeds lies beyond the line it states. The lines are ours.

Source: Li & Banerjee (2021), Section 6.1.
"""

from lazyrich_helpers.analysis.amounts import Points, Several, Share
from lazyrich_helpers.analysis.lws_checks import (
    ENDS,
    FULL_WIDTH,
    costs_between,
    improves,
    loses_less,
    loses_more,
    lws_claim,
    some_loses_less,
)

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
)
"""Claims about Figure 7 (b)."""
