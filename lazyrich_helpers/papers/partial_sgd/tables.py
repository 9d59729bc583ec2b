"""What the studies of partial gradients found, as tables."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from lazyrich_helpers.analysis.tables.statistics import above, with_interval
from lazyrich_helpers.papers.partial_sgd.entries import ENTRIES

MATCHED = {"core": "core steps", "total": "total steps"}
WITHIN = 1.0
"""Points of accuracy below full training's that count as reaching it."""


def final_table(table: pd.DataFrame, matched: str) -> pd.DataFrame:
    """Return a row per sampler and seed at the end of training, at matched steps.

    `accuracy` in percent; `forward`, `backward`, `flops`, `backward_time`, `time` and
    `memory` over the mean of SGD's; `reached`: the CPU time, over that of SGD's whole
    training, after which the mean accuracy first is within a point of SGD's last; NaN
    if it never is.
    """
    chosen = pd.DataFrame(table[table.matched.isin([matched, "both"])])
    chosen["flops"] = chosen.forward + chosen.backward
    last = chosen.groupby(["samplers", "seed"], sort=False).tail(1).copy()
    last["accuracy"] *= 100
    names = {"backward_seconds": "backward_time", "seconds": "time", "bytes": "memory"}
    last = last.rename(columns=names)
    sgd = last[last.samplers == "sgd"]
    for name in ("forward", "backward", "flops", "backward_time", "time", "memory"):
        last[name] = last[name] / sgd[name].mean()
    goal = sgd.accuracy.mean() - WITHIN
    last["reached"] = last.samplers.map(_times(chosen, goal))
    return last.reset_index(drop=True)


def _times(chosen: pd.DataFrame, goal: float) -> dict[str, float]:
    """Return when each sampler's mean accuracy is first at `goal`."""
    whole = chosen[chosen.samplers == "sgd"].groupby("seed").seconds.max().mean()
    looks = chosen.dropna(subset="accuracy")
    columns = looks.groupby(["samplers", "step"])[["accuracy", "seconds"]]
    means, times = pd.DataFrame(columns.mean()), {}
    for name in chosen.samplers.unique():
        there = means.loc[name]
        there = there[100 * there.accuracy >= goal]
        times[name] = there.seconds.iloc[0] / whole if len(there) else np.nan
    return times


def rows_table(table: pd.DataFrame, matched: str) -> pd.DataFrame:
    """Return a line per sampler for readers: means, and accuracy with its interval."""
    last = final_table(table, matched)
    return pd.DataFrame(
        [
            {
                "sampler": ENTRIES[str(name)].label,
                "accuracy": with_interval(rows.accuracy, sign=False),
                "lr": f"{rows.lr.iloc[0]:g}",
                **rows[["backward", "flops", "backward_time", "time"]].mean(),
                "reached": rows.reached.iloc[0],
                "memory": rows.memory.mean(),
            }
            for name, rows in last.groupby("samplers", sort=False)
        ]
    )


def behind_sgd(last: pd.DataFrame, name: str) -> pd.Series:
    """Return a sampler's accuracy less SGD's, of every seed, in points."""
    accuracy = last.pivot_table("accuracy", "seed", "samplers", sort=False)
    return pd.Series(accuracy[name] - accuracy["sgd"])


def sampler_cells(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what an explorer shows of each sampler, at core and at total steps."""
    cells = []
    for matched, words in MATCHED.items():
        last = final_table(table, matched)
        for name, rows in last.groupby("samplers", sort=False):
            own = table[table.samplers == name]
            own = pd.DataFrame(own[own.matched.isin([matched, "both"])])
            first = pd.DataFrame(own[own.seed == own.seed.iloc[0]])
            accuracy = with_interval(rows.accuracy, sign=False)
            label = ENTRIES[str(name)].label
            cells.append(
                {
                    "label": label,
                    "matched": words,
                    "accuracy": round(rows.accuracy.mean(), 2),
                    "flops": round(rows.flops.mean(), 3),
                    "updated": first.updated.tolist(),
                    "steps": int(first.step.max()),
                    "words": f"{label}, matched {words}: accuracy {accuracy}"
                    f" % (n = {len(rows)}); over SGD's: FLOPs {rows.flops.mean():.2f}, "
                    f"backward FLOPs {rows.backward.mean():.2f}, CPU time "
                    f"{rows.time.mean():.2f}, memory {rows.memory.mean():.2f}; "
                    f"learning rate {rows.lr.iloc[0]:g}.",
                }
            )
    return cells


def joint_gains(
    table: pd.DataFrame, part: str, joint: str = "joint", alone: str = ""
) -> pd.DataFrame:
    """Return joint less alone, of each rank, size and seed: a column each, in points.

    `part` is `core` or `full`; `joint` and `alone` are schemes, as `joint, total` or
    `core alone, twice`; the part's own, unless said.
    """
    wide = table.pivot_table(
        part, ["ranks", "train_size", "seed"], "scheme", sort=False
    )
    gains = 100 * (wide[joint] - wide[alone or f"{part} alone"])
    return pd.DataFrame({"gain": gains}).reset_index()


def mean_gain(gains: pd.DataFrame) -> str:
    """Return the mean over all ranks and sizes, with its interval over seeds."""
    return with_interval(gains.groupby("seed").gain.mean())


def surely_below(gains: pd.DataFrame, threshold: float) -> list[tuple[int, int]]:
    """Return the ranks and sizes at which the gain's whole interval is below."""
    each = gains.groupby(["ranks", "train_size"]).gain
    return [(r, n) for (r, n), own in each if above(own, threshold) is False]


def places(chosen: Iterable[tuple[int, int]]) -> str:
    """Return ranks and sizes in words: `at rank 2 with 1,000 images`."""
    words = ", ".join(f"rank {rank} with {size:,} images" for rank, size in chosen)
    return f"at {words}" if words else "nowhere"
