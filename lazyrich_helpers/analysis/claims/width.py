"""The paper's claims on size, training, width and data sets: S3, S5, A5, A6, A11, A12.

What they ask of re-initialized networks is in `reinit_claims`.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Points
from lazyrich_helpers.analysis.claims.everywhere import (
    Answer,
    at_each_width,
    everywhere,
    for_widths,
    over,
    word_of,
)
from lazyrich_helpers.analysis.claims.reinit import (
    A1,
    A2,
    A3,
    A4,
    A7,
    A10,
    SUFFICES,
    WIDEST,
    reinit_claims,
)
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Word, widths_of
from lazyrich_helpers.analysis.tables import reinit_effects as effects
from lazyrich_helpers.analysis.tables.reinit_effects import Effect, by_seed
from lazyrich_helpers.analysis.tables.statistics import above, num_seeds, with_interval
from lazyrich_helpers.measures.costs import num_parameters
from lazyrich_helpers.training.run_config import RunConfig


def _recipe_trains(table: pd.DataFrame, *, lr: float, line: float) -> Finding:
    runs = table.loc[table.lr == lr]
    if runs.empty:
        return Finding(Word.NOT_RUN, f"Not run yet at {lr:g}.")

    def answer(width: int) -> Answer:
        accuracy = 100 * runs.loc[runs.width == width].test_accuracy
        return above(accuracy, line), with_interval(accuracy, sign=False)

    return at_each_width(runs, answer, "accuracy (%)")


def _most_are_lazy(table: pd.DataFrame, *, line: float, spreads: float) -> Finding:
    def answer(width: int) -> Answer:
        rows = table.loc[table.width == width]
        layers = rows.drop_duplicates(["seed", "layer"])
        little = rows.loc[rows.movement < spreads]
        moved_little = (100 * little.share * little.num_weights).groupby(little.seed)
        unmoved = (100 * layers.unmoved * layers.num_weights).groupby(layers.seed)
        total = layers.groupby("seed").num_weights.sum()
        sums = moved_little.sum().reindex(total.index).fillna(0)
        share = (sums + unmoved.sum()) / total
        return above(share, line), f"{with_interval(share, sign=False)} %"

    unit = f"moved less than {spreads:g} σ₀"
    return at_each_width(table, answer, unit)


def _random_grows(table: pd.DataFrame) -> Finding:
    widths = widths_of(table)
    random = [by_seed(table, width, "active", 1.0) for width in widths]
    # Widths share seeds, hence test images and data order: average each seed first.
    together = pd.concat(random, axis=1).mean(axis=1)
    more = random[-1] - random[0]
    numbers = (
        f"Random networks of width {widths[-1]:,} against {widths[0]:,}: "
        f"{with_interval(more)} points; all widths together "
        f"{with_interval(together, sign=False)} % ({num_seeds(table)} a width)."
    )
    return Finding(word_of(above(more, 0.0)), numbers)


def _small_trained_beats_wide_random(table: pd.DataFrame, *, narrow: int) -> Finding:
    widths = widths_of(table)
    if narrow not in widths:
        return Finding(Word.NOT_RUN, f"Not run yet at w = {narrow:,}.")
    trained = by_seed(table, narrow, "active", 0.0)
    gap = (trained - by_seed(table, widths[-1], "active", 1.0)).dropna()
    numbers = f"trained at w = {narrow:,} against random at w = {widths[-1]:,}: "
    numbers += f"{with_interval(gap)} points (n = {len(gap)} seeds that both have)."
    return Finding(word_of(above(gap, 0.0)), numbers)


RECIPE_TRAINS = Claim(
    "S3",
    "Adam at a constant learning rate of {lr:g} trains these networks on MNIST (we "
    "ask: to more than {line:g} % of the test images, at all widths)",
    _recipe_trains,
    {"lr": 0.1, "line": 90},
)
"""About a `tidy.runs_table`. Section 3 states the recipe; the line is ours."""

MOST_ARE_LAZY = Claim(
    "A11",
    "Most parameters are lazy (we ask, at each width: more than {line:g} % of the "
    "weights move by less than {spreads:g} σ₀, their initial spread)",
    _most_are_lazy,
    {"line": 50, "spreads": 1},
)
"""About a `tidy.movement_table`. The paper draws no line; σ₀ is ours."""

RANDOM_GROWS = Claim(
    "A5",
    "Random networks are better the wider they are",
    _random_grows,
    proof="All classes are equally likely to be an untrained network's answer, so that "
    "it is right once in ten, on average, at every width.",
)


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


def verdict_words(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the word of every claim: a row a claim, a column for each named table.

    Tables are from `tidy.reinit_table`, of one depth each.
    """
    words = {
        name: {
            claim.name: claim.verdict(table).word
            for claim in all_claims(int(table.depth.iloc[0]))
        }
        for name, table in tables.items()
        if not table.empty
    }
    names = {name for own in words.values() for name in own}
    by_number = sorted(names, key=lambda name: int(name.removeprefix("A")))
    return pd.DataFrame(words, index=pd.Index(by_number, name="claim"))


EFFECTS: dict[str, tuple[Claim, Effect, tuple[str, ...]]] = {
    "lost at γ = {share}": (A1, effects.lost, ("share",)),
    "lost at the worst γ": (A2, effects.fall, ("low", "high")),
    "gained from there to the random network": (A4, effects.rise, ("low", "high")),
    "gained at γ = {half} over γ = {few}": (
        A3,
        effects.half_over_few,
        ("half", "few"),
    ),
    "gained by training": (A7, effects.gained, ()),
    "lost by keeping only {share}": (SUFFICES[1], effects.short_of_trained, ("share",)),
    "gained over random by keeping {share}": (A10, effects.above_random, ("share",)),
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
            near = [above(each, -line) for each in (more[width], -more[width])]
            asked = word_of(everywhere(near))
            words[name, width] = Word.NOT_RUN if more[width].empty else asked
            seeds.add(len(more[width]))
        most = max(widths, key=lambda width: abs(more[width].mean()))
        listed.append(f"{name}: {with_interval(more[most])} (w = {most:,})")

    good = [place for place, word in words.items() if word is Word.HOLDS]
    alike = {n: [w for each, w in good if each == n] for n, _ in good}
    where = "; ".join(f"{n} {for_widths(own, widths)}" for n, own in alike.items())
    n = " to ".join(str(n) for n in sorted({min(seeds), max(seeds)}))
    numbers = "Points on Fashion-MNIST less those on MNIST, at the width where they "
    numbers += f"differ most, of those of both: {'; '.join(listed)} (n = {n})."
    numbers += f" Alike in what is {where}." if 0 < len(good) < len(words) else ""
    part = f"for {len(alike)} of {len(EFFECTS)} quantities, at some widths at least"
    return over(words, lambda _: part, numbers)


ALIKE = Claim(
    "A12",
    "On Fashion-MNIST networks do what they do on MNIST (we ask: at each width the "
    "quantities that A1 to A10 are about differ by less than {line})",
    _alike,
    {"line": Points(5)},
)
"""About two `tidy.reinit_table`s of one depth, of MNIST and of Fashion-MNIST."""


def _as_large(config: RunConfig, *, size: int) -> Finding:
    found = num_parameters(config)
    return Finding(
        word_of(found == size),
        f"Ours has {found:,}; what the paper leaves open of its layers we read so that "
        "its number comes out.",
    )


SIZES = {
    network: Claim("S5", f"{network} has {{size:,}} parameters", _as_large, {"size": n})
    for network, n in {"VGG-5": 3_646_154, "ResNet-18": 11_173_962}.items()
}
"""Network of Figure 1 → the claim, which is about a run; it need not be done."""
