"""Masked training with partial gradients: its studies and claims."""

from collections.abc import Mapping

import pandas as pd

from lazyrich_helpers.analysis.amounts import Points
from lazyrich_helpers.analysis.statistics import above, num_seeds, with_interval
from lazyrich_helpers.analysis.verdicts import Claim, Finding, Verdict, Word, over
from lazyrich_helpers.analysis.verdicts import word_of as word
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.asked import verdicts_of
from lazyrich_helpers.papers.partial_sgd_bound import BOUND
from lazyrich_helpers.papers.partial_sgd_entries import ENTRIES
from lazyrich_helpers.papers.partial_sgd_samplers import SAMPLERS
from lazyrich_helpers.papers.partial_sgd_tables import (
    behind_sgd,
    final_table,
    joint_gains,
)
from lazyrich_helpers.papers.partial_sgd_transformer import TRANSFORMER
from lazyrich_helpers.papers.partial_sgd_widths import WIDTHS

PAPER = "Mohtashami, Jaggi & Stich (2022)"
PAGE = "book/papers/partial_sgd"
STUDIES = (BOUND, SAMPLERS, WIDTHS, TRANSFORMER)

SAVES = (
    *("lws-static", "lws-epoch", "lws-step", "freezing", "freeze-out"),
    *("lisa", "badam", "modules", "threshold", "dropout"),
)
"""Samplers whose masks skip work here."""
ELSEWHERE = ("extragradient", "sam")


def check_bound(table: pd.DataFrame) -> Finding:
    """Check that no mean over seeds is above its bound."""
    promised = pd.DataFrame(table[table.rhos > 0])
    means = pd.DataFrame(promised.groupby(["rhos", "radius"]).mean())
    ratios = pd.concat([means.masked / means.bound, means.full / means.full_bound])
    numbers = (
        f"The largest mean is {ratios.max():.2f} of its bound, over "
        f"{promised.rhos.nunique()} probabilities and {promised.radius.nunique()} "
        f"perturbations ({num_seeds(table, 'rhos')})."
    )
    return Finding(word(bool((ratios <= 1).all())), numbers)


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
    return _of_samplers(last, SAVES, -most, "at a share of its FLOPs")


def check_elsewhere(table: pd.DataFrame) -> Finding:
    """Check whether a gradient taken elsewhere does better, at as many updates."""
    last = final_table(table, "core")
    return _of_samplers(last, ELSEWHERE, 0.0, "at times its FLOPs")


def _of_samplers(
    last: pd.DataFrame, names: tuple[str, ...], least: float, cost: str
) -> Finding:
    behind = {name: behind_sgd(last, name) for name in names}
    words: Mapping[str, Word] = {
        name: word(above(values, least)) for name, values in behind.items()
    }
    flops = last.groupby("samplers").flops.mean()
    listed = "; ".join(
        f"{ENTRIES[name].label}: {with_interval(values)} at {flops[name]:.2f}"
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
            "factor that says how much of the gradient the masks keep (we ask that "
            "measured gradients stay below a bound of that form, which is derived "
            "here)",
            check=check_bound,
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
            says="The standard one, trained jointly, is about as good as alone (at "
            "matched steps of its own; we ask for a loss below {most})",
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
            "as much)",
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
