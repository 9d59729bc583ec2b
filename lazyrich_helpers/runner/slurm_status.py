"""How submitted runs stand, and taking them back.

What became of a run is read from the records and from Slurm's queue, never from what a
job said of itself at its end: one that is in neither is lost, unless it was cancelled
or left a note of what failed.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from lazyrich_helpers.experiments.records import Record, RecordError, Store
from lazyrich_helpers.runner.slurm_ledger import JobEntry, Ledger, Submission
from lazyrich_helpers.runner.slurm_queue import Queue, cancel_jobs, in_queue

STATES = ("recorded", "running", "queued", "failed", "cancelled", "lost")


@dataclass(frozen=True)
class RunState:
    """How a submitted run stands."""

    submission_id: str
    job_id: str
    run_id: str
    label: str
    state: str
    """One of `STATES`."""
    detail: str = ""
    """Why it waits or failed; where to read on, if it is lost."""


def states(store: Store) -> list[RunState]:
    """Return how every run that was ever submitted stands, by its last submission.

    Raises:
        ValueError: If Slurm is not here or does not answer.
    """
    ledger, queue = Ledger(store), in_queue()
    found: dict[tuple[str, str], RunState] = {}
    for submission in ledger.read_all():
        for job in submission.jobs:
            for run_id in job.runs:
                state = _state(run_id, job, submission, queue, ledger)
                found.pop((submission.records, run_id), None)  # the last is listed last
                found[submission.records, run_id] = state
    return list(found.values())


def _state(
    run_id: str, job: JobEntry, submission: Submission, queue: Queue, ledger: Ledger
) -> RunState:
    run = (submission.submission_id, job.job_id, run_id, job.runs[run_id])
    logs = ledger.logs(submission.submission_id)
    records = Store(Path(submission.records), ledger.folder)
    try:
        record = records.read(run_id)
    except RecordError as error:
        return RunState(*run, "failed", str(error))
    if record is not None and _holds(record, job):
        return RunState(*run, "recorded")
    place = queue.get((submission.name, job.job_id))
    if place is not None and not job.cancelled:
        if place.waits:
            return RunState(*run, "queued", place.reason)
        return RunState(*run, "running")
    if job.cancelled:
        return RunState(*run, "cancelled")
    why = _failure(logs / f"{job.job_id}.failed.json", job.runs[run_id])
    if why:
        return RunState(*run, "failed", why)
    return RunState(*run, "lost", f"see {logs}/{job.job_id}_0_log.err")


def _holds(record: Record, job: JobEntry) -> bool:
    """Return whether a record has all that the job was to measure."""
    if not record.done or record.stale:
        return False
    shares = [share for share in job.shares if record.run_id in share.runs]
    wanted = [item for share in shares for item in share.measures.items()]
    return record.status == "diverged" or all(record.has(*item) for item in wanted)


def _failure(note: Path, run: str) -> str:
    """Return why a run failed, by the note that its job left; empty: it left none."""
    try:
        failed = json.loads(note.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    return failed.get(run) or "; ".join(f"{k}: {why}" for k, why in failed.items())


def status(store: Store) -> str:
    """Return how the runs of each submission stand, for people.

    A submission has a line with the counts, and one for each run that is not recorded.
    A run that was submitted again is counted there.
    """
    by_submission: dict[str, list[RunState]] = {}
    for run in states(store):
        by_submission.setdefault(run.submission_id, []).append(run)
    lines = []
    for submission_id, runs in by_submission.items():
        counts = [(sum(run.state == state for run in runs), state) for state in STATES]
        said = ", ".join(f"{num} {state}" for num, state in counts if num)
        lines.append(f"{submission_id}: {said}.")
        lines += [
            f"  {run.state:9} {run.run_id} {run.label}, job {run.job_id}"
            + (f" ({run.detail})" if run.detail else "")
            for run in runs
            if run.state != "recorded"
        ]
    return "\n".join(lines) or f"No submissions in {Ledger(store).folder}."


def cancel(store: Store, submission_id: str = "") -> int:
    """Take jobs that are waiting or running out of the queue; return how many.

    Args:
        store: Whose submissions.
        submission_id: Which of them; empty: all.

    Raises:
        ValueError: If there is no such submission, or Slurm does not answer.
    """
    ledger = Ledger(store)
    with store.lock("slurm"):
        chosen = [ledger.read(submission_id)] if submission_id else ledger.read_all()
        queue, num = in_queue(), 0
        for submission in chosen:
            ours = [
                job.job_id
                for job in submission.jobs
                if (submission.name, job.job_id) in queue and not job.cancelled
            ]
            if not ours:
                continue
            cancel_jobs(ours)
            num += len(ours)
            jobs = tuple(
                dataclasses.replace(job, cancelled=job.cancelled or job.job_id in ours)
                for job in submission.jobs
            )
            ledger.write(dataclasses.replace(submission, jobs=jobs))
    return num
