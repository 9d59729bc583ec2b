"""A record is written whole, read whole, and lost by no writer."""

import dataclasses
import json
import math

import numpy as np
import pytest

from lazyrich_helpers.data import datasets
from lazyrich_helpers.experiments import files, records
from lazyrich_helpers.experiments.record import KEYS, NUMERICS, Record, RecordError
from lazyrich_helpers.experiments.records import computed_store, recorded_store
from lazyrich_helpers.measures.costs import run_costs
from lazyrich_helpers.models import initialization
from lazyrich_helpers.training import loop
from tests import tiny

ORIGIN = {"numerics": dict(NUMERICS), "num_test": 500, "weights": "0123456789ab"}
COSTS = run_costs(tiny.CONFIG)
RECORD = Record(
    tiny.CONFIG,
    status="ok",
    curves={"epoch": [1, 2], "train_loss": [2.5, 1.5], "num_correct": [None, 7]},
    measures={"one": {"version": 1, "counts": [1, 2, 3]}, "costs": COSTS},
    times={"train": 0.5, "total": 0.75},
    origin=ORIGIN,
)


def strict(text):
    """Parse JSON as the standard has it: without NaN and Infinity."""

    def refuse(name):
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def with_measures(**measures):
    return dataclasses.replace(RECORD, measures=measures | {"costs": COSTS})


def test_a_record_survives_its_text(store):
    assert store.read(RECORD.run_id) is None and store.ids() == []
    assert Record.from_json(RECORD.to_json()) == RECORD
    store.write(RECORD)
    assert store.read(RECORD.run_id) == RECORD
    assert store.ids() == [RECORD.run_id]
    assert tuple(strict(RECORD.to_json())) == KEYS


def test_not_a_number_becomes_null():
    curves = {"train_loss": [1.0, math.nan, -math.inf]}
    text = dataclasses.replace(RECORD, curves=curves).to_json()
    assert strict(text)["curves"] == {"train_loss": [1.0, None, None]}


def test_a_record_from_before_costs_were_recorded_has_them(store):
    store.write(dataclasses.replace(RECORD, measures={}))
    assert store.read(RECORD.run_id).costs == COSTS
    failed = dataclasses.replace(RECORD, measures={}, status="failed: why")
    assert not Record.from_json(failed.to_json()).measures


def break_json(**changes):
    return json.dumps(strict(RECORD.to_json()) | changes).encode()


UNREADABLE = {
    "empty": b"",
    "half": RECORD.to_json().encode()[:200],
    "binary": b"\xff\xfe\x00",
    "another json": b"[1, 2]",
    "a missing key": json.dumps({"run_id": RECORD.run_id}).encode(),
    "an unknown key": break_json(more=1),
    "an id that is not its config's": break_json(run_id="0" * 12),
    "another config": break_json(config=tiny.training(seed=9).to_dict()),
    "an unknown kind": break_json(config=tiny.CONFIG.to_dict() | {"model": {}}),
    "a config that is no object": break_json(config=3),
    "measures that are no object": break_json(measures=[]),
    "another run": tiny.record(tiny.SEEDS[1]).to_json().encode(),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_record_is_a_sentence_with_a_remedy(store, content):
    store.folder.mkdir(parents=True)
    path = store.folder / f"{RECORD.run_id}.json"
    path.write_bytes(content)
    with pytest.raises(RecordError) as raised:
        store.read(RECORD.run_id)
    message = str(raised.value)
    assert str(path) in message and "delete it or restore it" in message
    assert "\n" not in message and path.read_bytes() == content


def test_measurements_already_there_are_kept(store):
    store.write(with_measures(one={"version": 1}, two={"version": 1}))
    store.write(with_measures(two={"version": 2}, three={"version": 1}))
    versions = {"one": 1, "two": 2, "three": 1, "costs": 1}
    found = store.read(RECORD.run_id).measures
    assert {name: entry["version"] for name, entry in found.items()} == versions


@pytest.mark.parametrize("before", ["stale", "failed", "retrained", "unreadable"])
def test_measurements_of_another_network_are_not_kept(store, before):
    old = ORIGIN | {"numerics": NUMERICS | {"train": 0}}
    other = ORIGIN | {"weights": "ba9876543210"}
    failed = {name: entry for name, entry in ORIGIN.items() if name != "weights"}
    origins = {"stale": old, "retrained": other, "failed": failed}
    store.write(
        dataclasses.replace(
            with_measures(old={"version": 1}),
            origin=origins.get(before, ORIGIN),
            status="failed: why" if before == "failed" else "ok",
        )
    )
    if before == "unreadable":
        (store.folder / f"{RECORD.run_id}.json").write_bytes(b"{")
    store.write(with_measures(new={"version": 1}))
    assert set(store.read(RECORD.run_id).measures) == {"new", "costs"}


def with_arrays(**arrays):
    """Return RECORD with arrays of the measures `one` and `two`: `one_a` is one/a."""
    named = {name.replace("_", "/"): np.array(a) for name, a in arrays.items()}
    versions = {name.split("/")[0]: {"version": 1} for name in named}
    return dataclasses.replace(with_measures(**versions), arrays=named)


def test_arrays_lie_beside_the_record(store):
    assert store.read_arrays(RECORD.run_id) == {}
    counts = np.arange(6, dtype=np.uint8).reshape(2, 3)
    store.write(with_arrays(one_a=counts, one_b=[0.5]))
    found = store.read_arrays(RECORD.run_id)
    assert list(found) == ["one/a", "one/b"] and store.ids() == [RECORD.run_id]
    assert np.array_equal(found["one/a"], counts) and found["one/a"].dtype == np.uint8
    path = store.folder / f"{RECORD.run_id}.npz"
    before = path.read_bytes()
    store.write(with_arrays(one_b=[0.5], one_a=counts))
    assert path.read_bytes() == before


def test_arrays_of_other_measures_are_kept_and_a_measures_own_replaced(store):
    store.write(with_arrays(one_a=[1], one_b=[2], two_a=[3]))
    store.write(with_arrays(one_c=[4]))
    found = store.read_arrays(RECORD.run_id)
    assert {name: int(a[0]) for name, a in found.items()} == {"one/c": 4, "two/a": 3}
    store.write(with_measures(three={"version": 1}))  # one without arrays
    assert set(store.read_arrays(RECORD.run_id)) == {"one/c", "two/a"}


def test_arrays_of_another_network_are_neither_kept_nor_read(store):
    other = ORIGIN | {"weights": "ba9876543210"}
    path = store.folder / f"{RECORD.run_id}.npz"
    store.write(with_arrays(one_a=[1], two_a=[1]))
    content = path.read_bytes()
    store.write(dataclasses.replace(with_arrays(one_a=[2]), origin=other))
    assert set(store.read_arrays(RECORD.run_id)) == {"one/a"}
    path.write_bytes(content)  # as where a process dies between the two files
    assert store.read_arrays(RECORD.run_id) == {}
    store.write(dataclasses.replace(RECORD, origin=other))
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not arrays"])
def test_broken_arrays_are_a_sentence_and_lose_no_measurement(store, content):
    store.write(with_arrays(one_a=[1]))
    path = store.folder / f"{RECORD.run_id}.npz"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"npz is not .* or run again to"):
        store.read_arrays(RECORD.run_id)
    assert not store.has_arrays(RECORD.run_id, "one")
    store.write(with_arrays(two_a=[2]))
    assert set(store.read(RECORD.run_id).measures) == {"one", "two", "costs"}
    assert set(store.read_arrays(RECORD.run_id)) == {"two/a"}
    assert store.has_arrays(RECORD.run_id, "two")
    assert not store.has_arrays(RECORD.run_id, "one")


@pytest.mark.parametrize("component", NUMERICS)
def test_a_record_is_stale_when_any_numerics_changed(component, monkeypatch):
    modules = {"data": datasets, "init": initialization, "train": loop}
    assert NUMERICS[component] == modules[component].NUMERICS_VERSION
    assert not RECORD.stale and dataclasses.replace(RECORD, origin={}).stale
    monkeypatch.setitem(NUMERICS, component, NUMERICS[component] + 1)
    assert RECORD.stale and RECORD.columns()["stale"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_breaks_off_leaves_the_old_record(store, monkeypatch, step):
    store.write(RECORD)

    def full(*args):
        raise OSError(28, "No space left on device")

    owner = files.os if step == "fsync" else records.Path
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, full)
        with pytest.raises(OSError, match="No space left") as raised:
            store.write(with_measures(other={"version": 1}))
    assert raised.value.filename == str(store.folder / f"{RECORD.run_id}.json")
    assert store.read(RECORD.run_id) == RECORD
    assert [path.name for path in store.folder.iterdir() if path.is_file()] == [
        f"{RECORD.run_id}.json"
    ]


WRITER = """
import dataclasses, sys
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.records import computed_store
record, store = Record.from_json(sys.argv[2]), computed_store()
print("ready", flush=True)
sys.stdin.readline()
for i in range(25):
    measures = {f"{sys.argv[1]}{i}": {"version": 1}}
    store.write(dataclasses.replace(record, measures=measures))
"""


def test_concurrent_writers_lose_nothing(store):
    texts = [(name, RECORD.to_json()) for name in "ab"]
    writers = [tiny.python("-c", WRITER, *words, pipe=True) for words in texts]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 2
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    num_reads = 0
    while any(writer.poll() is None for writer in writers):
        found = store.read(RECORD.run_id)  # raises where it is half a record
        num_reads += found is not None
        assert store.ids() in ([], [RECORD.run_id])  # no half-written one among them
    assert [writer.communicate() for writer in writers] == [("", "")] * 2
    expected = {f"{name}{i}" for name in "ab" for i in range(25)}
    assert set(store.read(RECORD.run_id).measures) == {*expected, "costs"}
    assert num_reads > 5


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not weights"])
def test_broken_weights_are_a_sentence_with_a_remedy(store, content):
    store.weights.mkdir(parents=True)
    (store.weights / "a.pt").write_bytes(content)
    with pytest.raises(RecordError, match=r"a\.pt is not .* delete it, then run again"):
        store.read_weights("a")


def test_the_books_records_are_in_it_and_their_weights_are_not(monkeypatch):
    monkeypatch.delenv("LAZYRICH_RECORDS", raising=False)
    assert recorded_store().folder == tiny.ROOT / "book" / "records"
    assert recorded_store().weights == computed_store().weights
