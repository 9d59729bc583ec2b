"""The paper's claims about re-initialization (A1 to A12) and its recipe (S3).

A claim holds where the 95 % interval over seeds lies beyond the line it states, and is
undecided where the interval spans the line. The lines are ours. A verdict is computed
from a table each time the page is built; none is typed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from lazyrich_helpers.analysis.verdicts import (
    Claim,
    Finding,
    Points,
    Several,
    Share,
    Word,
    everywhere,
    for_widths,
    over,
    widths_of,
    word_of,
)
from lazyrich_helpers.reinit.reinitialization import percent_label


def interval(values: pd.Series) -> tuple[float, float]:
    """Return mean and half-width of its 95 % t-interval; infinite below two values."""
    values = values.dropna()  # seeds that only one of two widths has
    if len(values) < 2:
        return float(values.mean()), float("inf")
    quantile = special.stdtrit(len(values) - 1, 0.975)  # Student's t
    return float(values.mean()), float(quantile * values.sem())


def above(values: pd.Series, threshold: float) -> bool | None:
    """Return whether the mean is above `threshold`; None if its interval spans it."""
    mean, half = interval(values)
    apart = abs(mean - threshold) > half  # not so, either, where there is no value
    return mean > threshold if apart else None


def close(values: pd.Series, line: float) -> bool | None:
    """Return whether the mean is within `line` of 0; None if its interval spans it."""
    return everywhere([above(values, -line), above(-values, -line)])


def by_seed(
    table: pd.DataFrame, width: int, scenario: str, fraction: float
) -> pd.Series:
    """Return accuracy in percent, indexed by seed, at the nearest recorded fraction."""
    rows = table.loc[(table.width == width) & (table.scenario == scenario)]
    available = rows.fraction.unique()
    nearest = available[np.argmin(np.abs(available - fraction))]
    at_fraction = rows.loc[rows.fraction == nearest]
    return pd.Series(100 * at_fraction.accuracy.to_numpy(), at_fraction.seed.to_numpy())


def at_extreme(
    table: pd.DataFrame, width: int, low: float, high: float, *, best: bool
) -> tuple[float, pd.Series]:
    """Return the best or worst γ in [low, high], and accuracy there by seed.

    Each seed's γ is chosen by the mean of the other seeds, so that picking an extreme
    of noisy values does not itself look like an effect. The γ returned is that of all
    seeds together.
    """
    rows = table.loc[(table.width == width) & (table.scenario == "active")]
    rows = rows.loc[rows.fraction.between(low * 0.999, high * 1.001)]
    curves = 100 * rows.pivot_table("accuracy", index="fraction", columns="seed")
    extreme = np.argmax if best else np.argmin
    values = {}
    for seed in curves.columns:
        others = curves.drop(columns=seed) if len(curves.columns) > 1 else curves
        values[seed] = curves[seed].iloc[int(extreme(others.mean(axis=1).to_numpy()))]
    together = curves.index.to_numpy()[extreme(curves.mean(axis=1).to_numpy())]
    return float(together), pd.Series(values)


def num_seeds(table: pd.DataFrame) -> str:
    """Return "n = 5 seeds", or a range where widths differ."""
    counts = table.groupby("width").seed.nunique()
    low, high = counts.min(), counts.max()
    seeds = "seed" if high == 1 else "seeds"
    return f"n = {low} {seeds}" if low == high else f"n = {low} to {high} seeds"


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign, a real minus: `+2.3`, `−0.4`, `0.0`."""
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text if float(text.replace("−", "-")) else text[1:]


def spread(values: pd.Series) -> str:
    """Return `+2.3 ± 0.4`, the mean with its 95 % interval, or the mean alone."""
    mean, half = interval(values)
    return signed(mean) + (f" ± {half:.1f}" if np.isfinite(half) else "")


Answer = tuple[bool | None, str]
"""Whether it is so, None: undecided; and the numbers."""


def _at_each_width(
    table: pd.DataFrame, answer: Callable[[int], Answer], unit: str
) -> Finding:
    """Ask a question of every width."""
    widths = widths_of(table)
    answers = {width: answer(width) for width in widths}
    listed = "; ".join(f"w = {w:,}: {text}" for w, (_, text) in answers.items())
    words = {width: word_of(found) for width, (found, _) in answers.items()}
    word, part = over(words, lambda good: for_widths(good, widths))
    return Finding(word, f"{unit}: {listed} ({num_seeds(table)}).", part)


def _lost(table: pd.DataFrame, width: int, share: float) -> pd.Series:
    """Return points lost by resetting the `share` most active parameters."""
    trained = by_seed(table, width, "active", 0.0)
    return trained - by_seed(table, width, "active", share)


def _drop_at(table: pd.DataFrame, *, share: float, line: float) -> Finding:
    def answer(width: int) -> Answer:
        drop = _lost(table, width, share)
        return above(drop, line), spread(drop)

    unit = f"points lost at γ = {percent_label(share)}"
    return _at_each_width(table, answer, unit)


def _fall(table: pd.DataFrame, width: int, low: float, high: float) -> pd.Series:
    """Return points lost at the worst γ in [low, high]."""
    _, at_worst = at_extreme(table, width, low, high, best=False)
    return by_seed(table, width, "active", 0.0) - at_worst


def _rise(table: pd.DataFrame, width: int, low: float, high: float) -> pd.Series:
    """Return points gained from the worst γ in [low, high] to the random network."""
    _, at_worst = at_extreme(table, width, low, high, best=False)
    return by_seed(table, width, "active", 1.0) - at_worst


def _plunge_then_rise(
    table: pd.DataFrame, *, low: float, high: float, fall: float, rise: float
) -> Finding:
    def answer(width: int) -> Answer:
        worst, at_worst = at_extreme(table, width, low, high, best=False)
        between, at_best = at_extreme(table, width, high, 0.95, best=True)
        plunge, rises = (f(table, width, low, high) for f in (_fall, _rise))
        holds = everywhere([above(plunge, fall), above(rises, rise)])
        return holds, (
            f"{spread(-plunge)} down to γ = {percent_label(worst)}, from there "
            f"{spread(rises)} to 100 % (and {spread(at_best - at_worst)} to "
            f"{percent_label(between)})"
        )

    return _at_each_width(table, answer, "points")


def _half_beats_few(table: pd.DataFrame, *, half: float, few: Several) -> Finding:
    width = widths_of(table)[-1]
    gains = [
        by_seed(table, width, "active", half) - by_seed(table, width, "active", share)
        for share in few
    ]
    listed = ", ".join(spread(gain) for gain in gains)
    numbers = (
        f"w = {width:,}: γ = {percent_label(half)} is better than γ = {few} by {listed}"
    )
    words = {
        each: word_of(above(gain, 0.0)) for each, gain in zip(few, gains, strict=True)
    }
    word, part = over(words, lambda good: f"than γ = {Several(good)}")
    return Finding(word, f"{numbers} points ({num_seeds(table)}).", part)


def _wider_rises_more(
    table: pd.DataFrame, *, low: float, high: float, line: float
) -> Finding:
    rises = {width: _rise(table, width, low, high) for width in widths_of(table)}
    listed = "; ".join(f"w = {w:,}: {spread(rise)}" for w, rise in rises.items())
    narrow, wide = (rises[widths_of(table)[end]] for end in (0, -1))
    # first it has to rise at all
    more = everywhere([above(wide, 0.0), above(wide - narrow, line)])
    numbers = f"points gained from the worst γ in {percent_label(low)} to "
    numbers += f"{percent_label(high)} to 100 %: {listed}"
    word = word_of(more) if len(rises) > 1 else Word.NOT_RUN
    return Finding(word, f"{numbers} ({num_seeds(table)}).")


def _gained(table: pd.DataFrame, width: int) -> pd.Series:
    """Return points gained by training."""
    return _lost(table, width, 1.0)


def _random_falls_short(table: pd.DataFrame, *, line: float) -> Finding:
    def answer(width: int) -> Answer:
        random, gap = by_seed(table, width, "active", 1.0), _gained(table, width)
        return above(gap, line), f"{random.mean():.1f} % random, {spread(gap)} trained"

    return _at_each_width(table, answer, "accuracy, and points gained by training")


def _missing(table: pd.DataFrame, width: int, share: float) -> pd.Series:
    """Return points lost by keeping only the `share` most active parameters."""
    everything = by_seed(table, width, "lazy", 1.0)
    return everything - by_seed(table, width, "lazy", share)


def _little_suffices(table: pd.DataFrame, *, share: float, line: float) -> Finding:
    width = widths_of(table)[-1]
    missing = _missing(table, width, share)
    numbers = f"w = {width:,}: points lost by keeping only {percent_label(share)}: "
    numbers += f"{spread(missing)} ({num_seeds(table)})."
    return Finding(word_of(above(-missing, -line)), numbers)


def _above_random(table: pd.DataFrame, width: int, share: float) -> pd.Series:
    """Return points above the random network, with only the `share` most active."""
    random = by_seed(table, width, "lazy", 0.0)
    return by_seed(table, width, "lazy", share) - random


def _little_kept_is_random(
    table: pd.DataFrame, *, share: float, near: float, ahead: float, rise: float
) -> Finding:
    widths = widths_of(table)
    narrow, wide = (by_seed(table, widths[i], "lazy", share) for i in (0, -1))
    leads = above(wide - narrow, ahead) if len(widths) > 1 else None

    def answer(width: int) -> Answer:
        little, all_ = (_above_random(table, width, each) for each in (share, 1.0))
        answers = [above(-little, -near), above(all_, rise)]
        if width == widths[-1]:  # to be the better one is asked of the widest
            answers.append(leads)
        return everywhere(answers), f"{spread(little)}, and {spread(all_)} at 100 %"

    unit = f"points above the random network at ε = {percent_label(share)}"
    found = _at_each_width(table, answer, unit)
    lead = f"The widest is ahead of the narrowest by {spread(wide - narrow)}."
    return Finding(found.word, f"{found.numbers} {lead}", found.part)


def _recipe_trains(table: pd.DataFrame, *, lr: float, line: float) -> Finding:
    runs = table.loc[table.lr == lr]
    if runs.empty:
        return Finding(Word.NOT_RUN, f"Not run yet at {lr:g}.")

    def answer(width: int) -> Answer:
        accuracy = 100 * runs.loc[runs.width == width].test_accuracy
        return above(accuracy, line), spread(accuracy).lstrip("+")

    return _at_each_width(runs, answer, "test accuracy in percent")


def _most_are_lazy(table: pd.DataFrame, *, line: float, spreads: float) -> Finding:
    def answer(width: int) -> Answer:
        rows = table.loc[table.width == width]
        little = rows.loc[rows.movement < spreads].assign(
            moved_little=lambda r: 100 * r.share * r.num_weights
        )
        layers = rows.drop_duplicates(["seed", "layer"])
        unmoved = 100 * layers.unmoved * layers.num_weights
        total = layers.groupby("seed").num_weights.sum()
        sums = little.groupby("seed").moved_little.sum().reindex(total.index).fillna(0)
        share = (sums + unmoved.groupby(layers.seed).sum()) / total
        return above(share, line), f"{spread(share).lstrip('+')} %"

    unit = f"weights that moved by less than {spreads:g} σ₀"
    return _at_each_width(table, answer, unit)


def _random_grows(table: pd.DataFrame) -> Finding:
    widths = widths_of(table)
    random = [by_seed(table, width, "active", 1.0) for width in widths]
    # Widths share seeds, hence test images and data order: average each seed first.
    together = pd.concat(random, axis=1).mean(axis=1)
    more = random[-1] - random[0]
    numbers = (
        f"Random networks of width {widths[-1]:,} against {widths[0]:,}: "
        f"{spread(more)} points; all widths together {spread(together).lstrip('+')} % "
        f"({num_seeds(table)} a width)."
    )
    return Finding(word_of(above(more, 0.0)), numbers)


def _small_trained_beats_wide_random(table: pd.DataFrame, *, narrow: int) -> Finding:
    widths = widths_of(table)
    if narrow not in widths:
        return Finding(Word.NOT_RUN, f"Not run yet at w = {narrow:,}.")
    trained = by_seed(table, narrow, "active", 0.0)
    gap = (trained - by_seed(table, widths[-1], "active", 1.0)).dropna()
    numbers = f"trained at w = {narrow:,} against random at w = {widths[-1]:,}: "
    numbers += f"{spread(gap)} points (n = {len(gap)} seeds that both have)."
    return Finding(word_of(above(gap, 0.0)), numbers)


RECIPE_TRAINS = Claim(
    "S3",
    "Adam at a constant learning rate of {lr:g} trains these networks on MNIST (we "
    "ask: to more than {line:g} % of the test images, at all widths)",
    _recipe_trains,
    {"lr": 0.1, "line": 90},
)
"""Judges a `tables.runs_table`. Section 3 states the recipe; the line is ours."""

MOST_ARE_LAZY = Claim(
    "A11",
    "Most parameters are lazy (we ask, at each width: more than {line:g} % of the "
    "weights move by less than {spreads:g} σ₀, their initial spread)",
    _most_are_lazy,
    {"line": 50, "spreads": 1},
)
"""Judges a `tables.movement_table`. The paper draws no line; σ₀ is ours."""

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
    "For small ε accuracy is near the random network's, and better when wider; with ε "
    "it rises to the trained one's, where the text prints “decrease” (we ask: at "
    "ε = {share} less than {near} above random and the widest ahead by more than "
    "{ahead}, with all kept more than {rise} above random)",
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

RANDOM_GROWS = Claim(
    "A5",
    "Random networks are better the wider they are",
    _random_grows,
    proof="All classes are equally likely to be an untrained network's answer, so that "
    "it is right once in ten, on average, at every width.",
)


def reinit_claims(depth: int) -> tuple[Claim, ...]:
    """Return every claim about both Figure 2 and Figure 3, and that of `depth`."""
    return (A1, A2, A3, A4, A7, A10, SUFFICES[depth])


def width_claims(depth: int) -> tuple[Claim, Claim]:
    """Return the claims about Figure 4 at `depth`."""
    small_beats = Claim(
        "A6",
        "A trained network of width {narrow:,} beats a random one of width "
        "{least_width:,}",
        _small_trained_beats_wide_random,
        {"narrow": 10},
        least_width=WIDEST[depth],
    )
    return RANDOM_GROWS, small_beats


def all_claims(depth: int) -> tuple[Claim, ...]:
    """Return every claim about Figures 2 to 4 at `depth`, by number."""
    claims = (*reinit_claims(depth), *width_claims(depth))
    return tuple(sorted(claims, key=lambda claim: int(claim.name[1:])))


Effect = Callable[..., pd.Series]
"""Table, width, and some of a claim's `asks` → points by seed."""


def _half_over_few(
    table: pd.DataFrame, width: int, half: float, few: Several
) -> pd.Series:
    """Return points by which resetting `half` is better than `few`, on average."""
    each = [by_seed(table, width, "active", share) for share in few]
    return by_seed(table, width, "active", half) - sum(each) / len(each)


EFFECTS: dict[str, tuple[Claim, Effect, tuple[str, ...]]] = {
    "lost at γ = {share}": (A1, _lost, ("share",)),
    "lost at the worst γ": (A2, _fall, ("low", "high")),
    "gained from there to the random network": (A4, _rise, ("low", "high")),
    "gained at γ = {half} over γ = {few}": (A3, _half_over_few, ("half", "few")),
    "gained by training": (A7, _gained, ()),
    "lost by keeping only {share}": (SUFFICES[1], _missing, ("share",)),
    "gained over random by keeping {share}": (A10, _above_random, ("share",)),
}
"""What the claims are about, in points of one width, with the numbers they ask for."""


def _alike(mnist: pd.DataFrame, fashion: pd.DataFrame, *, line: float) -> Finding:
    """Compare effects where both have been run, width by width and seed by seed."""
    widths = sorted({*widths_of(mnist)} & {*widths_of(fashion)})
    if not widths:
        return Finding(Word.NOT_RUN, "Not run yet on both.")
    words, listed, seeds = {}, [], set()
    for says, (claim, effect, names) in EFFECTS.items():
        name = says.format(**claim.asks)
        asks: dict[str, Any] = {each: claim.asks[each] for each in names}
        more = {}
        for width in widths:
            one, two = (effect(t, width, **asks) for t in (mnist, fashion))
            more[width] = (two - one).dropna()
            words[name, width] = word_of(close(more[width], line))
            seeds.add(len(more[width]))
        most = max(widths, key=lambda width: abs(more[width].mean()))
        listed.append(f"{name}: {spread(more[most])} (w = {most:,})")

    def named(good: list[tuple[str, int]]) -> str:
        chosen = {n: [w for each, w in good if each == n] for n, _ in good}
        return "in what is " + "; ".join(
            f"{n} {for_widths(own, widths)}" for n, own in chosen.items()
        )

    word, part = over(words, named)
    n = " to ".join(str(n) for n in sorted({min(seeds), max(seeds)}))
    numbers = "Points on Fashion-MNIST less those on MNIST, at the width where they "
    numbers += f"differ most: {'; '.join(listed)}"
    return Finding(word, f"{numbers} (n = {n}).", part)


ALIKE = Claim(
    "A12",
    "What the networks do on MNIST they do on Fashion-MNIST, too (we ask: at each "
    "width the effects that A1 to A10 are about differ by less than {line})",
    _alike,
    {"line": Points(5)},
)

"""Judges two `tables.reinit_table`s of one depth, of MNIST and of Fashion-MNIST."""
