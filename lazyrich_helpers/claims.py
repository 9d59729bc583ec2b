"""The paper's claims, judged by records: what it says, the verdict, the numbers.

A verdict is computed from a table each time the page is built; none is typed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from scipy import special

from lazyrich_helpers.reinit import percent_label
from lazyrich_helpers.tables import one_setting

Judge = Callable[[pd.DataFrame], tuple[bool | None, str]]
"""Table → whether it holds (None: too few seeds to tell), and the numbers."""


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds in the records at hand."""

    claim: str
    """Its name here, such as A1."""
    says: str
    """What the paper says, in our words."""
    holds: bool | None
    """None: the records do not decide it."""
    numbers: str
    """What decided it, with n and spread."""

    @property
    def word(self) -> str:
        """`holds`, `does not hold` or `open`."""
        if self.holds is None:
            return "open"
        return "holds" if self.holds else "does not hold"

    def __repr__(self) -> str:
        return f"{self.claim}: {self.says}. {self.word.upper()}: {self.numbers}"

    def _repr_html_(self) -> str:
        style = {True: "holds", False: "fails", None: "open"}[self.holds]
        return (
            f'<div class="verdict verdict-{style}">'
            f"<p><strong>{self.claim}</strong> {escape(self.says)}.</p>"
            f"<p><strong>At these settings: {self.word}.</strong> "
            f"{escape(self.numbers)}</p></div>"
        )


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper with the test that decides it."""

    name: str
    says: str
    judge: Judge
    least_width: int = 1
    """Narrower networks are not what the sentence is about: then it stays open."""
    compares: tuple[str, ...] = ()
    """Columns, as in `tables.one_setting`, in which its runs differ; beside width."""

    def verdict(self, table: pd.DataFrame) -> Verdict:
        """Judge a table of one setting, but for what the claim compares."""
        if table.empty:
            return Verdict(self.name, self.says, None, "Not run yet.")
        one_setting(table, "width", *self.compares)
        holds, numbers = self.judge(table)
        if widths_of(table)[-1] < self.least_width:
            holds = None
            numbers += f" Not run yet at w = {self.least_width:,}, where it is claimed."
        return Verdict(self.name, self.says, holds, numbers)


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
    if abs(mean - threshold) <= half:
        return None
    return mean > threshold


def everywhere(answers: list[bool | None]) -> bool | None:
    """Return whether all hold: one False decides, else one None leaves it open."""
    if False in answers:
        return False
    return None if None in answers else True


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


def widths_of(table: pd.DataFrame) -> list[int]:
    """Return the widths in the table, ascending."""
    return sorted(int(width) for width in table.width.unique())


def num_seeds(table: pd.DataFrame) -> str:
    """Return "n = 5 seeds", or a range where widths differ."""
    counts = table.groupby("width").seed.nunique()
    low, high = counts.min(), counts.max()
    seeds = "seed" if high == 1 else "seeds"
    return f"n = {low} {seeds}" if low == high else f"n = {low} to {high} seeds"


def spread(values: pd.Series) -> str:
    """Return "+2.3 ± 0.4", the mean with its 95 % interval, or the mean alone."""
    mean, half = interval(values)
    return f"{mean:+.1f}" + (f" ± {half:.1f}" if np.isfinite(half) else "")


def _at_each_width(
    table: pd.DataFrame, answer: Callable[[int], tuple[bool | None, str]], unit: str
) -> tuple[bool | None, str]:
    """Ask a question of every width; return whether all hold, and all the numbers."""
    answers = {width: answer(width) for width in widths_of(table)}
    listed = "; ".join(f"w = {w:,}: {text}" for w, (_, text) in answers.items())
    holds = everywhere([found for found, _ in answers.values()])
    return holds, f"{unit}: {listed} ({num_seeds(table)})."


def _drop_at_tenth(table: pd.DataFrame) -> tuple[bool | None, str]:
    def answer(width: int) -> tuple[bool | None, str]:
        trained = by_seed(table, width, "active", 0.0)
        drop = trained - by_seed(table, width, "active", 0.001)
        return above(drop, 1.0), spread(drop)

    return _at_each_width(table, answer, "points lost at γ = 0.1 %")


def _plunge_then_rise(table: pd.DataFrame) -> tuple[bool | None, str]:
    def answer(width: int) -> tuple[bool | None, str]:
        worst, at_worst = at_extreme(table, width, 0.01, 0.3, best=False)
        between, at_best = at_extreme(table, width, 0.3, 0.95, best=True)
        plunge = by_seed(table, width, "active", 0.0) - at_worst
        rise = by_seed(table, width, "active", 1.0) - at_worst
        holds = everywhere([above(plunge, 10), above(rise, 2)])
        return holds, (
            f"{spread(-plunge)} down to γ = {percent_label(worst)}, from there "
            f"{spread(rise)} to 100 % (and {spread(at_best - at_worst)} to "
            f"{percent_label(between)})"
        )

    return _at_each_width(table, answer, "points")


def _half_beats_tenth(table: pd.DataFrame) -> tuple[bool | None, str]:
    width = widths_of(table)[-1]
    half = by_seed(table, width, "active", 0.5)
    gains = [half - by_seed(table, width, "active", f) for f in (0.01, 0.0316, 0.1)]
    listed = ", ".join(spread(gain) for gain in gains)
    numbers = f"w = {width:,}: γ = 50 % is better than γ = 1, 3 and 10 % by {listed}"
    holds = everywhere([above(gain, 0.0) for gain in gains])
    return holds, f"{numbers} points ({num_seeds(table)})."


def _wider_rises_more(table: pd.DataFrame) -> tuple[bool | None, str]:
    widths = widths_of(table)
    rises = [
        by_seed(table, width, "active", 1.0)
        - at_extreme(table, width, 0.01, 0.3, best=False)[1]
        for width in widths
    ]
    listed = "; ".join(
        f"w = {width:,}: {spread(rise)}"
        for width, rise in zip(widths, rises, strict=True)
    )
    more = above(rises[-1] - rises[0], 2.0) if len(rises) > 1 else None
    more = everywhere([above(rises[-1], 0.0), more])  # first it has to rise at all
    numbers = f"points gained from the worst γ in 1 to 30 % to 100 %: {listed}"
    return more, f"{numbers} ({num_seeds(table)})."


def _random_falls_short(table: pd.DataFrame) -> tuple[bool | None, str]:
    def answer(width: int) -> tuple[bool | None, str]:
        random = by_seed(table, width, "active", 1.0)
        gap = by_seed(table, width, "active", 0.0) - random
        return above(gap, 10.0), f"{random.mean():.1f} % random, {spread(gap)} trained"

    return _at_each_width(table, answer, "accuracy, and points gained by training")


def _tenth_suffices(table: pd.DataFrame) -> tuple[bool | None, str]:
    width = widths_of(table)[-1]
    lost = by_seed(table, width, "lazy", 1.0) - by_seed(table, width, "lazy", 0.1)
    enough = above(-lost, -1.0)
    numbers = f"w = {width:,}: points lost by keeping only 10 %: {spread(lost)}"
    return enough, f"{numbers} ({num_seeds(table)})."


def _little_kept_is_random(table: pd.DataFrame) -> tuple[bool | None, str]:
    def above_random(width: int, fraction: float) -> pd.Series:
        random = by_seed(table, width, "lazy", 0.0)
        return by_seed(table, width, "lazy", fraction) - random

    def answer(width: int) -> tuple[bool | None, str]:
        little, all_ = above_random(width, 0.001), above_random(width, 1.0)
        holds = everywhere([above(-little, -10), above(all_, 10)])
        return holds, f"{spread(little)}, and {spread(all_)} at 100 %"

    holds, numbers = _at_each_width(
        table, answer, "points above the random network at ε = 0.1 %"
    )
    widths = widths_of(table)
    narrow, wide = (by_seed(table, widths[i], "lazy", 0.001) for i in (0, -1))
    ahead = above(wide - narrow, 2) if len(widths) > 1 else None
    numbers += f" The widest is ahead of the narrowest by {spread(wide - narrow)}."
    return everywhere([holds, ahead]), numbers


def _recipe_trains(table: pd.DataFrame) -> tuple[bool | None, str]:
    def answer(width: int) -> tuple[bool | None, str]:
        rows = table.loc[table.width == width]
        accuracy = 100 * rows.test_accuracy
        return above(accuracy, 90), spread(accuracy).lstrip("+")

    return _at_each_width(table, answer, "test accuracy in percent")


def _most_are_lazy(table: pd.DataFrame) -> tuple[bool | None, str]:
    def answer(width: int) -> tuple[bool | None, str]:
        rows = table.loc[table.width == width]
        little = rows.loc[rows.movement < 1].assign(
            moved_little=lambda r: 100 * r.share * r.num_weights
        )
        layers = rows.drop_duplicates(["seed", "layer"])
        unmoved = 100 * layers.unmoved * layers.num_weights
        total = layers.groupby("seed").num_weights.sum()
        sums = little.groupby("seed").moved_little.sum()
        share = (sums + unmoved.groupby(layers.seed).sum()) / total
        return above(share, 50), f"{spread(share).lstrip('+')} %"

    return _at_each_width(table, answer, "weights that moved by less than σ₀")


def _random_grows(table: pd.DataFrame) -> tuple[bool | None, str]:
    widths = widths_of(table)
    random = [by_seed(table, width, "active", 1.0) for width in widths]
    # Widths share seeds, hence test images and data order: average each seed first.
    mean, half = interval(pd.concat(random, axis=1).mean(axis=1))
    more = above(random[-1] - random[0], 2.0) if len(widths) > 1 else None
    numbers = (
        f"random networks of width {widths[-1]:,} against {widths[0]:,}: "
        f"{spread(random[-1] - random[0])} points; all widths together "
        f"{mean:.1f} ± {half:.1f} %"
    )
    return more, f"{numbers} ({num_seeds(table)} a width)."


def _small_trained_beats_wide_random(table: pd.DataFrame) -> tuple[bool | None, str]:
    narrow, wide = widths_of(table)[0], widths_of(table)[-1]
    trained = by_seed(table, narrow, "active", 0.0)
    gap = trained - by_seed(table, wide, "active", 1.0)
    numbers = f"trained at w = {narrow:,} against random at w = {wide:,}: "
    return above(gap, 0.0), f"{numbers}{spread(gap)} points ({num_seeds(table)})."


RECIPE_TRAINS = Claim(
    "S3",
    "Adam at a constant learning rate of 0.1 trains these networks on MNIST "
    "(we ask: to more than 90 % of the test images, at all widths)",
    _recipe_trains,
)
"""Judges a `tables.runs_table`. Section 3 states the recipe; the line is ours."""

MOST_ARE_LAZY = Claim(
    "A11",
    "Most parameters are lazy: they move by less than their initial spread",
    _most_are_lazy,
)
"""Judges a `tables.movement_table`. The paper draws no line; σ₀ is ours."""

WIDEST = {1: 100_000, 4: 5000}
"""Depth → the paper's widest network."""

REINIT_CLAIMS = (
    Claim(
        "A1",
        "Resetting the 0.1 % most active parameters lowers accuracy, at all widths "
        "(we ask: by more than 1 point)",
        _drop_at_tenth,
    ),
    Claim(
        "A2",
        "As γ grows accuracy plunges, is worst around 10 %, then rises up to 100 % "
        "(we ask: falls by more than 10 points within 1 to 30 %, rises by more than 2)",
        _plunge_then_rise,
    ),
    Claim(
        "A3",
        "In wide networks γ = 50 % is better than γ = 1 to 10 %",
        _half_beats_tenth,
    ),
    Claim(
        "A4",
        "The rise after the worst γ is larger when wider (we ask: by 2 points)",
        _wider_rises_more,
    ),
    Claim(
        "A7",
        "Random networks fall far short of trained ones, at all widths (we ask: by "
        "more than 10 points)",
        _random_falls_short,
    ),
    Claim(
        "A10",
        "For small ε accuracy is near the random network's, and better when wider; "
        "with ε it rises to the trained one's, where the text prints “decrease” (we "
        "ask: at ε = 0.1 % within 10 points of random and the widest ahead by 2, at "
        "100 % more than 10 above random)",
        _little_kept_is_random,
    ),
)
"""Claims about both Figure 2 and Figure 3.

A claim holds where the 95 % interval over seeds lies beyond the line it states, and is
open where the interval spans the line. The lines are ours.
"""

SUFFICES = {
    1: Claim(
        "A8",
        "With one hidden layer, w = 100,000, the 10 % most active parameters suffice "
        "(we ask: to within 1 point)",
        _tenth_suffices,
        least_width=WIDEST[1],
    ),
    4: Claim(
        "A9",
        "With four hidden layers, w = 5,000, the 10 % most active parameters suffice "
        "(we ask: to within 1 point)",
        _tenth_suffices,
        least_width=WIDEST[4],
    ),
}
"""Depth → the claim about how few parameters are enough."""


def reinit_claims(depth: int) -> tuple[Claim, ...]:
    """Return every claim about re-initialization at `depth`."""
    return (*REINIT_CLAIMS, SUFFICES[depth])


def width_claims(depth: int) -> tuple[Claim, ...]:
    """Return the claims about Figure 4 at `depth`."""
    widest = WIDEST[depth]
    return (
        Claim("A5", "Random networks are better the wider they are", _random_grows),
        Claim(
            "A6",
            f"A trained network of width 10 beats a random one of width {widest:,}",
            _small_trained_beats_wide_random,
            least_width=widest,
        ),
    )


def all_claims(depth: int) -> tuple[Claim, ...]:
    """Return every claim about Figures 2 to 4 at `depth`, by number."""
    claims = (*reinit_claims(depth), *width_claims(depth))
    return tuple(sorted(claims, key=lambda claim: int(claim.name[1:])))


def alike(mnist: pd.DataFrame, fashion: pd.DataFrame, depth: int) -> Verdict:
    """Judge A12, that Fashion-MNIST shows what MNIST does, claim by claim.

    A claim that is open on either leaves it open; one that holds on one and not on the
    other decides.

    Args:
        mnist: From `tables.reinit_table`, of networks of `depth` hidden layers.
        fashion: The same on the other images. Only widths and seeds of both count.
        depth: Hidden layers.
    """
    keys = ["width", "seed"]
    both = mnist[keys].drop_duplicates().merge(fashion[keys].drop_duplicates())
    answers, listed = [], []
    for claim in all_claims(depth):
        one, two = (claim.verdict(table.merge(both)) for table in (mnist, fashion))
        known = one.holds is not None and two.holds is not None
        answers.append(one.holds == two.holds if known else None)
        listed.append(f"{claim.name} {one.word}, {two.word}")
    seeds = f" ({num_seeds(both)})" if len(both) else ""
    return Verdict(
        "A12",
        "What the networks do on MNIST they do on Fashion-MNIST, too "
        f"(we ask, at d = {depth}: each claim of this chapter has the same verdict)",
        everywhere(answers),
        f"On MNIST, then on Fashion-MNIST: {'; '.join(listed)}{seeds}.",
    )
