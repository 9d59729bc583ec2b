"""What Walker et al. (2025) claim, and what is found at this scale."""

import functools
import math

import pandas as pd

from lazyrich_helpers.analysis.claims.everywhere import everywhere, over, word_of
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding
from lazyrich_helpers.analysis.tables.statistics import (
    above,
    as_ratio,
    in_two_digits,
    with_interval,
)
from lazyrich_helpers.papers.grokalign.measures import ATTACK_STEPS
from lazyrich_helpers.papers.grokalign.tables import (
    BASELINE,
    at_end,
    first_reach,
    lateness,
    networks,
    of_method,
    reach_or_last,
    reaches,
)

RIVALS = ("Grokfast", "noise")
XOR_LEVEL = 0.8
"""Accuracy under noise at which a network of XOR counts as robust; ours."""


def faster(table: pd.DataFrame, *, column: str, unit: str, word: str) -> Finding:
    """Ask whether GrokAlign gets to the accuracy sooner than weight decay alone."""
    found = reaches(table)
    ratios = of_method(found, "GrokAlign", f"{column}_ratio")
    times = in_two_digits(ratios)
    means = [
        f"{of_method(found, m, column).mean():,.0f}" for m in (BASELINE, "GrokAlign")
    ]
    numbers = f"{' against '.join(means)} {unit}: {times} times {word}."
    there = of_method(found, "GrokAlign", "reached")
    answers = [above(ratios.map(math.log), 0)]
    if not there.all():
        answers.append(None)  # the last step counts, so it takes longer than this
        numbers += f" GrokAlign gets there in {there.sum()} of {len(there)} networks."
    return Finding(word_of(everywhere(answers)), numbers)


def more_than_rivals(table: pd.DataFrame) -> Finding:
    """Ask of each rival whether GrokAlign takes fewer steps, seed by seed."""
    found = reaches(table)
    own = of_method(found, "GrokAlign", "step_ratio")
    answers, numbers = [], []
    for name in RIVALS:
        ratios = of_method(found, name, "step_ratio")
        answers.append(above((own / ratios).map(math.log), 0))
        numbers.append(f"{name}: {in_two_digits(ratios)} times fewer steps")
    return Finding(word_of(everywhere(answers)), "; ".join(numbers) + ".")


def aligns(table: pd.DataFrame) -> Finding:
    """Ask whether each method's true rows turn to the images after these are learned.

    Any gain of the cosine counts; what it comes to is told.
    """
    answers, numbers = [], []
    for name in (BASELINE, "GrokAlign"):
        own = table.loc[table.methods == name]
        fitted = [
            first_reach(rows, "train", 1.0, "true_row")
            for _, _, rows in networks(own, "methods")
        ]
        ends = of_method(at_end(own), name, "true_row")
        gains = ends - fitted
        answers.append(above(gains, 0))
        numbers.append(
            f"{name}: the cosine gains {in_two_digits(gains)}, to {in_two_digits(ends)}"
        )
        if gains.isna().any():
            answers.append(None)
            numbers[-1] += f" ({gains.count()} of {len(gains)} networks learn them all)"
    return Finding(word_of(everywhere(answers)), "; ".join(numbers) + ".")


def more_aligned(table: pd.DataFrame) -> Finding:
    """Ask whether GrokAlign's highest row is more aligned at the end."""
    last = at_end(table)
    two = [of_method(last, name, "highest_row") for name in ("GrokAlign", BASELINE)]
    numbers = " against ".join(in_two_digits(values) for values in two)
    return Finding(word_of(above(two[0] - two[1], 0)), f"Cosine {numbers}.")


def more_robust(table: pd.DataFrame) -> Finding:
    """Ask whether robustness comes after accuracy, and GrokAlign has more of it."""
    last, late = at_end(table), lateness(table, "robust")
    names = ("GrokAlign", BASELINE)
    two = [100 * of_method(last, name, "robust") for name in names]
    times = [of_method(late, name, "ratio") for name in names]
    answers = [above(two[0] - two[1], 0)]
    for ratios in times:
        # It is 0 where a network ends with none, or has had it from the start.
        answers.append(above(pd.Series(ratios[ratios > 0]).map(math.log), 0))
        answers.append(bool((ratios > 0).all()) or None)
    ends = " against ".join(with_interval(v, sign=False) for v in two)
    later = " and ".join(in_two_digits(ratios) for ratios in times)
    numbers = f"{ends} % under attack at the end; {later} times as many steps."
    return Finding(word_of(everywhere(answers)), numbers)


def xor_sooner(table: pd.DataFrame, *, theirs: float, best: float) -> Finding:
    """Ask of two penalties whether each makes noisy accuracy reach 80 % sooner.

    A network that does not get there counts with its last step.
    """
    rows = [
        (value, seed, reach_or_last(own, "noisy", XOR_LEVEL, "step"))
        for value, seed, own in networks(table, "penalties")
    ]
    found = pd.DataFrame(rows, columns=["penalty", "seed", "step"])
    steps = found.pivot(index="seed", columns="penalty", values="step")
    robust = table.groupby(["penalties", "seed"]).noisy.max() >= XOR_LEVEL
    there = robust.groupby("penalties").sum()
    words, told = {}, []
    for penalty in (theirs, best):
        times = pd.Series(steps[0.0] / steps[penalty]).map(math.log)
        words[penalty] = word_of(above(times, 0))
        sooner = f"{as_ratio(times)} times as soon ({there[penalty]} of"
        if not there[penalty]:
            sooner = f"not in {table.step.max():,} steps (none of"
        told.append(f"λ = {penalty:g}: {sooner} {len(steps)} networks get there)")
    numbers = f"To {100 * XOR_LEVEL:.0f} %, from λ = 0's {steps[0.0].mean():.0f} steps"
    return over(
        words,
        lambda good: f"at λ = {', '.join(map('{:g}'.format, good))}",
        f"{numbers}: {'; '.join(told)}.",
    )


def kernel_tells(table: pd.DataFrame, *, error: float) -> Finding:
    """Ask whether the smallest step is told with an error below the line."""
    smallest = table.loc[table.lrs == table.lrs.min()]
    errors = smallest.groupby("seed").error.max()
    numbers = f"At η = {table.lrs.min():g} the error is {in_two_digits(errors)}."
    return Finding(word_of(above(-errors, -error)), numbers)


GROKKING_CLAIMS = (
    Claim(
        "GA1",
        "Penalizing the Jacobian's norm takes fewer steps to 85 % test accuracy than "
        "weight decay alone (7.56 times fewer in the paper)",
        functools.partial(faster, column="step", unit="steps", word="fewer"),
    ),
    Claim(
        "GA2",
        "Penalizing the Jacobian takes less time, too (6.41 times less in the paper)",
        functools.partial(
            faster,
            column="seconds",
            unit="CPU seconds, all seeds together",
            word="less",
        ),
    ),
    Claim(
        "GA3",
        "Penalizing the Jacobian saves more steps than Grokfast and than noise on the "
        "inputs (here its weight was tuned, and theirs are those of the authors' code)",
        more_than_rivals,
    ),
    Claim(
        "GA4",
        "The Jacobian becomes more aligned with the input after the training images "
        "are learned",
        aligns,
    ),
    Claim(
        "GA5",
        "With the penalty the Jacobian ends more aligned than without",
        more_aligned,
    ),
    Claim(
        "GA6",
        "Robustness to attacks comes late as well, and the penalty brings more of it "
        "(we ask for more steps than test accuracy takes, each to 85 % of its end; "
        f"here PGD in ℓ∞, ε = 0.05 of a pixel's range, {ATTACK_STEPS} steps of ε/4; "
        "the paper: APGD-CE, ε = 4/255)",
        more_robust,
    ),
)
XOR_CLAIM = Claim(
    "GA7",
    "On XOR the penalty makes the network robust to noise sooner (we ask at the "
    "paper's λ, {theirs:g}, and at {best:g}, the best of four λ on these seeds)",
    xor_sooner,
    {"theirs": 1.0, "best": 0.3},
)
KERNEL_CLAIM = Claim(
    "GA8",
    "The tangent kernel says how a small step changes the product of centroid and "
    "input (we ask for an error below {error:g})",
    kernel_tells,
    {"error": 0.01},
)
