"""What our readings of the text decide: the main effect under each that was tried."""

from lazyrich_helpers.analysis.question import Runs
from lazyrich_helpers.analysis.reinit_claims import A1
from lazyrich_helpers.analysis.reinit_effects import lost
from lazyrich_helpers.analysis.statistics import with_interval
from lazyrich_helpers.analysis.tables import reinit_table
from lazyrich_helpers.measures.reinit_curves import WeightsReinit

AT = {"widths": [1000], "lrs": [0.1]}
"""The networks: width, and the paper's learning rate."""


def lost_by_reading() -> dict[str, str]:
    """Return, by reading, the points lost that A1 is about, with their interval.

    Each at width 1,000, one hidden layer, the paper's learning rate.
    """
    main = Runs(recipe="figure-2", choices=AT).records
    half = Runs(recipe="figure-2", choices=AT | {"precision": "bf16"}).records
    others = Runs(recipe="readings", choices=AT).records
    usual = [record for record in others if record.columns()["gain"] == 1]
    small = [record for record in others if record.columns()["gain"] != 1]
    tables = {
        "ours": reinit_table(main),
        "bf16": reinit_table(half),
        "other_code": reinit_table(usual),
        "unranked_biases": reinit_table(usual, WeightsReinit),
        "printed_variance": reinit_table(small),
    }
    return {
        name: with_interval(lost(table, 1000, A1.asks["share"]), sign=False)
        for name, table in tables.items()
    }
