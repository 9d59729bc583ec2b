"""What Atanasov et al. (2024) say of the plane, asked of the recorded one."""

import math

import numpy as np
import pandas as pd

from lazyrich_helpers.analysis.claims.everywhere import word_of
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Verdict, Word
from lazyrich_helpers.analysis.tables.statistics import near, with_interval
from lazyrich_helpers.papers.asked import verdicts_of
from lazyrich_helpers.papers.dial import plane
from lazyrich_helpers.papers.dial.knobs import KNOB_STUDY
from lazyrich_helpers.papers.dial.tables import LAZY, RICH, best_etas, slopes

PAPER = "Atanasov et al. (2024)"
PAGE = "book/02_lazy_and_rich"
STUDIES = (*plane.PLANES.values(), *plane.WIDTHS.values(), KNOB_STUDY)


def power_is(
    table: pd.DataFrame,
    *,
    power: float,
    within: float,
    least: float = 0.0,
    most: float = math.inf,
) -> Finding:
    """Ask whether the best η grows as a `power` of γ, over γ between two.

    One at an end of the grid may not be the best, and leaves it undecided.
    """
    best = best_etas(table)
    found = slopes(best, least, most)
    fitted = best.eta[best.gamma.between(least, most)]
    at_end = np.isclose(fitted.to_numpy()[:, None], [min(table.eta), max(table.eta)])
    exponent = with_interval(found, digits=2)
    numbers = f"exponent {exponent} (n = {len(found)} seeds)."
    if at_end.any():
        numbers += f" {at_end.sum()} of {len(fitted)} best η are at an end of the grid."
        return Finding(Word.UNDECIDED, numbers)
    return Finding(word_of(near(found, power, within)), numbers)


DL1 = Claim(
    name="DL1",
    says="Where training is lazy, the best learning rate grows about as the square of "
    "the strength of feature learning (we ask for an exponent of {power:g} ± {within} "
    "over γ ≤ {most:g})",
    check=power_is,
    asks={"power": 2.0, "within": 0.2, "most": LAZY},
)
DL2 = Claim(
    name="DL2",
    says="Where it is rich, the best learning rate grows about as its power 2/L, for L "
    "layers (we ask for an exponent of {power:.2f} ± {within} over γ ≥ {least:g}; "
    "L = 3)",
    check=power_is,
    asks={"power": 2 / plane.NUM_LAYERS, "within": 0.2, "least": RICH},
)


def verdicts() -> tuple[Verdict, ...]:
    """Return the verdicts, from the recorded plane."""
    study = plane.PLANES["theory"]
    settings = study.settings("paper")
    about = (
        f"digits · {settings.train_size:,} images · d = 2 · w = {settings.width} · "
        f"SGD, {settings.num_steps:,} steps, squared error"
    )
    return verdicts_of((claim, study, about) for claim in (DL1, DL2))
