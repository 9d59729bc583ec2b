"""What our readings of the text decide: the main effect under each that was tried."""

from lazyrich_helpers.analysis.claims.question import Runs
from lazyrich_helpers.analysis.claims.reinit import A1
from lazyrich_helpers.analysis.tables.readings import readings_table
from lazyrich_helpers.analysis.tables.reinit_effects import lost
from lazyrich_helpers.analysis.tables.statistics import with_interval

AT = {"widths": [1000], "lrs": [0.1]}
"""The networks: width, and the paper's learning rate."""
READINGS = {
    "ours": "as in this book",
    "bf16": "bf16 autocast",
    "other_code": "fp32, other kernels",
    "unranked_biases": "biases not ranked",
    "printed_variance": "printed variance",
}
"""Name on the page → in `readings_table`."""


def lost_by_reading() -> dict[str, str]:
    """Return, by reading, the points lost that A1 is about, with their interval.

    Each at width 1,000, one hidden layer, the paper's learning rate.
    """
    main = Runs(recipe="figure-2", choices=AT).records
    half = Runs(recipe="figure-2", choices=AT | {"precision": "bf16"}).records
    others = Runs(recipe="readings", choices=AT).records
    readings = dict(list(readings_table(main, half, others).groupby("reading")))
    return {
        key: with_interval(lost(readings[name], 1000, A1.asks["share"]), sign=False)
        for key, name in READINGS.items()
    }
