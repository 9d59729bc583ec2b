"""The journal has a line for every run that ended, whoever ended it."""

import json
import re

import pytest

from lazyrich_helpers import execution
from tests import tiny


def lines(store):
    return [json.loads(line) for line in store.journal.read_text().splitlines()]


def test_every_run_that_ended_has_a_line(store, monkeypatch):
    tiny.finish(store, *tiny.SEEDS)
    assert [line["run_id"] for line in lines(store)] == [c.run_id for c in tiny.SEEDS]
    first = lines(store)[0]
    assert first["status"] == "ok" and first["recipe"] == "tiny"
    assert first["run"] == "digits relu_net w=12 d=2 lr=0.03 seed=0"
    assert first["records"] == str(store.folder) and first["seconds"] > 0
    tiny.finish(store, *tiny.SEEDS)
    assert len(lines(store)) == 3

    def broken(*args, **options):
        raise RuntimeError("no luck")

    monkeypatch.setattr(execution, "train", broken)
    tiny.finish(store, tiny.APART[0])
    assert lines(store)[3]["status"] == "failed: RuntimeError: no luck"


def test_processes_do_not_mix_their_lines(store):
    words = ("-m", "lazyrich_helpers.run", *tiny.TINY[:3], "--num-epochs", "1")
    words = (*words, "--device", "cpu", "--seeds", *map(str, range(8)), "--widths")
    processes = [tiny.python(*words, width) for width in ("3", "4")]
    for process in processes:
        process.communicate(timeout=60)
    runs = [line["run"] for line in lines(store)]
    assert len(runs) == len(set(runs)) == 16
    assert len({line["process"] for line in lines(store)}) == 2
    assert all(re.search(r" w=[34] ", run) for run in runs)


@pytest.mark.parametrize("place", ["a folder", "under a file"])
def test_a_journal_that_cannot_be_written_stops_nothing(store, place):
    if place == "a folder":
        store.journal.mkdir(parents=True)
    else:
        (store.folder.parent.parent / "file").touch()
        store.journal = store.folder.parent.parent / "file" / "journal.jsonl"
    assert tiny.finish(store, tiny.CONFIG).num_trained == 1
