"""The paper's claims on size, training, width and data sets: S3, S5, A5, A6, A11, A12.

What they ask of re-initialized networks is in `reinit_claims`.
"""

from collections.abc import Mapping

import pandas as pd

from lazyrich_helpers.analysis.claims.everywhere import (
    Answer,
    at_each_width,
    over,
    word_of,
)
from lazyrich_helpers.analysis.claims.reinit import (
    A4,
    A10,
    WIDEST,
    reinit_claims,
)
from lazyrich_helpers.analysis.claims.verdicts import (
    OPEN,
    Claim,
    Finding,
    Word,
    widths_of,
)
from lazyrich_helpers.analysis.tables.reinit_effects import by_seed
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


def _alike(mnist: pd.DataFrame, fashion: pd.DataFrame) -> Finding:
    """Compare the answers on both: at each width they share, and across these."""
    widths = sorted({*widths_of(mnist)} & {*widths_of(fashion)})
    if not widths:
        return Finding(Word.NOT_RUN, "Not run yet on both.")
    both = [table.loc[table.width.isin(widths)] for table in (mnist, fashion)]
    words = {}
    for claim in reinit_claims(int(mnist.depth.iloc[0])):
        parts = [widths] if claim in (A4, A10) else [[width] for width in widths]
        for part in parts:
            one, two = (
                claim.check(table.loc[table.width.isin(part)], **claim.asks)
                for table in both
            )
            where = "" if part == widths else f" at w = {part[0]:,}"
            words[f"{claim.name}{where}"] = _same(one, two)

    same = [name for name, word in words.items() if word is Word.HOLDS]
    other = [name for name, word in words.items() if word is Word.FAILS]
    decided = len(same) + len(other)
    numbers = f"Of {len(words)} answers to the paper's claims {decided} are decided on "
    numbers += f"both data sets, and {len(same)} of these are the same"
    numbers += f"; another one has {', '.join(other)}" if other else ""
    seeds = "; ".join(map(num_seeds, both))
    numbers += f" (MNIST and Fashion-MNIST: {seeds})."
    return over(words, lambda _: f"for {len(same)} of {decided} answers", numbers)


def _same(one: Finding, two: Finding) -> Word:
    if not {one.word, two.word}.isdisjoint(OPEN):
        return Word.UNDECIDED
    return word_of((one.word, one.part) == (two.word, two.part))


ALIKE = Claim(
    "A12",
    "On Fashion-MNIST networks do what they do on MNIST (we ask: what A1 to A10 ask of "
    "them has the same answer on both)",
    _alike,
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
