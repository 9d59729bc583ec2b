"""Every run is in exactly one state, whoever asks."""

import dataclasses
import os
import re
import time
from pathlib import Path

import pytest

from lazyrich_helpers.experiments.locks import LEASE
from lazyrich_helpers.experiments.recipes import collect, states
from lazyrich_helpers.experiments.record import NUMERICS, Record, RecordError
from lazyrich_helpers.experiments.states import COMPLETE, SHOWN, STATES, state
from lazyrich_helpers.measures.activity import Activity
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.runner.backlog import missing
from tests import tiny

ACCURACY = {"accuracy": {"version": Accuracy.version}}
OUTDATED = {"accuracy": {"version": Accuracy.version - 1}}
ORIGIN = {"numerics": dict(NUMERICS)}
OTHER = {"other": {"version": 0}}
OLD = {"numerics": NUMERICS | {"data": -1}}
RECORDS = {
    "recorded": [
        ("ok", ACCURACY, ORIGIN),
        ("ok", ACCURACY | OTHER, ORIGIN),
    ],
    "stale": [
        ("ok", ACCURACY, OLD),
        ("ok", OUTDATED, ORIGIN),
        ("diverged", {}, OLD),
    ],
    "diverged": [("diverged", {}, ORIGIN), ("diverged", ACCURACY, ORIGIN)],
    "failed": [("failed: why: so", ACCURACY, ORIGIN), ("failed: why: so", {}, {})],
    "partial": [
        ("ok", {}, ORIGIN),
        ("ok", {}, OLD),
        ("ok", OTHER, ORIGIN),
    ],
}
CASES = [(word, *fields) for word, cases in RECORDS.items() for fields in cases]
RECIPE = tiny.recipe(measures=(Accuracy,))


def word(store) -> str:
    (run,) = states(RECIPE, store)
    assert run.word in STATES and run.config == tiny.CONFIG
    return run.word


@pytest.mark.parametrize(("expected", "status", "measures", "origin"), CASES)
def test_a_record_is_in_one_state(store, expected, status, measures, origin):
    store.write(Record(tiny.CONFIG, status, measures=measures, origin=origin))
    record = store.read(tiny.CONFIG.run_id)
    (run,) = states(RECIPE, store)
    assert (run.word, run.record) == (expected, record)
    assert run.why == ("why: so" if expected == "failed" else "")
    assert bool(missing(RECIPE, store)) == (expected not in COMPLETE)
    found = collect(RECIPE, store)
    assert found.records == ((record,) if expected in SHOWN else ())
    assert found.missing == (() if expected in SHOWN else (tiny.CONFIG,))
    assert found.num_stale == (expected == "stale")


def test_what_is_not_there_is_missing_and_what_is_claimed_is_running(store):
    assert word(store) == "missing" and not store.folder.exists()
    with store.lock(tiny.CONFIG.run_id):
        assert word(store) == "running"
        store.write(Record(tiny.CONFIG, "failed: once"))
        assert word(store) == "running"
        store.write(Record(tiny.CONFIG, "ok", measures=ACCURACY, origin=ORIGIN))
        assert word(store) == "recorded", "which is what counts"
    (store.folder / f"{tiny.CONFIG.run_id}.json").unlink()
    assert word(store) == "missing", "given up"


def test_a_claim_that_nobody_touches_is_no_sign_of_a_process(store):
    with store.lock(tiny.CONFIG.run_id) as held:
        path = Path(held.lease.lock_file)
        elsewhere = re.sub("host=.*", "host=elsewhere", path.read_text())
        path.write_text(elsewhere)  # another machine's, which cannot be asked
        assert word(store) == "running"
        long_ago = time.time() - 3 * LEASE
        os.utime(path, (long_ago, long_ago))
        assert word(store) == "missing"


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_what_cannot_be_read_has_failed_and_says_why(store, text):
    store.folder.mkdir(parents=True)
    (store.folder / f"{tiny.CONFIG.run_id}.json").write_text(text)
    (run,) = states(RECIPE, store)
    assert run.word == "failed" and "is not a readable record" in run.why
    assert str(run) == (
        f"{tiny.CONFIG.run_id} digits relu_net w=12 d=2 lr=0.03 seed=0: {run.why}"
    )
    with pytest.raises(RecordError, match="is not a readable record"):
        collect(RECIPE, store)


def test_a_measure_without_its_arrays_is_not_there(store):
    measures = (Accuracy, Activity)
    tiny.finish(store, tiny.CONFIG, measures=measures)
    assert state(tiny.CONFIG, measures, store).word == "recorded"
    assert state(tiny.CONFIG, (*measures, Movement), store).word == "partial"
    (store.folder / f"{tiny.CONFIG.run_id}.npz").unlink()
    assert state(tiny.CONFIG, measures, store).word == "partial"
    assert state(tiny.CONFIG, (Accuracy,), store).word == "recorded"
    store.write(dataclasses.replace(store.read(tiny.CONFIG.run_id), status="diverged"))
    assert state(tiny.CONFIG, measures, store).word == "diverged"
