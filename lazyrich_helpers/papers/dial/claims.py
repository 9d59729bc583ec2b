"""What Atanasov et al. (2024) say of the plane, asked of the recorded one."""

import pandas as pd

from lazyrich_helpers.analysis.claims.everywhere import word_of
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding, Verdict
from lazyrich_helpers.analysis.tables.statistics import (
    confidence_interval,
    near,
    signed,
)
from lazyrich_helpers.experiments.study import read_study
from lazyrich_helpers.papers.asked import verdict_of
from lazyrich_helpers.papers.dial import plane
from lazyrich_helpers.papers.dial.knobs import KNOB_STUDY
from lazyrich_helpers.papers.dial.tables import (
    LAZY,
    RICH,
    best_etas,
    lazy_slopes,
    rich_slopes,
)

PAPER = "Atanasov et al. (2024)"
PAGE = "book/02_lazy_and_rich"
STUDIES = (*plane.PLANES.values(), *plane.WIDTHS.values(), KNOB_STUDY)


def slope_is(found: pd.Series, *, power: float, within: float) -> Finding:
    """Ask whether an exponent, by seed, is `power`, give or take `within`."""
    mean, half = confidence_interval(found)
    numbers = f"exponent {signed(mean, 2)} ± {half:.2f} (n = {len(found)} seeds)."
    return Finding(word_of(near(found, power, within)), numbers)


def lazy_power(
    best: pd.DataFrame, *, power: float, within: float, most: float
) -> Finding:
    """Ask for the power of γ in the best η up to a γ."""
    return slope_is(lazy_slopes(best, most), power=power, within=within)


def rich_power(
    best: pd.DataFrame, *, power: float, within: float, least: float
) -> Finding:
    """Ask for the power of γ in the best η from a γ on."""
    return slope_is(rich_slopes(best, least), power=power, within=within)


DL1 = Claim(
    name="DL1",
    says="Where training is lazy, the best learning rate grows about as the square of "
    "the strength of feature learning (we ask for an exponent of {power:g} ± {within} "
    "over γ ≤ {most:g})",
    check=lazy_power,
    asks={"power": 2.0, "within": 0.2, "most": LAZY},
)
DL2 = Claim(
    name="DL2",
    says="Where it is rich, the best learning rate grows about as its power 2/L, for L "
    "layers (we ask for an exponent of {power:.2f} ± {within} over γ ≥ {least:g}; "
    "L = 3)",
    check=rich_power,
    asks={"power": 2 / plane.NUM_LAYERS, "within": 0.2, "least": RICH},
)


def verdicts() -> tuple[Verdict, ...]:
    """Return the verdicts, from the recorded plane."""
    recorded = read_study(plane.PLANES["theory"])
    settings = recorded.settings
    about = (
        f"digits · {settings.train_size:,} images · d = 2 · w = {settings.width} · "
        f"SGD, {settings.num_steps:,} steps, squared error"
    )
    return tuple(verdict_of(claim, recorded, about, best_etas) for claim in (DL1, DL2))
