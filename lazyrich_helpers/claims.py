"""The paper's claims, judged by records: what it says, the verdict, the numbers.

A verdict is computed from a table each time the page is built; none is typed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from scipy import stats

Judge = Callable[[pd.DataFrame], tuple[bool, str]]


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds in the records at hand."""

    claim: str
    """Its name here, such as A1."""
    says: str
    """What the paper says, in our words."""
    holds: bool | None
    """None: the records do not decide it."""
    numbers: str
    """What decided it, with n and spread."""

    @property
    def word(self) -> str:
        """`holds`, `does not hold` or `open`."""
        if self.holds is None:
            return "open"
        return "holds" if self.holds else "does not hold"

    def __repr__(self) -> str:
        return f"{self.claim}: {self.says}. {self.word.upper()}: {self.numbers}"

    def _repr_html_(self) -> str:
        style = {True: "holds", False: "fails", None: "open"}[self.holds]
        return (
            f'<div class="verdict verdict-{style}">'
            f"<p><strong>{self.claim}</strong> {escape(self.says)}.</p>"
            f"<p><strong>At these settings: {self.word}.</strong> "
            f"{escape(self.numbers)}</p></div>"
        )


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper with the test that decides it."""

    name: str
    says: str
    judge: Judge

    def verdict(self, table: pd.DataFrame) -> Verdict:
        """Judge `table` (see `tables.reinit_table`): one data set, depth, lr."""
        if table.empty:
            return Verdict(self.name, self.says, None, "Not run yet.")
        holds, numbers = self.judge(table)
        return Verdict(self.name, self.says, holds, numbers)


def interval(values: pd.Series) -> tuple[float, float]:
    """Return mean and half-width of its 95 % t-interval; infinite below two values."""
    if len(values) < 2:
        return float(values.mean()), float("inf")
    quantile = stats.t.ppf(0.975, len(values) - 1)
    return float(values.mean()), float(quantile * values.sem())


def by_seed(
    table: pd.DataFrame, width: int, scenario: str, fraction: float
) -> pd.Series:
    """Return accuracy in percent, indexed by seed, at the nearest recorded fraction."""
    rows = table[(table.width == width) & (table.scenario == scenario)]
    available = rows.fraction.unique()
    nearest = available[np.argmin(np.abs(available - fraction))]
    return 100 * rows[rows.fraction == nearest].set_index("seed").accuracy


def mean_curve(table: pd.DataFrame, width: int, scenario: str) -> pd.Series:
    """Return mean accuracy in percent over seeds, indexed by fraction."""
    rows = table[(table.width == width) & (table.scenario == scenario)]
    return 100 * rows.groupby("fraction").accuracy.mean()


def widths_of(table: pd.DataFrame) -> list[int]:
    """Return the widths in the table, ascending."""
    return sorted(int(width) for width in table.width.unique())


def num_seeds(table: pd.DataFrame) -> str:
    """Return "n = 5 seeds", or a range where widths differ."""
    counts = table.groupby("width").seed.nunique()
    low, high = counts.min(), counts.max()
    return f"n = {low} seeds" if low == high else f"n = {low} to {high} seeds"


def _signed(value: float, spread: float) -> str:
    around = f" ± {spread:.1f}" if np.isfinite(spread) else ""
    return f"{value:+.1f}{around}"


def _drop_at_tenth(table: pd.DataFrame) -> tuple[bool, str]:
    found, parts = [], []
    for width in widths_of(table):
        change = by_seed(table, width, "active", 0.001) - by_seed(
            table, width, "active", 0.0
        )
        mean, half = interval(change)
        found.append(mean + half < 0)
        parts.append(f"w = {width:,}: {_signed(mean, half)}")
    where = "; ".join(parts)
    return all(found), f"change in points at γ = 0.1 %: {where} ({num_seeds(table)})."


def _plunge_then_rise(table: pd.DataFrame) -> tuple[bool, str]:
    found, parts = [], []
    for width in widths_of(table):
        curve = mean_curve(table, width, "active")
        worst = float(curve.index[curve.to_numpy().argmin()])
        rise = curve[1.0] - curve.min()
        found.append(0.01 <= worst <= 0.3 and rise > 2)
        parts.append(f"w = {width:,}: worst at {100 * worst:.2g} %, then {rise:+.1f}")
    return all(found), "; ".join(parts) + f" points ({num_seeds(table)})."


def _half_beats_tenth(table: pd.DataFrame) -> tuple[bool, str]:
    width = widths_of(table)[-1]
    curve = mean_curve(table, width, "active")
    between = curve[(curve.index >= 0.0099) & (curve.index <= 0.101)].max()
    half = by_seed(table, width, "active", 0.5).mean()
    numbers = (
        f"w = {width:,}: {half:.1f} % at γ = 50 %, at best {between:.1f} % between"
    )
    return half > between, f"{numbers} 1 and 10 % ({num_seeds(table)})."


def _wider_rises_more(table: pd.DataFrame) -> tuple[bool, str]:
    widths = widths_of(table)
    curves = {width: mean_curve(table, width, "active") for width in widths}
    rises = {width: curve[1.0] - curve.min() for width, curve in curves.items()}
    listed = "; ".join(f"w = {w:,}: {rise:.1f}" for w, rise in rises.items())
    numbers = f"rise from the worst γ to 100 %, in points: {listed}"
    ordered = list(rises.values()) == sorted(rises.values()) and len(widths) > 1
    return ordered, f"{numbers} ({num_seeds(table)})."


def _random_falls_short(table: pd.DataFrame) -> tuple[bool, str]:
    found, parts = [], []
    for width in widths_of(table):
        random = by_seed(table, width, "active", 1.0)
        mean, half = interval(by_seed(table, width, "active", 0.0) - random)
        found.append(mean - half > 0)
        parts.append(
            f"w = {width:,}: {random.mean():.1f} % random, {mean:+.1f} trained"
        )
    return all(found), "; ".join(parts) + f" points ({num_seeds(table)})."


def _tenth_suffices(table: pd.DataFrame) -> tuple[bool, str]:
    width = widths_of(table)[-1]
    lost = by_seed(table, width, "lazy", 1.0) - by_seed(table, width, "lazy", 0.1)
    mean, half = interval(lost)
    numbers = f"w = {width:,}: keeping 10 % loses {_signed(mean, half).lstrip('+')}"
    return mean <= 1, f"{numbers} points ({num_seeds(table)})."


REINIT_CLAIMS = (
    Claim(
        "A1",
        "Resetting the 0.1 % most active parameters lowers accuracy, at all widths",
        _drop_at_tenth,
    ),
    Claim(
        "A2",
        "As γ grows accuracy plunges, is worst around 10 %, then rises",
        _plunge_then_rise,
    ),
    Claim(
        "A3",
        "In wide networks γ = 50 % is better than γ = 1 to 10 %",
        _half_beats_tenth,
    ),
    Claim("A4", "The rise after the worst γ is larger when wider", _wider_rises_more),
    Claim(
        "A7",
        "Random networks fall far short of trained ones, at all widths",
        _random_falls_short,
    ),
    Claim(
        "A8",
        "In the widest network the 10 % most active parameters suffice",
        _tenth_suffices,
    ),
)
"""Claims about Figures 2 and 3. A8 is the paper's for w = 100,000, d = 1."""
