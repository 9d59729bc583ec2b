"""Means over seeds with their uncertainty, as numbers and in print."""

import numpy as np
import pandas as pd
from scipy import special


def confidence_interval(values: pd.Series) -> tuple[float, float]:
    """Return mean and half-width of its 95 % t-interval; infinite below two values."""
    values = values.dropna()  # seeds that only one of two widths has
    if len(values) < 2:
        return float(values.mean()), float("inf")
    quantile = special.stdtrit(len(values) - 1, 0.975)  # Student's t
    return float(values.mean()), float(quantile * values.sem())


def half_bar(values: pd.Series) -> float:
    """Return half the bar of a mean over seeds, as `over_seeds` has it; 0 for one."""
    summary = over_seeds(
        pd.DataFrame({"value": values, "by": 0}), "by", "value", scale=1
    )
    return float((summary.high - summary["mean"]).fillna(0).iloc[0])


def geometric_interval(logs: pd.Series) -> tuple[float, float, float]:
    """Return, of ratios given by their logarithms, the geometric mean and its interval.

    The ends are those of the mean logarithm's 95 % t-interval.
    """
    mean, half = confidence_interval(logs)
    middle, low, high = np.exp([mean, mean - half, mean + half])
    return float(middle), float(low), float(high)


def as_ratio(logs: pd.Series, form: str = ".2g") -> str:
    """Return `2.3 (1.9 to 2.8)`, as `geometric_interval` does; of one alone, `2.3`."""
    middle, low, high = geometric_interval(logs)
    ends = f" ({low:{form}} to {high:{form}})" if np.isfinite(high) else ""
    return f"{middle:{form}}{ends}"


def above(values: pd.Series, threshold: float) -> bool | None:
    """Return whether the mean is above `threshold`; None if its interval spans it."""
    mean, half = confidence_interval(values)
    apart = abs(mean - threshold) > half  # not so, either, where there is no value
    return mean > threshold if apart else None


def near(values: pd.Series, target: float, within: float) -> bool | None:
    """Return whether the mean's whole interval is `within` of a target.

    False: all of it is farther off. None: it is here and there.
    """
    mean, half = confidence_interval(values)
    off = abs(mean - target)
    if off + half <= within:
        return True
    return False if off - half > within else None


def median_interval(values: pd.Series) -> tuple[float, float]:
    r"""Return a 95 % interval for the median that needs no distribution.

    It is from the $k$-th smallest to the $k$-th largest value, with the largest $k$ for
    which $2\,P(B < k) \le 0.05$, where $B$ is binomial of $n$ fair draws; without
    bounds where there is none, below six values.
    """
    ordered = np.sort(values.dropna().to_numpy())
    below = special.bdtr(np.arange(len(ordered) + 1), len(ordered), 0.5)
    k = int((2 * below <= 0.05).sum())
    if k == 0:
        return float("-inf"), float("inf")
    return float(ordered[k - 1]), float(ordered[-k])


def over_seeds(
    table: pd.DataFrame,
    by: str,
    value: str = "accuracy",
    *,
    scale: float = 100,
    geometric: bool = False,
) -> pd.DataFrame:
    """Return mean, ends of its bar (NaN for one run) and n, by a column.

    Bars are 95 % t-intervals; of two runs they lead from the one to the other, since
    the interval of two says next to nothing.

    Args:
        table: One row per run and value of `by`.
        by: The column that becomes the index.
        value: The column that is averaged.
        scale: Multiplies all but n; 100 makes shares per cent.
        geometric: Of values above 0 that span decades, as in `geometric_interval`.
    """
    values = table[value].map(np.log) if geometric else table[value]
    grouped = values.groupby(table[by])
    mean, count = grouped.mean(), grouped.count()
    reach = special.stdtrit(count - 1, 0.975)  # Student's t, in standard errors
    half = grouped.sem() * reach.where(count != 2, 1)
    found = pd.DataFrame({"mean": mean, "low": mean - half, "high": mean + half})
    found = found.map(np.exp) if geometric else found
    return (scale * found).assign(n=count)


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign, a real minus: `+2.3`, `−0.4`, `0.0`."""
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text if float(text.replace("−", "-")) else text[1:]


def with_interval(values: pd.Series, *, sign: bool = True, digits: int = 1) -> str:
    """Return `+2.3 ± 0.4`, the mean with its 95 % interval, or the mean alone.

    Without `sign` a positive number has no plus.
    """
    mean, half = confidence_interval(values)
    text = signed(mean, digits)
    text = text if sign else text.lstrip("+")
    return text + (f" ± {half:.{digits}f}" if np.isfinite(half) else "")


def in_two_digits(values: pd.Series) -> str:
    """Return `0.47 ± 0.02`: for means that span decades, as `with_interval` does."""
    mean, half = confidence_interval(values)
    return f"{mean:.2g}" + (f" ± {half:.1g}" if np.isfinite(half) else "")


def num_seeds(table: pd.DataFrame, by: str | list[str] = "width") -> str:
    """Return `n = 5 seeds`, or a range where groups, by columns, have other counts."""
    counts = table.groupby(by).seed.nunique()
    low, high = counts.min(), counts.max()
    seeds = "seed" if high == 1 else "seeds"
    return f"n = {low} {seeds}" if low == high else f"n = {low} to {high} seeds"
