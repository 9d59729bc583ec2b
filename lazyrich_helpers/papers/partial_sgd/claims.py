"""Masked training with partial gradients: its studies and claims."""

import itertools
import math

import pandas as pd

from lazyrich_helpers.analysis.claims.amounts import Points, Several
from lazyrich_helpers.analysis.claims.everywhere import (
    at_places,
    everywhere,
    over_or_open,
    word_of,
)
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Verdict
from lazyrich_helpers.analysis.tables.statistics import above, num_seeds, with_interval
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.asked import verdicts_of
from lazyrich_helpers.papers.partial_sgd.bound import BOUND
from lazyrich_helpers.papers.partial_sgd.entries import ENTRIES
from lazyrich_helpers.papers.partial_sgd.parts import TRANSFORMER, WIDTHS
from lazyrich_helpers.papers.partial_sgd.samplers import SAMPLERS
from lazyrich_helpers.papers.partial_sgd.tables import (
    behind_sgd,
    final_table,
    joint_gains,
    mean_gain,
)

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
    for rho, larger in itertools.pairwise(rho for rho in full.columns if rho > 0):
        steps = (full[rho] / full[larger]).groupby("radius")
        answers += [above(pd.Series(own), 1) for _, own in steps]
        growth = full[rho] / full[1.0]
        each = [pd.Series(own) for _, own in growth.groupby("radius")]
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
    return Finding(word_of(everywhere(answers)), numbers)


def _at_each_setting(
    gains: pd.DataFrame, least: float, other: pd.DataFrame, words: str
) -> Finding:
    """Ask at each rank and size whether the mean gain is above `least`.

    Their mean, of each seed, is told, too; and in brackets the `other` gains, which
    decide nothing, and which `words` name.
    """
    place = ["ranks", "train_size"]
    told = {at: with_interval(own) for at, own in other.groupby(place).gain}
    answers = {
        at: (above(own, least), f"{with_interval(own)} ({told[at]})")
        for at, own in gains.groupby(place, sort=False).gain
    }
    mean, beside = mean_gain(gains), mean_gain(other)
    unit = f"Points ({words}), in the mean of all settings {mean} ({beside})"
    seeds = num_seeds(gains, "ranks")
    at = "rank {0[0]}, {0[1]:,} images"
    return at_places(answers, at, unit, _ranks_and_sizes, seeds, over_or_open)


def _ranks_and_sizes(places: list[tuple[int, int]]) -> str:
    return f"at rank (images) {Several(f'{r} ({n:,})' for r, n in places)}"


def check_core(table: pd.DataFrame) -> Finding:
    """Check that the core is better trained jointly than alone for as many steps.

    All steps of joint training train the core's matrices. Beside it stands what is
    gained over the core alone for as many steps as the core has its turn.
    """
    gains = joint_gains(table, "core", alone="core alone, twice")
    words = "in brackets: over half as many steps of the core alone"
    return _at_each_setting(gains, 0.0, joint_gains(table, "core"), words)


def check_full(table: pd.DataFrame, most: float) -> Finding:
    """Check that the full network loses at most so much by it.

    Beside it stands what it loses at the learning rate that is best for it.
    """
    own = joint_gains(table, "full", "joint, the full one's rate")
    words = "in brackets: at the rate that is best for the full one"
    return _at_each_setting(joint_gains(table, "full"), -most, own, words)


def check_saves(table: pd.DataFrame, most: float) -> Finding:
    """Check which samplers that skip work are at most so far behind SGD."""
    last = final_table(table, "total")
    cost = "at shares of its FLOPs and CPU time"
    return _of_samplers(last, SAVES, -most, cost, below=1.0)


def check_elsewhere(table: pd.DataFrame) -> Finding:
    """Check whether a gradient taken elsewhere does better, at as many updates."""
    last = final_table(table, "core")
    return _of_samplers(last, ELSEWHERE, 0.0, "at multiples of its FLOPs and CPU time")


def ahead_of_sgd(
    last: pd.DataFrame, names: tuple[str, ...], least: float, below: float = math.inf
) -> dict[str, bool | None]:
    """Return of each whether it is ahead by `least`, at FLOPs `below` a multiple."""
    flops = last.groupby("samplers").flops.mean()
    return {
        name: everywhere(
            [above(behind_sgd(last, name), least), bool(flops[name] < below)]
        )
        for name in names
    }


def _of_samplers(
    last: pd.DataFrame,
    names: tuple[str, ...],
    least: float,
    cost: str,
    below: float = math.inf,
) -> Finding:
    """Ask what `ahead_of_sgd` does."""
    costs = pd.DataFrame(last.groupby("samplers")[["flops", "time"]].mean())
    answers = {}
    for name, answer in ahead_of_sgd(last, names, least, below).items():
        ahead = with_interval(behind_sgd(last, name))
        text = "{} at {:.2f} and {:.2f}".format(ahead, *costs.loc[name])
        answers[ENTRIES[name].label] = (answer, text)
    unit, seeds = f"Points over SGD, {cost}", num_seeds(last, "samplers")
    return at_places(answers, "{}", unit, _labels, seeds)


def _labels(labels: list[str]) -> str:
    return f"for {', '.join(labels)}"


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
            "than one trained alone (we ask for an interval above 0, over the core "
            "alone for as many steps in all)",
            check=check_core,
        ),
        TRANSFORMER,
        ON_DIGITS,
    ),
    (
        Claim(
            name="MT3",
            says="The standard Transformer, trained jointly, is about as good as alone "
            "(at matched steps of its own and one learning rate for both parts; we ask "
            "for a loss below {most})",
            check=check_full,
            asks={"most": Points(1)},
        ),
        TRANSFORMER,
        ON_DIGITS,
    ),
    (
        Claim(
            name="MT4",
            says="Updating a part of the parameters makes training more efficient: why "
            "others do it, the abstract says (we ask for an accuracy less than {most} "
            "below SGD's, at fewer FLOPs and as many steps)",
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
            "gives a better accuracy: why others do it, the abstract says (we ask so "
            "at as many updates, which cost twice as much, of extragradient that looks "
            "a twentieth of a step ahead, and of SAM)",
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
