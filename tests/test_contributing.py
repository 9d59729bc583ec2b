"""What CONTRIBUTING says how to add does work when it is added."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.places import ROOT
from tests import tiny


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """Return the names that the blocks of Python define."""
    names = {"__name__": "contributing"}
    text = (ROOT / "CONTRIBUTING.md").read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAZYRICH_STORE", str(tmp_path_factory.mktemp("store")))
        for block in re.findall(r"```python\n(.*?)```", text, re.S):
            exec(block, names)
    return names


def test_schedule_network_and_measure_take_part_in_a_run(added, store):
    schedule, model = added["TopEveryOther"](k=1), added["Bottleneck"](width=20)
    assert [len(schedule.plan(e, 0, 3, 0).layers) for e in range(3)] == [3, 1, 3]
    with pytest.raises(ValueError, match="k must be at most 3; got 4"):
        added["TopEveryOther"](k=4).plan(1, 0, 3, 0)
    config = dataclasses.replace(tiny.CONFIG, model=model, updates=schedule)
    tiny.finish(store, config, measures=(added["DeadUnits"],))
    found = store.read(config.run_id).measures["dead_units"]
    assert found["num"] == 20 and 0 <= found["num_dead"] < 20


def test_a_claim_can_hold_fail_and_stay_undecided(added):
    def verdict(spread, mean, num=5):
        noise = np.linspace(-spread, spread, num)
        rows = [
            {"width": width, "seed": seed, "test_accuracy": mean + noise[seed]}
            for width in (10, 100)
            for seed in range(num)
        ]
        return added["LEARNS"].verdict(pd.DataFrame(rows)).word

    assert verdict(0.01, 0.95) is Word.HOLDS
    assert verdict(0.01, 0.5) is Word.FAILS
    assert verdict(0.2, 0.9) is Word.UNDECIDED
    assert added["LEARNS"].verdict(pd.DataFrame()).word is Word.NOT_RUN


def test_a_chapters_lines_train_and_say_what_was_run(added):
    assert len(added["results"].records) == 1
    assert isinstance(added["results"].recipe.configs[0].updates, Full)


def test_a_study_is_computed_over_its_grid(added):
    table = added["result"].table
    assert len(table) == 9 and table.widths.unique().tolist() == [10, 100, 1000]
    ratio = table.norm / table.widths**0.5  # of standard normal entries: about 1
    assert ratio.between(0.5, 1.5).all()
