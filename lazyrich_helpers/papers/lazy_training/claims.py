"""Lazy training: studies and claims of Chizat, Oyallon & Bach (2019)."""

import numpy as np
import pandas as pd

from lazyrich_helpers.analysis.claims.everywhere import everywhere, over, word_of
from lazyrich_helpers.analysis.claims.verdicts import NOT_RUN, Claim, Finding, Verdict
from lazyrich_helpers.analysis.tables.statistics import (
    above,
    near,
    num_seeds,
    with_interval,
)
from lazyrich_helpers.experiments.study import Study, read_study
from lazyrich_helpers.papers.asked import verdicts_of
from lazyrich_helpers.papers.lazy_training import tables
from lazyrich_helpers.papers.lazy_training.images import FLOW, IMAGES
from lazyrich_helpers.papers.lazy_training.kappa import KAPPA
from lazyrich_helpers.papers.lazy_training.laws import LAWS
from lazyrich_helpers.papers.lazy_training.paths import PATHS
from lazyrich_helpers.papers.lazy_training.scales import SCALE, WIDTH

PAPER = "Chizat, Oyallon & Bach (2019)"
PAGE = "book/papers/lazy_training"
STUDIES = (LAWS, KAPPA, SCALE, WIDTH, PATHS, IMAGES, FLOW)


def _laws(table: pd.DataFrame, within: float, least: float) -> Finding:
    slopes = tables.law_slopes(table, least)
    answers = [
        near(pd.Series(slopes[law]), power, within)
        for law, power in tables.LAWS.items()
    ]
    found = ", ".join(tables.exponent(pd.Series(slopes[law])) for law in tables.LAWS)
    numbers = f"Exponents of α: {found} ({_n(slopes)})."
    return Finding(word_of(everywhere(answers)), numbers, brief=f"Exponents: {found}.")


def _scale(table: pd.DataFrame, times: float) -> Finding:
    ends = tables.at_ends(table, "taus", "test_loss")
    ratios = ends.largest / ends.smallest
    low, high = table.taus.min(), table.taus.max()
    numbers = (
        f"Test loss at τ = {high:g} over that at τ = {low:g}: "
        f"{tables.ratio(ratios)} ({_n(table)})."
    )
    found = above(pd.Series(np.log(ratios)), float(np.log(times)))
    return Finding(word_of(found), numbers, brief=numbers)


def _width(table: pd.DataFrame, least: int) -> Finding:
    slopes = tables.width_slopes(table.loc[table.widths >= least], "test_loss")
    falls = above(slopes["1/m"], 0.0)
    words = {
        "for 1/√m": word_of(above(slopes["1/√m"], 0.0)),
        "for 1/m": word_of(None if falls is None else not falls),
    }
    numbers = (
        f"Exponents over m: {tables.exponent(slopes['1/√m'])} for 1/√m, "
        f"{tables.exponent(slopes['1/m'])} for 1/m. At m = {table.widths.max():,} the "
        f"1/√m net's test loss is {tables.ratio(tables.scalings_apart(table))} times "
        f"the 1/m net's ({_n(table)})."
    )
    return over(words, lambda good: good[0], numbers)


def _kappa(table: pd.DataFrame, exponent: float) -> Finding:
    slopes = tables.width_slopes(table, "kappa")
    falls = above(-slopes["1/√m"], exponent)
    stays = above(slopes["1/m"], -exponent)
    numbers = (
        f"κ over m: exponent {tables.exponent(slopes['1/√m'])} for 1/√m, "
        f"{tables.exponent(slopes['1/m'])} for 1/m ({_n(table)})."
    )
    return Finding(word_of(everywhere([falls, stays])), numbers, brief=numbers)


def _images(flow: pd.DataFrame, points: float) -> Finding:
    trained = read_study(IMAGES)
    if trained.missing:
        return NOT_RUN
    return asked_at_equal_loss(flow, trained.table, points)


def asked_at_equal_loss(
    flow: pd.DataFrame, table: pd.DataFrame, points: float
) -> Finding:
    """Ask what a linearized net of `FLOW` loses at the loss of `IMAGES` at α = 1."""
    best = tables.at_best_rates(table.loc[table.inverse_alphas > 0])
    rich = pd.DataFrame(best[best.inverse_alphas == 1])
    lazy = best[best.inverse_alphas == best.inverse_alphas.min()]
    equal = tables.lost_at_equal_loss(flow, rich)
    after = 100 * (
        rich.set_index("seed").test_accuracy - lazy.set_index("seed").test_accuracy
    )
    numbers = (
        f"The linearized net loses {with_interval(equal.lost)} points at equal "
        f"training loss (reached by {int(equal.reached.sum())} of {len(equal)} seeds). "
        f"After as many epochs a net at α = {1 / best.inverse_alphas.min():,.0f} loses "
        f"{with_interval(after)}, with a training loss of {lazy.train_loss.mean():.2f} "
        f"for {rich.train_loss.mean():.2f} ({_n(rich)})."
    )
    enough = equal.reached.mean() >= 0.5
    return Finding(word_of(above(equal.lost, points) if enough else None), numbers)


def _states(table: pd.DataFrame, percent: float) -> Finding:
    best = tables.at_best_rates(table.loc[table.inverse_alphas > 0])
    lazy = best[best.inverse_alphas == best.inverse_alphas.min()]
    rich = best[best.inverse_alphas == 1]
    kept = 100 * lazy.kept_states
    numbers = (
        f"In their initial state: {with_interval(kept, sign=False)} % at "
        f"α = {1 / best.inverse_alphas.min():,.0f}, "
        f"{with_interval(100 * rich.kept_states, sign=False)} % at α = 1 ({_n(table)})."
    )
    return Finding(word_of(above(kept, percent)), numbers, brief=numbers)


CLAIMS: tuple[tuple[Claim, Study, str], ...] = (
    (
        Claim(
            name="LT1",
            says="A net trained for a fixed time at scale α stays within order 1/α of "
            "its start, 1/α² of its linearization, 1/α of its outputs (we ask: "
            "measured exponents within {within} of −1, −2, −1, over α ≥ {least:g})",
            check=_laws,
            asks={"within": 0.05, "least": tables.LAZY_FROM},
        ),
        LAWS,
        "Tanh, 40 units",
    ),
    (
        Claim(
            name="LT2",
            says="A student that starts at a large scale, and so is trained lazily, "
            "has a larger test loss than one that starts small (we ask: {times} times)",
            check=_scale,
            asks={"times": 2},
        ),
        SCALE,
        "d = 100, m = 50, 1,000 examples: the paper's sizes",
    ),
    (
        Claim(
            name="LT3",
            says="With outputs of 1/√m the test loss grows with the width m, with 1/m "
            "it does not (we ask: the exponents' signs, from m = {least})",
            check=_width,
            asks={"least": 8},
        ),
        WIDTH,
        "d = 100, 1,000 examples, 2,500 steps",
    ),
    (
        Claim(
            name="LT4",
            says="The relative scale κ falls with the width for 1/√m, not for 1/m (its "
            "bound, as we remember it; we ask: faster and slower than m^−{exponent})",
            check=_kappa,
            asks={"exponent": 0.1},
        ),
        KAPPA,
        "Tanh nets at their start, fp64",
    ),
    (
        Claim(
            name="LT5",
            says="A convolutional net loses test accuracy when it is trained lazily "
            "(we ask: {points} point from α = 1 to its linearization, at equal "
            "training loss)",
            check=_images,
            asks={"points": 1},
        ),
        FLOW,
        "Conv-Net of 8 channels, the same digits for all seeds, fp64",
    ),
    (
        Claim(
            name="LT6",
            says="In lazy training nearly no ReLU flips, as we remember the paper (we "
            "ask: {percent} % stay, at the largest α)",
            check=_states,
            asks={"percent": 99},
        ),
        IMAGES,
        "Conv-Net of 8 channels, digits, fp64",
    ),
)


def verdicts() -> tuple[Verdict, ...]:
    """Return what the recorded studies say of the claims."""
    return verdicts_of(CLAIMS)


def _n(table: pd.DataFrame) -> str:
    return num_seeds(table.assign(all=0), "all")
