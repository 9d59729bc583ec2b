"""Records as plain tables, for those who read them without this package."""

from collections.abc import Sequence

import pandas as pd

from lazyrich_helpers.analysis.tables.activity import activity_table, criticality_table
from lazyrich_helpers.analysis.tables.tidy import (
    curves_table,
    movement_table,
    reinit_table,
    runs_table,
)
from lazyrich_helpers.experiments.record import Record

CURVES = "epoch", "train_loss", "accuracy"
REINIT = "scenario", "fraction", "accuracy", "num_test"
MOVEMENT = "layer", "num_weights", "unmoved", "movement", "share"
SHARES = "share", "frequency", "relative", "zeros"
ACTIVITY = "layer", "num_weights", "alpha", "definition", *SHARES
CRITICALITY = "layer", "alpha", "num_reset", "num_parameters", "accuracy", "lost"


def plain_tables(records: Sequence[Record]) -> dict[str, pd.DataFrame]:
    """Return tables by name: `runs`, one row per finished run, and what was measured.

    `runs` has what each was, what it reached, and `backward`, the backward pass's FLOPs
    over full training's. The others have the columns that the functions which make
    them explain, and `run_id`, by which they are joined to `runs`.
    """
    done = [record for record in records if record.done]
    runs = runs_table(done)
    runs["backward"] = [record.costs["backward"] for record in done]
    return {
        "runs": runs,
        "curves": curves_table(done).loc[:, ["run_id", *CURVES]],
        "reinit": reinit_table(done).loc[:, ["run_id", *REINIT]],
        "movement": movement_table(done).loc[:, ["run_id", *MOVEMENT]],
        "activity": activity_table(done).loc[:, ["run_id", *ACTIVITY]],
        "criticality": criticality_table(done).loc[:, ["run_id", *CRITICALITY]],
    }
