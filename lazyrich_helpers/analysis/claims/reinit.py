"""The paper's claims about re-initialized networks (A1 to A10).

A claim holds where the 95 % interval over seeds lies beyond the line it states, and is
undecided where the interval spans the line. The lines are ours. A verdict is computed
from a table each time the page is built; none is typed.
"""

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Points, Several, Share
from lazyrich_helpers.analysis.claims.everywhere import (
    Answer,
    at_each_width,
    everywhere,
    over,
    word_of,
)
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Word, widths_of
from lazyrich_helpers.analysis.tables import reinit_effects as effects
from lazyrich_helpers.analysis.tables.reinit_effects import at_extreme, by_seed
from lazyrich_helpers.analysis.tables.statistics import above, num_seeds, with_interval
from lazyrich_helpers.reinit.reinitialization import percent_label


def _drop_at(table: pd.DataFrame, *, share: float, line: float) -> Finding:
    def answer(width: int) -> Answer:
        drop = effects.lost(table, width, share)
        return above(drop, line), with_interval(drop)

    return at_each_width(table, answer, "points lost")


def _plunge_then_rise(
    table: pd.DataFrame, *, low: float, high: float, fall: float, rise: float
) -> Finding:
    def answer(width: int) -> Answer:
        worst, at_worst = at_extreme(table, width, low, high, best=False)
        between, at_best = at_extreme(table, width, high, 0.95, best=True)
        falls = effects.fall(table, width, low, high)
        rises = effects.rise(table, width, low, high)
        return everywhere([above(falls, fall), above(rises, rise)]), (
            f"{with_interval(-falls)} down to γ = {percent_label(worst)}, from there "
            f"{with_interval(rises)} to 100 % (and {with_interval(at_best - at_worst)} "
            f"to {percent_label(between)})"
        )

    return at_each_width(table, answer, "points")


def _half_beats_few(table: pd.DataFrame, *, half: float, few: Several) -> Finding:
    width = widths_of(table)[-1]
    at_half = by_seed(table, width, "active", half)
    gains = {share: at_half - by_seed(table, width, "active", share) for share in few}
    listed = ", ".join(map(with_interval, gains.values()))
    words = {share: word_of(above(gain, 0.0)) for share, gain in gains.items()}
    numbers = f"w = {width:,}: γ = {percent_label(half)} is better than γ = {few} by "
    numbers += f"{listed} points ({num_seeds(table)})."
    return over(words, lambda good: f"than γ = {Several(good)}", numbers)


def _wider_rises_more(
    table: pd.DataFrame, *, low: float, high: float, line: float
) -> Finding:
    widths = widths_of(table)
    rises = [effects.rise(table, width, low, high) for width in widths]
    # first it has to rise at all
    more = everywhere([above(rises[-1], 0.0), above(rises[-1] - rises[0], line)])
    listed = "; ".join(
        f"w = {width:,}: {with_interval(rise)}"
        for width, rise in zip(widths, rises, strict=True)
    )
    numbers = f"points gained from the worst γ in {percent_label(low)} to "
    numbers += f"{percent_label(high)} to 100 %: {listed}"
    word = word_of(more) if len(widths) > 1 else Word.NOT_RUN
    return Finding(word, f"{numbers} ({num_seeds(table)}).")


def _random_falls_short(table: pd.DataFrame, *, line: float) -> Finding:
    def answer(width: int) -> Answer:
        random = by_seed(table, width, "active", 1.0).mean()
        gap = effects.gained(table, width)
        return above(gap, line), f"{random:.1f} % random, {with_interval(gap)} trained"

    return at_each_width(table, answer, "accuracy, and points gained by training")


def _little_suffices(table: pd.DataFrame, *, share: float, line: float) -> Finding:
    width = widths_of(table)[-1]
    missing = effects.short_of_trained(table, width, share)
    numbers = f"w = {width:,}: points lost by keeping only {percent_label(share)}: "
    numbers += f"{with_interval(missing)} ({num_seeds(table)})."
    return Finding(word_of(above(-missing, -line)), numbers)


def _little_kept_is_random(
    table: pd.DataFrame, *, share: float, near: float, ahead: float, rise: float
) -> Finding:
    widths = widths_of(table)
    narrow, wide = (by_seed(table, widths[i], "lazy", share) for i in (0, -1))
    leads = above(wide - narrow, ahead) if len(widths) > 1 else None

    def answer(width: int) -> Answer:
        little, all_ = (effects.above_random(table, width, e) for e in (share, 1.0))
        answers = [above(-little, -near), above(all_, rise)]
        if width == widths[-1]:  # to be the better one is asked of the widest
            answers.append(leads)
        text = f"{with_interval(little)}, and {with_interval(all_)} at 100 %"
        return everywhere(answers), text

    unit = f"points above the random network at ε = {percent_label(share)}"
    found = at_each_width(table, answer, unit)
    lead = f"The widest is ahead of the narrowest by {with_interval(wide - narrow)}."
    return Finding(found.word, f"{found.numbers} {lead}", found.part)


WIDEST = {1: 100_000, 4: 5000}
"""Depth → the paper's widest network."""
WORST = {"low": Share(0.01), "high": Share(0.3)}
"""Where the worst γ is looked for."""

A1 = Claim(
    "A1",
    "Resetting the {share} most active parameters lowers accuracy, at all widths (we "
    "ask: by more than {line})",
    _drop_at,
    {"share": Share(0.001), "line": Points(1)},
)
A2 = Claim(
    "A2",
    "As γ grows accuracy plunges, is worst on the way, then rises up to the random "
    "network's (we ask: at the worst γ in {low} to {high} it has fallen by more than "
    "{fall}, and from there it rises by more than {rise})",
    _plunge_then_rise,
    WORST | {"fall": Points(10), "rise": Points(2)},
)
A3 = Claim(
    "A3",
    "In wide networks γ = {half} is better than a small γ (we ask: in the widest, than "
    "γ = {few})",
    _half_beats_few,
    {"half": Share(0.5), "few": Several(map(Share, (0.01, 0.0316, 0.1)))},
)
A4 = Claim(
    "A4",
    "The rise after the worst γ is larger when wider (we ask: from the worst in {low} "
    "to {high}, more than {line} larger in the widest than in the narrowest)",
    _wider_rises_more,
    WORST | {"line": Points(2)},
)
A7 = Claim(
    "A7",
    "Random networks fall far short of trained ones, at all widths (we ask: by more "
    "than {line})",
    _random_falls_short,
    {"line": Points(10)},
)
A10 = Claim(
    "A10",
    "At small ε accuracy is near random, better when wider, and rises with ε to the "
    "trained one's (the text prints “decrease”; we ask: at ε = {share} less than "
    "{near} above random and the widest ahead by more than {ahead}, with all kept "
    "more than {rise} above random)",
    _little_kept_is_random,
    {
        "share": Share(0.001),
        "near": Points(10),
        "ahead": Points(2),
        "rise": Points(10),
    },
)


def _suffices(name: str, depth: int, layers: str) -> Claim:
    return Claim(
        name,
        f"With {layers}, at w = {{least_width:,}}, the {{share}} most active "
        "parameters suffice (we ask: less than {line} is lost)",
        _little_suffices,
        {"share": Share(0.1), "line": Points(1)},
        least_width=WIDEST[depth],
    )


SUFFICES = {
    1: _suffices("A8", 1, "one hidden layer"),
    4: _suffices("A9", 4, "four hidden layers"),
}
"""Depth → the claim about how few parameters are enough."""


def reinit_claims(depth: int) -> tuple[Claim, ...]:
    """Return every claim about both Figure 2 and Figure 3, and that of `depth`."""
    return (A1, A2, A3, A4, A7, A10, SUFFICES[depth])
