"""The paper's claims about gradients (G1) and about active layers (B1 to B5).

A claim holds where the 95 % interval over seeds lies beyond the line it states, and is
open where the interval spans the line. The lines are ours: the paper shows pictures.
Active is what has one of the 1 % largest gradients, by epoch, as in its Section 5.
"""

from collections.abc import Iterable

import pandas as pd

from lazyrich_helpers.activity_tables import layer_name
from lazyrich_helpers.claims import (
    Claim,
    Judge,
    above,
    everywhere,
    interval,
    num_seeds,
    widths_of,
)
from lazyrich_helpers.tables import one_setting

ALPHA = 1
"""Share of parameters that is active, in percent."""
EVEN = ALPHA / 100
"""A layer's mean frequency where activity is spread evenly."""
FACTOR = 3
"""How many times more, or less, often counts as a difference."""


def frequencies(table: pd.DataFrame, width: int) -> pd.DataFrame:
    """Return mean frequency of activity at α = 1 %: a row per seed, a column per layer.

    Args:
        table: An `activity_tables.activity_table`.
        width: One that is in it.
    """
    rows = table.loc[(table.width == width) & (table.definition == "gradient")]
    return rows.loc[rows.alpha == ALPHA].pivot(
        index="seed", columns="layer", values="frequency"
    )


def layer_summary(table: pd.DataFrame, *, width: int, alpha: int) -> pd.DataFrame:
    """Return what is active in each layer, in words: a row per layer, 1 the bottom.

    Means over seeds with the half-width of their 95 % interval: `frequency`, how often
    a weight is active, and `share`, the layer's part of all active weights, in percent;
    `relative`, that part over the layer's part of all weights.

    Args:
        table: An `activity_tables.activity_table` of one setting.
        width: One that is in it.
        alpha: Share of the network's parameters that is active, in percent.
    """
    one_setting(table, "width")
    rows = table.loc[(table.width == width) & (table.definition == "gradient")]
    layers = rows.loc[rows.alpha == alpha].groupby("layer")
    columns = {"frequency": 100.0, "share": 100.0, "relative": 1.0}
    summary = pd.DataFrame(
        {
            name: [_with_interval(scale * values) for _, values in layers[name]]
            for name, scale in columns.items()
        }
    )
    names = [layer_name(layer, len(layers)) for layer in layers.groups]
    return summary.set_axis(names, axis="index")


def _with_interval(values: pd.Series) -> str:
    mean, half = interval(values)
    return f"{mean:.2g}" + (f" ± {half:.1g}" if half < float("inf") else "")


def _listed(found: pd.DataFrame) -> str:
    means = ", ".join(f"{100 * value:.2g}" for value in found.mean())
    return f"{means} % of epochs, bottom to top"


def spread_at(width: int) -> Judge:
    """Return the test that no layer at `width` is active a third as often as evenly."""

    def judge(table: pd.DataFrame) -> tuple[bool | None, str]:
        if width not in widths_of(table):
            return None, f"Not run yet at w = {width:,}."
        found = frequencies(table, width)
        layers = [above(values, EVEN / FACTOR) for _, values in found.items()]
        n = f"n = {len(found)} seeds"
        return everywhere(layers), f"w = {width:,}: {_listed(found)} ({n})."

    return judge


def concentrated(table: pd.DataFrame, ends: Iterable[int]) -> tuple[bool | None, str]:
    """Judge whether these layers, 0 or -1, outdo all others at the widest network."""
    width = widths_of(table)[-1]
    found = frequencies(table, width)
    layers = [values for _, values in found.items()]
    chosen = [layers.pop(end) for end in sorted(ends)]
    answers = [above(one - FACTOR * other, 0.0) for one in chosen for other in layers]
    numbers = f"w = {width:,}: {_listed(found)} (n = {len(found)} seeds)."
    return everywhere(answers) if answers else None, numbers


def _at_both_ends(table: pd.DataFrame) -> tuple[bool | None, str]:
    return concentrated(table, (0, -1))


def _spread_then_at_the_bottom(table: pd.DataFrame) -> tuple[bool | None, str]:
    spread, narrow = spread_at(10)(table)
    bottom, wide = concentrated(table, (0,))
    return everywhere([spread, bottom]), f"{narrow} {wide}"


def _middle_is_idle(table: pd.DataFrame) -> tuple[bool | None, str]:
    middles = {w: frequencies(table, w).iloc[:, 1:-1] for w in widths_of(table)}
    answers = [
        above(-values, -EVEN / FACTOR)
        for middle in middles.values()
        for _, values in middle.items()
    ]
    means = [middle.mean(axis=1) for middle in middles.values()]
    if len(means) > 1:
        answers.append(above(means[0] - means[-1], 0.0))
    listed = "; ".join(
        f"w = {width:,}: {100 * mean.mean():.2g} %"
        for width, mean in zip(middles, means, strict=True)
    )
    numbers = f"epochs in which a middle weight is active: {listed}"
    return everywhere(answers), f"{numbers} ({num_seeds(table)})."


def _gradient_is_skewed(table: pd.DataFrame) -> tuple[bool | None, str]:
    rows = table.loc[table.percent == 1]
    answers, looks = [], []
    for epoch, look in rows.groupby("epoch"):
        shares = look.set_index("seed")[["l1", "l2"]]
        answers += [above(shares.l1, 0.3), above(shares.l2, 0.6)]
        (l1, _), (l2, _) = interval(shares.l1), interval(shares.l2)
        zeros = f"{100 * look.zeros.mean():.2g} % zeros"
        looks.append(f"{epoch}: {100 * l1:.0f} and {100 * l2:.0f} % ({zeros})")
    numbers = "the largest 1 % hold of Σ|g| and Σg², by epochs done: " + "; ".join(
        looks
    )
    return everywhere(answers), f"{numbers} ({num_seeds(rows)})."


GRADIENT_CLAIMS = (
    Claim(
        "G1",
        "Most components of a mini-batch gradient are close to zero, a small part is "
        "not (we ask: the largest 1 % hold more than 30 % of the sum of absolute "
        "values and more than 60 % of the sum of squares, whenever we look)",
        _gradient_is_skewed,
    ),
)
"""Claims about Figure 1; they judge an `activity_tables.skew_table`."""

MIDDLE_IS_IDLE = Claim(
    "B4",
    "Middle layers hardly have any active parameters, least of all in wide networks "
    "(we ask: less than a third of an even share, and less when widest)",
    _middle_is_idle,
)

RELU_NET_CLAIMS = (
    Claim(
        "B1",
        "At width 100 active parameters are spread over all layers (we ask: every "
        "layer has more than a third of an even share)",
        spread_at(100),
    ),
    Claim(
        "B2",
        "In wide networks they are in the bottom and the top layer (we ask: there "
        "more than three times as often as in any other)",
        _at_both_ends,
        least_width=1000,
    ),
    MIDDLE_IS_IDLE,
)
"""Claims about Figure 5; they judge an `activity_tables.activity_table`."""

CONV_NET_CLAIMS = (
    Claim(
        "B3",
        "Spread over all layers at width 10, active parameters are in the bottom layer "
        "alone when wide (we ask: first more than a third of an even share in every "
        "layer; then more than three times as often as in any other)",
        _spread_then_at_the_bottom,
        least_width=50,
    ),
    MIDDLE_IS_IDLE,
)
"""Claims about Figures 6 and 17."""

FASHION_RELU_NET = Claim(
    "B5",
    "On Fashion-MNIST, too, active parameters of wide ReLU-Nets are in the bottom and "
    "the top layer (we ask as in B2)",
    _at_both_ends,
    least_width=1000,
)
FASHION_CONV_NET = Claim(
    "B5",
    "On Fashion-MNIST, too, active parameters of Conv-Nets are in the bottom layer (we "
    "ask: at the widest network more than three times as often as in any other)",
    lambda table: concentrated(table, (0,)),
    least_width=50,
)
"""Claims about Figures 18 and 19; each judges its own `activity_table`."""
