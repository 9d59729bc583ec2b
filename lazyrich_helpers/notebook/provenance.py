"""The badge under a figure: what was run, on what, and what is missing."""

import itertools
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from lazyrich_helpers.analysis.tables.tidy import scope_of
from lazyrich_helpers.experiments.recipes import Results
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.training.run_config import label_without_seed


def origin_line(*results: Results | str) -> HTML:
    """Return the badge under a figure: scale and n, and, unfolded, all else.

    What is no record's, such as `untrained.kept_origin`, comes in words.
    """
    runs = [one for one in results if isinstance(one, Results)]
    badges = [badge(one) for one in runs if one.records]
    lines = [describe(one) if isinstance(one, Results) else one for one in results]
    return folded(badges, lines) if badges else folded(lines[:1], [])


def folded(badges: Sequence[str], lines: Sequence[str]) -> HTML:
    """Return badges, each once, in a line, under which the other lines unfold."""
    summary = escape(" | ".join(dict.fromkeys(badges)))
    told = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return HTML(f'<details class="origin"><summary>{summary}</summary>{told}</details>')


def badge(results: Results) -> str:
    """Return `MNIST · 10,000 images · d = 1 · w = 10 · lr 0.1 · n = 5 seeds · cpu`."""
    table = pd.DataFrame([record.columns() for record in results.records])
    counts = _seeds_per_setting(results.records)
    origins = [record.origin for record in results.records]
    devices = sorted({origin["device"].split(",")[0] for origin in origins})
    kinds = sorted(table.arithmetic.unique())
    parts = [scope_of(table).rsplit(" · ", 1)[0], f"n = {counts}", *kinds, *devices]
    lacking = len(results.missing)
    return " · ".join([*parts, *([f"{lacking} missing"] if lacking else [])])


def describe(results: Results) -> str:
    """Return where `results` come from, in one line."""
    records = results.records
    if not records:
        return f"{results.recipe.name} at {results.recipe.budget} scale: not run yet."
    columns = [record.columns() for record in records]

    def listed(name: str, prefix: str = "") -> list[str]:
        values = sorted({c[name] for c in columns if name in c})
        shown = ", ".join(v if isinstance(v, str) else f"{v:,}" for v in values)
        return [f"{prefix}{shown}"] if values else []

    origins = [record.origin for record in records]
    tests = sorted({f"{origin['num_test']:,}" for origin in origins})
    made = sorted({_machine(origin) for origin in origins})
    together = sum("together" in origin for origin in origins)
    parts = [
        *listed("dataset"),
        *listed("train_size", "training images "),
        f"test images {', '.join(tests)}",
        *listed("depth", "hidden layers "),
        *listed("width", "width "),
        *listed("lr", "learning rate "),
        *listed("num_epochs", "epochs "),
        f"n = {_seeds_per_setting(records)}",
        *listed("arithmetic"),
        *made,
    ]
    if together:
        parts.append(f"{together} of {len(records)} trained as one with other seeds")
    stale = results.num_stale
    if stale:
        parts.append(f"{stale} of {len(records)} records are STALE: made by older code")
    diverged = sum(record.status == "diverged" for record in records)
    if diverged:
        parts.append(f"{diverged} diverged")
    if results.missing:
        lacking = {label_without_seed(config) for config in results.missing}
        parts.append(f"not or not wholly run yet: {in_short(sorted(lacking))}")
    return "; ".join(parts) + "."


def _machine(origin: dict[str, Any]) -> str:
    """Return a device, its instruction set where it is known, torch's version."""
    instructions = origin.get("instruction_set", "not known")
    own = [] if instructions == "not known" else [instructions]
    return ", ".join([origin["device"], *own, f"torch {origin['torch']}"])


def in_short(labels: Sequence[str]) -> str:
    """Return labels in a row, the words that all begin with said but once.

    What is nothing but those is a schedule that leaves nothing out: `full`.
    """
    split = [text.split() for text in labels]
    places = zip(*split, strict=False) if len(split) > 1 else ()
    alike = itertools.takewhile(lambda words: len(set(words)) == 1, places)
    shared = [words[0] for words in alike]
    rests = ", ".join(" ".join(words[len(shared) :]) or "full" for words in split)
    return f"{' '.join(shared)}: {rests}" if shared else rests


def _seeds_per_setting(records: Sequence[Record]) -> str:
    counts = Counter(label_without_seed(record.config) for record in records)
    low, high = min(counts.values()), max(counts.values())
    if low == high == 1:
        return "1 seed"
    return f"{low} seeds" if low == high else f"{low} to {high} seeds"
