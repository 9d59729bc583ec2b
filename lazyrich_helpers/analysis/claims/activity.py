"""The paper's claims about gradients (G1) and about active layers (B1 to B5).

A claim holds where the 95 % interval over seeds lies beyond the line it states, and is
undecided where the interval spans the line. The lines are ours: the paper shows
pictures. Active is what has one of the α % largest gradients, by epoch, as in its
Section 5; every claim is asked at each α of its figures.
"""

import functools
from collections.abc import Callable, Iterable

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Several, Share
from lazyrich_helpers.analysis.claims.everywhere import (
    everywhere,
    for_widths,
    over,
    word_of,
)
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Word, widths_of
from lazyrich_helpers.analysis.tables.statistics import above, num_seeds


def frequencies(table: pd.DataFrame, width: int, alpha: int) -> pd.DataFrame:
    """Return how often layers are active, over evenly: a row per seed, layers across.

    Of an `tables.activity.activity_table`. An even frequency is `alpha`, the percentage
    of the network's parameters that is active.
    """
    rows = table.loc[(table.width == width) & (table.definition == "gradient")]
    found = rows.loc[rows.alpha == alpha].pivot(
        index="seed", columns="layer", values="frequency"
    )
    return found / (alpha / 100)


def _listed(found: pd.DataFrame) -> str:
    return ", ".join(f"{value:.2g}" for value in found.mean())


def _at_each_alpha(
    table: pd.DataFrame,
    width: int,
    alphas: Several,
    answer: Callable[[pd.DataFrame], bool | None],
) -> Finding:
    """Ask a question of a width's `frequencies` at every α."""
    found = {alpha: frequencies(table, width, alpha) for alpha in alphas}
    words = {
        alpha: Word.NOT_RUN if own.empty else word_of(answer(own))
        for alpha, own in found.items()
    }
    listed = "; ".join(f"α = {a} %: {_listed(own)}" for a, own in found.items())
    numbers = f"Frequency over an even one, bottom to top, w = {width:,}: {listed} "
    numbers += f"(n = {max(map(len, found.values()))} seeds)."
    return over(words, lambda good: f"at α = {Several(good)} %", numbers)


def _spread(
    table: pd.DataFrame, *, width: int, alphas: Several, factor: float
) -> Finding:
    """Say whether no layer at `width` is much less active than evenly."""
    if width not in widths_of(table):
        return Finding(Word.NOT_RUN, f"Not run yet at w = {width:,}.")

    def answer(found: pd.DataFrame) -> bool | None:
        return everywhere(above(values, 1 / factor) for _, values in found.items())

    return _at_each_alpha(table, width, alphas, answer)


def _concentrated(
    ends: Iterable[int], table: pd.DataFrame, *, alphas: Several, factor: float
) -> Finding:
    """Say whether these layers, 0 or -1, outdo all others at the widest network."""

    def answer(found: pd.DataFrame) -> bool | None:
        layers = [values for _, values in found.items()]
        chosen = [layers.pop(end) for end in sorted(ends)]
        pairs = [(one, other) for one in chosen for other in layers]
        more = [above(one - factor * other, 0.0) for one, other in pairs]
        return everywhere(more) if more else None

    return _at_each_alpha(table, widths_of(table)[-1], alphas, answer)


_at_both_ends = functools.partial(_concentrated, (0, -1))
_at_the_bottom = functools.partial(_concentrated, (0,))


def _spread_then_at_the_bottom(
    table: pd.DataFrame, *, width: int, alphas: Several, factor: float
) -> Finding:
    narrow = _spread(table, width=width, alphas=alphas, factor=factor)
    wide = _at_the_bottom(table, alphas=alphas, factor=factor)
    numbers = f"{narrow.numbers} {wide.numbers}"
    both = [("spread", narrow), ("at the bottom", wide)]
    good = [(name, f) for name, f in both if f.word in (Word.HOLDS, Word.PARTLY)]
    if {narrow.word, wide.word} & {Word.FAILS, Word.PARTLY}:
        parts = "; ".join(f"{name} {f.part}".strip() for name, f in good)
        return Finding(Word.PARTLY if good else Word.FAILS, numbers, parts)
    return over({name: found.word for name, found in both}, lambda _: "", numbers)


def _middle_is_idle(table: pd.DataFrame, *, alphas: Several, factor: float) -> Finding:
    widths = widths_of(table)
    places = [(alpha, width) for alpha in alphas for width in widths]
    middles = {(a, w): frequencies(table, w, a).iloc[:, 1:-1] for a, w in places}
    most = {place: middle.max(axis=1) for place, middle in middles.items()}
    words: dict[tuple[int, int | None], Word] = {}
    for place, middle in middles.items():
        idle = [above(-values, -1 / factor) for _, values in middle.items()]
        words[place] = word_of(everywhere(idle)) if idle else Word.NOT_RUN
    for alpha in alphas:  # None: as the network gets wider
        less = most[alpha, widths[0]] - most[alpha, widths[-1]]
        falls = word_of(above(less, 0.0))
        words[alpha, None] = falls if len(widths) > 1 else Word.NOT_RUN

    def named(good: list[tuple[int, int | None]]) -> str:
        falls = [alpha for alpha, width in good if width is None]
        idle = {a: [w for each, w in good if each == a and w] for a, _ in good}
        where = [f"{a} % {for_widths(own, widths)}" for a, own in idle.items() if own]
        parts = [f"at α = {'; '.join(where)}"] if where else []
        parts += [f"least when widest at {Several(falls)} %"] if falls else []
        return "; ".join(parts)

    listed = "; ".join(
        f"α = {alpha} %: "
        + ", ".join(f"{most[alpha, w].mean():.2g} (w = {w:,})" for w in widths)
        for alpha in alphas
    )
    numbers = f"The most active middle layer's frequency over an even one: {listed}"
    return over(words, named, f"{numbers} ({num_seeds(table)}).")


def _gradient_is_skewed(
    table: pd.DataFrame, *, percent: float, l1: float, l2: float
) -> Finding:
    rows = table.loc[(table.percent == percent) & (table.epoch > 0)]
    if rows.empty:
        return Finding(Word.NOT_RUN, "Not run yet after an epoch.")
    words, looks = {}, []
    for epoch, look in rows.groupby("epoch"):
        shares = look.set_index("seed")[["l1", "l2"]]
        answers = [above(shares.l1, l1), above(shares.l2, l2)]
        words[epoch] = word_of(everywhere(answers))
        means = [100 * shares[name].mean() for name in ("l1", "l2")]
        zeros = f"{100 * look.zeros.mean():.2g} % zeros"
        looks.append(f"{epoch}: {means[0]:.0f} and {means[1]:.0f} % ({zeros})")
    numbers = f"The largest {percent:g} % hold of Σ|g| and Σg², by epochs done: "
    numbers += f"{'; '.join(looks)} ({num_seeds(rows)})."
    return over(words, lambda good: f"after {Several(good)} epochs", numbers)


GRADIENT_CLAIMS = (
    Claim(
        "G1",
        "Most components of a mini-batch gradient are close to zero, a small part is "
        "not (we ask: the largest {percent:g} % hold more than {l1} of the sum of "
        "absolute values and more than {l2} of the sum of squares, whenever we look "
        "during training)",
        _gradient_is_skewed,
        {"percent": 1, "l1": Share(0.3), "l2": Share(0.6)},
    ),
)
"""Claims about Figure 1; they are about an `tables.activity.skew_table`."""

ASKS = {"alphas": Several((1, 10, 30)), "factor": 3}
"""The paper's α, in percent, and how many times more or less counts as a difference."""

MIDDLE_IS_IDLE = Claim(
    "B4",
    "Middle layers hardly have active parameters, least when wide (we ask, at "
    "α = {alphas} %: less than 1/{factor:g} of an even share, and less in the widest "
    "than in the narrowest)",
    _middle_is_idle,
    ASKS,
)

RELU_NET_CLAIMS = (
    Claim(
        "B1",
        "At width {width:,} active parameters are spread over all layers (we ask, at "
        "α = {alphas} %: every layer has more than 1/{factor:g} of an even share)",
        _spread,
        ASKS | {"width": 100},
    ),
    Claim(
        "B2",
        "In wide networks, w = {least_width:,}, active parameters are in the bottom "
        "and the top layer (we ask, at α = {alphas} %: there more than {factor:g} "
        "times as often as in any other)",
        _at_both_ends,
        ASKS,
        least_width=1000,
    ),
    MIDDLE_IS_IDLE,
)
"""Claims about Figure 5; they are about an `tables.activity.activity_table`."""

CONV_NET_CLAIMS = (
    Claim(
        "B3",
        "Spread over all layers at width {width:,}, active parameters are in the "
        "bottom layer alone when wide, w = {least_width:,} (we ask, at α = {alphas} %: "
        "first more than 1/{factor:g} of an even share in every layer; then more than "
        "{factor:g} times as often as in any other)",
        _spread_then_at_the_bottom,
        ASKS | {"width": 10},
        least_width=50,
    ),
    MIDDLE_IS_IDLE,
)
"""Claims about Figures 6 and 17."""

FASHION_RELU_NET = Claim(
    "B5",
    "On Fashion-MNIST active parameters of wide ReLU-Nets, w = {least_width:,}, are in "
    "the bottom and top layer (we ask, at α = {alphas} %: there more than {factor:g} "
    "times as often as in any other)",
    _at_both_ends,
    ASKS,
    least_width=1000,
)
FASHION_CONV_NET = Claim(
    "B5",
    "On Fashion-MNIST active parameters of wide Conv-Nets, w = {least_width:,}, are in "
    "the bottom layer (we ask, at α = {alphas} %: there more than {factor:g} times as "
    "often as in any other)",
    _at_the_bottom,
    ASKS,
    least_width=50,
)
"""Claims about Figures 18 and 19; each is about its own `activity_table`."""
