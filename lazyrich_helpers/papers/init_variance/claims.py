"""Luther & Seung (2019), on which variance a start preserves: claims and verdicts."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Several
from lazyrich_helpers.analysis.claims.everywhere import (
    Answer,
    at_each_width,
    at_places,
    everywhere,
    over,
    over_or_open,
    word_of,
)
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Verdict
from lazyrich_helpers.analysis.tables.statistics import (
    above,
    near,
    num_seeds,
    with_interval,
)
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.asked import verdicts_of
from lazyrich_helpers.papers.init_variance.studies import (
    DECAY,
    HISTOGRAMS,
    IMAGES,
    STARTED,
)
from lazyrich_helpers.papers.init_variance.tables import (
    LEAST_SEEDS,
    best_rates,
    off_theory,
    share_reached,
    speed_up,
    steps_at_best,
    told_reached,
    with_share,
)
from lazyrich_helpers.papers.init_variance.training import TRAINING

PAPER = "Luther & Seung (2019)"
PAGE = "book/papers/init_variance"
STUDIES = (DECAY, STARTED, HISTOGRAMS, IMAGES, TRAINING)


def check_decay(table: pd.DataFrame, *, layer: int, share: float) -> Finding:
    """Check that little of the total variance is left as sample variance."""

    def answer(width: int) -> Answer:
        rows = table[(table.widths == width) & (table.layer == layer)]
        percent = 100 * rows["sample"] / rows.total
        return above(-percent, -share), with_interval(percent, sign=False)

    return _by_width(table, answer, f"Sample variance in layer {layer} (% of total)")


def check_recursion(table: pd.DataFrame, *, percent: float, layer: int) -> Finding:
    """Check that the sample variance's share is the wide network's, to a layer."""
    highest = int(table.layer.max())

    def answer(width: int) -> Answer:
        off = off_theory(with_share(table), width)
        asked = pd.DataFrame(off.loc[:, :layer])
        each = {n: pd.Series(own) for n, own in asked.items()}
        worst = max(each.values(), key=lambda own: abs(own.mean()))
        top = with_interval(pd.Series(off[highest]))
        answers = (near(own, 0, percent) for own in each.values())
        return everywhere(answers), f"{with_interval(worst)} ({top})"

    unit = "Largest deviation of the share 1 − ρ from the recursion’s (%), to layer"
    return _by_width(table, answer, f"{unit} {layer} (and in layer {highest})")


def check_kept(table: pd.DataFrame, *, layer: int, low: float, high: float) -> Finding:
    """Check that sample statistics keep the sample variance, layer statistics not."""
    asked = {"layer": (low, "layer statistics"), "sample": (high, "sample statistics")}
    words, told = {}, []
    for start, (line, name) in asked.items():
        rows = table[(table.inits == start) & (table.layer == layer)]
        percent = 100 * rows["sample"] / rows.total
        side = 1 if start == "sample" else -1
        words[name] = word_of(above(side * percent, side * line))
        told.append(f"{name} {with_interval(percent, sign=False)}")
    at = (table.inits == "sample") & (table.layer == layer)
    own = pd.Series(table.loc[at, "sample"])
    numbers = (
        f"Sample variance in layer {layer} (% of total): {', '.join(told)}; by sample "
        f"statistics it is itself, on inputs that the start has not seen, "
        f"{own.median():.1f} in the median, {own.min():.1f} to {own.max():.1f}, where "
        f"1 is due ({num_seeds(table, 'inits')})."
    )
    return over(words, lambda names: f"for {Several(names)}", numbers)


def check_faster(table: pd.DataFrame) -> Finding:
    """Check that sample statistics need fewer steps than layer statistics."""
    best, few = best_rates(table), table.seed.nunique() < LEAST_SEEDS

    def answer(depth: int) -> Answer:
        layer, sample = (steps_at_best(best, s, depth) for s in ("layer", "sample"))
        if layer is None or sample is None:
            reached = {"layer": layer, "sample": sample}
            lacking = [name for name, steps in reached.items() if steps is None]
            told = Several(told_reached(table, name, depth) for name in lacking)
            most = share_reached(table, lacking[0], depth) >= 0.5
            if few or most or len(lacking) == 2:
                return None, f"reached by {told}"
            return sample is not None, f"reached by {told}"
        saved = with_interval(layer - sample, sign=False, digits=0)
        text = f"{saved} of {layer.mean():.0f} steps saved"
        return above(layer - sample, 0), text

    return _by_depth(table, answer, "To the training loss, at the best learning rates")


def check_fraction(table: pd.DataFrame, *, fraction: int) -> Finding:
    """Check that sample statistics save much of the steps that batch norm saves."""
    best, few = best_rates(table), table.seed.nunique() < LEAST_SEEDS

    def answer(depth: int) -> Answer:
        part = speed_up(best, depth)
        layer, norm = (steps_at_best(best, s, depth) for s in ("layer", "batch_norm"))
        if part is None or layer is None or norm is None:
            lost = not few and share_reached(table, "sample", depth) < 0.5
            norm_alone = lost and norm is not None
            told = Several(
                told_reached(table, name, depth)
                for name in ("layer", "sample", "batch_norm")
                if steps_at_best(best, name, depth) is None
            )
            return (False if norm_alone else None), f"reached by {told}"
        saves = above(layer - norm, 0)
        text = f"{with_interval(100 * part, sign=False, digits=0)} %"
        if not saves:
            text += f" of {with_interval(layer - norm)} steps"
        return everywhere([above(100 * part, fraction), saves]), text

    return _by_depth(table, answer, "Part of batch norm's saving")


def _by_width(
    table: pd.DataFrame, answer: Callable[[int], Answer], unit: str
) -> Finding:
    found = at_each_width(table.rename(columns={"widths": "width"}), answer, unit)
    return replace(found, brief="")


def _by_depth(
    table: pd.DataFrame, answer: Callable[[int], Answer], unit: str
) -> Finding:
    answers = {int(depth): answer(int(depth)) for depth in sorted(table.depth.unique())}
    seeds = num_seeds(table, "inits")
    return at_places(answers, "{} layers", unit, _layers, seeds, over_or_open)


def _layers(depths: list[int]) -> str:
    return f"for {Several(map(str, depths))} layers"


OF_DECAY = "white noise · w = 64 to 1,024 · 50 layers"
OF_STARTS = "white noise · w = 512 · 50 layers"
OF_TRAINING = "digits · w = 64 · 10, 20, 30 hidden layers"
CLAIMS: tuple[tuple[Claim, Study, str], ...] = (
    (
        Claim(
            name="IV1",
            says="From He's (Kaiming's) start, which keeps the total variance on "
            "average over weights, the variance over samples decays (we ask: to "
            "{share:g} % of the total in layer {layer})",
            check=check_decay,
            asks={"layer": 50, "share": 10.0},
        ),
        DECAY,
        OF_DECAY,
    ),
    (
        Claim(
            name="IV2",
            says="In wide networks the decay is that of a mean-field recursion (in its "
            "corrected form; we ask: the share 1 − ρ within {percent:g} % of its, to "
            "layer {layer})",
            check=check_recursion,
            asks={"percent": 25.0, "layer": 20},
        ),
        DECAY,
        OF_DECAY,
    ),
    (
        Claim(
            name="IV3",
            says="Normalizing by layer statistics does not keep the sample variance's "
            "share of the total, by sample statistics it does (we ask: below {low:g} % "
            "and above {high:g} % in layer {layer})",
            check=check_kept,
            asks={"layer": 50, "low": 10.0, "high": 90.0},
        ),
        STARTED,
        OF_STARTS,
    ),
    (
        Claim(
            name="IV4",
            says="Re-initialized to sample statistics, a deep network trains faster "
            "than re-initialized to layer statistics",
            check=check_faster,
        ),
        TRAINING,
        OF_TRAINING,
    ),
    (
        Claim(
            name="IV5",
            says="Sample statistics gain a substantial fraction of batch norm's "
            "speed-up (we ask: {fraction} % of the steps saved)",
            check=check_fraction,
            asks={"fraction": 50},
        ),
        TRAINING,
        OF_TRAINING,
    ),
)


def verdicts() -> tuple[Verdict, ...]:
    """Return every headline claim of the paper with what the recorded studies say."""
    return verdicts_of(CLAIMS)
