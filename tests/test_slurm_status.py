"""How submitted runs stand, by the records and the queue."""

import json
import os
from pathlib import Path

import pytest

from lazyrich_helpers.experiments.records import NUMERICS, Record
from lazyrich_helpers.runner import slurm_queue
from lazyrich_helpers.runner.slurm_ledger import JobEntry, Ledger, Share, Submission
from lazyrich_helpers.runner.slurm_queue import Place, cancel_jobs, in_queue, parse
from lazyrich_helpers.runner.slurm_status import cancel, states, status
from tests import tiny
from tests.slurm_stand_in import StandIn

ONE, TWO, THREE = tiny.APART
MEASURES = {measure.name: measure.version for measure in tiny.MEASURES}


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Stand-ins for Slurm's commands, on PATH."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return StandIn(tmp_path / "bin")


def submitted(store, *jobs, name="20260101-000000-0000", measures=MEASURES):
    """Note a submission in the ledger: one job for each list of runs."""
    submission = Submission(
        submission_id=name,
        submitted="2026-01-01T00:00:00+00:00",
        records=str(store.folder),
        device="cpu",
        options={},
        jobs=tuple(
            JobEntry(f"5_{k}", (Share("tiny", measures, labels(runs)),))
            for k, runs in enumerate(jobs)
        ),
    )
    Ledger(store).write(submission)
    return submission


def labels(runs):
    return {config.run_id: f"run {config.training.num_epochs}" for config in runs}


def found(store):
    return {run.run_id: (run.state, run.detail) for run in states(store)}


def test_the_queue_is_read_line_by_line(slurm):
    lines = [
        "5_0|PENDING|Priority|a",
        "5_1|RUNNING|None|a",
        "",
        "6|COMPLETING|None|b|c",
    ]
    slurm.queue(*lines)
    queue = in_queue()
    assert (
        queue
        == parse("\n".join(lines))
        == {
            ("a", "5_0"): Place("PENDING", "Priority"),
            ("a", "5_1"): Place("RUNNING", ""),
            ("b|c", "6"): Place("COMPLETING", ""),
        }
    )
    assert [place.waits for place in queue.values()] == [True, False, False]
    assert Place("REQUEUE_HOLD", "launch failed").waits


def test_a_cluster_that_does_not_answer_is_one_sentence(slurm):
    slurm.write("squeue", "#!/bin/sh\necho 'squeue: error: no\n route' >&2\nexit 1\n")
    with pytest.raises(ValueError, match=r"squeue did not .*error: no route.*`sinfo`"):
        in_queue()
    slurm.write("squeue", "#!/bin/sh\nexec sleep 60\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slurm_queue, "PATIENCE", 0.1)
        with pytest.raises(ValueError, match="timed out"):
            in_queue()


def test_many_jobs_are_cancelled_by_few_calls(slurm):
    job_ids = [f"5_{k}" for k in range(1201)]
    cancel_jobs(job_ids)
    assert slurm.cancelled() == job_ids
    assert len((slurm.folder / "cancelled").read_text().splitlines()) == 3


def test_a_run_is_recorded_queued_running_or_lost(store, slurm):
    jobs = submitted(store, [ONE], [TWO], [THREE], tiny.WIDTHS[:1])
    tiny.finish(store, ONE)
    slurm.queue(
        f"5_0|RUNNING|None|{jobs.name}",  # it has recorded its run, and is about to end
        f"5_1|PENDING|Dependency|{jobs.name}",
        f"5_2|RUNNING|None|{jobs.name}",
        "5_3|RUNNING|None|another",  # the cluster has begun to count anew
    )
    logs = Ledger(store).logs(jobs.submission_id)
    assert found(store) == {
        ONE.run_id: ("recorded", ""),
        TWO.run_id: ("queued", "Dependency"),
        THREE.run_id: ("running", ""),
        tiny.WIDTHS[0].run_id: ("lost", f"see {logs}/5_3_0_log.err"),
    }
    said = status(store).splitlines()
    counts = "1 recorded, 1 running, 1 queued, 1 lost."
    assert said[0] == f"{jobs.submission_id}: {counts}"
    assert said[1] == f"  queued    {TWO.run_id} run 2, job 5_1 (Dependency)"
    assert len(said) == 4, "what is recorded is counted, and no more"


def test_a_record_counts_if_it_has_what_was_asked_for(store, slurm, monkeypatch):
    submitted(store, [ONE], measures=MEASURES | {"activity": 1})
    tiny.finish(store, ONE)
    assert found(store)[ONE.run_id][0] == "lost"
    submitted(store, [ONE])
    assert found(store)[ONE.run_id][0] == "recorded"
    submitted(store, [TWO], name="20260102-000000-0000")
    store.write(Record(TWO, "diverged", origin={"numerics": dict(NUMERICS)}))
    assert found(store)[TWO.run_id][0] == "recorded", "there is nothing to measure"
    monkeypatch.setitem(NUMERICS, "train", NUMERICS["train"] + 1)
    assert found(store)[ONE.run_id][0] == "lost"


def test_a_failure_says_why(store, slurm):
    jobs = submitted(store, [ONE, TWO])
    logs = Ledger(store).logs(jobs.submission_id)
    logs.mkdir()
    note = {"run 1": "ValueError: no data", "3 runs": "no weights"}
    (logs / "5_0.failed.json").write_text(json.dumps(note))
    assert found(store) == {
        ONE.run_id: ("failed", "ValueError: no data"),
        TWO.run_id: ("failed", "run 1: ValueError: no data; 3 runs: no weights"),
    }
    slurm.enqueue(jobs, state="RUNNING")  # once more
    assert {state for state, _ in found(store).values()} == {"running"}


def test_an_unreadable_record_is_a_failure(store, slurm):
    submitted(store, [ONE])
    store.write(Record(ONE, "failed: RuntimeError"))
    assert found(store)[ONE.run_id][0] == "lost"
    (store.folder / f"{ONE.run_id}.json").write_text("{")
    state, detail = found(store)[ONE.run_id]
    assert state == "failed" and "not a readable record" in detail


def test_a_run_is_listed_where_it_was_submitted_last(store, slurm):
    submitted(store, [TWO], [ONE], name="20260101-000000-0000")
    later = submitted(store, [TWO], name="20260102-000000-0000")
    slurm.enqueue(later)
    assert [(run.submission_id[:8], run.state) for run in states(store)] == [
        ("20260101", "lost"),
        ("20260102", "queued"),
    ]


def test_cancel_takes_what_is_left_and_leaves_the_rest(store, slurm):
    one = submitted(store, [ONE], [TWO], name="20260101-000000-0000")
    two = submitted(store, [THREE], name="20260102-000000-0000")
    slurm.queue(
        f"5_1|PENDING|Priority|{one.name}",
        f"5_0|RUNNING|None|{two.name}",
        "5_0|RUNNING|None|another",
    )
    assert cancel(store, one.submission_id) == 1
    assert slurm.cancelled() == ["5_1"]
    kinds = {run_id: state for run_id, (state, _) in found(store).items()}
    assert kinds == {
        ONE.run_id: "lost",
        TWO.run_id: "cancelled",
        THREE.run_id: "running",
    }
    assert cancel(store) == 1 and slurm.cancelled() == ["5_1", "5_0"]
    with pytest.raises(ValueError, match=r"one of .*20260101.*; got 'yesterday'"):
        cancel(store, "yesterday")


def test_the_ledger_gives_back_what_it_was_given(store):
    ledger = Ledger(store)
    one = submitted(store, [ONE, TWO], [THREE], name="20260102-000000-0000")
    two = submitted(store, name="20260101-000000-0000")
    assert ledger.read_all() == [two, one]
    assert sorted(path.name for path in ledger.folder.iterdir()) == [
        f"{two.submission_id}.json",
        f"{one.submission_id}.json",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"jobs": 3}', '{"jobs": [{}]}'])
def test_an_unreadable_entry_is_one_sentence(store, slurm, text):
    path = Ledger(store).folder / "x.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ValueError, match=r"x\.json is not a readable submission .*"):
        status(store)


def test_an_empty_ledger_says_so(store, slurm):
    assert status(store) == f"No submissions in {Ledger(store).folder}."
