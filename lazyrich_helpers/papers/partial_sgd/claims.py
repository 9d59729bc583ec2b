"""Masked training with partial gradients: its studies and claims."""

from collections.abc import Mapping

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Points
from lazyrich_helpers.analysis.claims.everywhere import everywhere, over
from lazyrich_helpers.analysis.claims.everywhere import word_of as word
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Verdict, Word
from lazyrich_helpers.analysis.tables.statistics import above, num_seeds, with_interval
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.asked import verdicts_of
from lazyrich_helpers.papers.partial_sgd.bound import BOUND
from lazyrich_helpers.papers.partial_sgd.entries import ENTRIES
from lazyrich_helpers.papers.partial_sgd.samplers import SAMPLERS
from lazyrich_helpers.papers.partial_sgd.tables import (
    behind_sgd,
    final_table,
    joint_gains,
)
from lazyrich_helpers.papers.partial_sgd.transformer import TRANSFORMER
from lazyrich_helpers.papers.partial_sgd.widths import WIDTHS

PAPER = "Mohtashami, Jaggi & Stich (2022)"
PAGE = "book/papers/partial_sgd"
STUDIES = (BOUND, SAMPLERS, WIDTHS, TRANSFORMER)

SAVES = (
    *("lws-static", "lws-epoch", "lws-step", "freezing", "freeze-out"),
    *("lisa", "badam", "modules", "threshold", "dropout"),
    *("subnets", "slimmable", "low-rank"),
)
"""Samplers that take fewer FLOPs than SGD for as many steps."""
ELSEWHERE = ("extragradient", "sam")


def check_growth(table: pd.DataFrame) -> Finding:
    """Check that gradients grow as ρ falls, but not by more than 1 / ρ, of each seed.

    The bound's own factor is 1 / ρ; what is measured may grow by more or not at all.
    """
    full = table.pivot_table("full", ["radius", "seed"], "rhos")
    answers, listed = [], []
    for rho in [rho for rho in full.columns if 0 < rho < 1]:
        growth = full[rho] / full[1.0]
        each = [pd.Series(own) for _, own in growth.groupby("radius")]
        answers += [above(own, 1) for own in each]
        answers += [above(-own, -1 / rho) for own in each]
        means = [own.mean() for own in each]
        listed.append(
            f"ρ = {rho:g}: {min(means):.1f} to {max(means):.1f} of {1 / rho:g}"
        )
    numbers = (
        f"Times as large as at ρ = 1, of the most that is asked, over "
        f"{table.radius.nunique()} perturbations: {'; '.join(listed)} "
        f"({num_seeds(table, 'rhos')})."
    )
    return Finding(word(everywhere(answers)), numbers)


def _at_each_setting(gains: pd.DataFrame, least: float) -> Finding:
    """Ask at each rank and size whether the mean gain is above `least`."""
    rows = gains.set_index(["ranks", "train_size"]).gain
    found = {place: rows.loc[place] for place in rows.index.unique()}
    words = {place: word(above(values, least)) for place, values in found.items()}
    listed = "; ".join(
        f"rank {rank}, {size:,} images: {with_interval(values)}"
        for (rank, size), values in found.items()
    )
    numbers = f"Points: {listed} ({num_seeds(gains, 'ranks')})."
    return over(words, _ranks_and_sizes, numbers)


def _ranks_and_sizes(places: list[tuple[int, int]]) -> str:
    return "for " + ", ".join(f"rank {r} with {n:,} images" for r, n in places)


def check_core(table: pd.DataFrame) -> Finding:
    """Check that the core is better trained jointly, at matched core steps."""
    return _at_each_setting(joint_gains(table, "core"), 0.0)


def check_full(table: pd.DataFrame, most: float) -> Finding:
    """Check that the full network loses at most so much by it."""
    return _at_each_setting(joint_gains(table, "full"), -most)


def check_saves(table: pd.DataFrame, most: float) -> Finding:
    """Check which samplers that skip work are at most so far behind SGD."""
    last = final_table(table, "total")
    return _of_samplers(last, SAVES, -most, "at shares of its FLOPs and CPU time")


def check_elsewhere(table: pd.DataFrame) -> Finding:
    """Check whether a gradient taken elsewhere does better, at as many updates."""
    last = final_table(table, "core")
    return _of_samplers(last, ELSEWHERE, 0.0, "at multiples of its FLOPs and CPU time")


def _of_samplers(
    last: pd.DataFrame, names: tuple[str, ...], least: float, cost: str
) -> Finding:
    behind = {name: behind_sgd(last, name) for name in names}
    words: Mapping[str, Word] = {
        name: word(above(values, least)) for name, values in behind.items()
    }
    means = last.groupby("samplers")
    flops, times = means.flops.mean(), means.time.mean()
    listed = "; ".join(
        f"{ENTRIES[name].label}: {with_interval(values)} at {flops[name]:.2f} "
        f"and {times[name]:.2f}"
        for name, values in behind.items()
    )
    numbers = f"Points over SGD, {cost}: {listed} ({num_seeds(last, 'samplers')})."
    return over(words, _labels, numbers)


def _labels(names: list[str]) -> str:
    return "for " + ", ".join(ENTRIES[name].label for name in names)


ON_QUADRATIC = "quadratic · 40 parameters · 4 blocks"
ON_MNIST = "MNIST · 1,000 images · ReLU-Net, 4 × 100 units · SGD"
ON_DIGITS = "8×8 digits as 8 tokens · 2 blocks of 16 · SGD"
CLAIMS: tuple[tuple[Claim, Study, str], ...] = (
    (
        Claim(
            name="MT1",
            says="SGD with masks and perturbations converges as SGD does, but for a "
            "factor that says how much of the gradient the masks keep (a bound of that "
            "form is proved here, for masks and perturbations independent of a step's "
            "noise, and no run can refute it; we ask that mean squared gradients grow "
            "as ρ falls, and by at most 1/ρ)",
            check=check_growth,
        ),
        BOUND,
        ON_QUADRATIC,
    ),
    (
        Claim(
            name="MT2",
            says="A low-rank Transformer trained jointly with a standard one is better "
            "than one trained alone (at matched core steps; we ask for an interval "
            "above 0)",
            check=check_core,
        ),
        TRANSFORMER,
        ON_DIGITS,
    ),
    (
        Claim(
            name="MT3",
            says="The standard Transformer, trained jointly, is about as good as alone "
            "(at matched steps of its own; we ask for a loss below {most})",
            check=check_full,
            asks={"most": Points(1)},
        ),
        TRANSFORMER,
        ON_DIGITS,
    ),
    (
        Claim(
            name="MT4",
            says="Updating a part of the parameters makes training more efficient (we "
            "ask for an accuracy less than {most} below SGD's, at fewer FLOPs and as "
            "many steps)",
            check=check_saves,
            asks={"most": Points(1)},
        ),
        SAMPLERS,
        ON_MNIST,
    ),
    (
        Claim(
            name="MT5",
            says="Taking the gradient at perturbed parameters, as extragradient does, "
            "gives a better accuracy (we ask so at as many updates, which cost twice "
            "as much, of extragradient that looks a twentieth of a step ahead, and of "
            "SAM)",
            check=check_elsewhere,
        ),
        SAMPLERS,
        ON_MNIST,
    ),
)
"""What the abstracts of the paper's first and last version say, in our words; the study
that decides it; and its networks and data."""


def verdicts() -> tuple[Verdict, ...]:
    """Return the verdict on each claim in the recorded studies."""
    return verdicts_of(CLAIMS)
